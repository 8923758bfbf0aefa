import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = ROOT / "config" / "settings.py"
VARIABLE = re.compile(r"^#([A-Z_]+)=(.*)$", re.MULTILINE)
"""A variable in `.env.example`, with its default."""
EXAMPLE = dict(VARIABLE.findall((ROOT / ".env.example").read_text()))


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """None of our variables, and a data folder of one's own, which is returned."""
    for name in EXAMPLE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HAKEM_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def settings_with(bare_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The settings module, run anew: `settings_with(PORT="1")["PORT"]`."""

    def settings_with(**environment: str) -> dict[str, Any]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(SETTINGS))

    return settings_with


@pytest.fixture
def manage(bare_environment: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`manage.py` as an operator calls it: in a process of its own, with nothing set but what is given."""

    def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        return subprocess.run(
            command, env=inherited | environment, cwd=ROOT, capture_output=True, text=True, timeout=60
        )

    return manage
