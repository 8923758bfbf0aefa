"""Runs `collectstatic` as the product does, in a process of its own so that no settings mix."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
COLLECT = """
import sys
import django
from django.conf import settings
from django.core.management import call_command
settings.configure(
    STATIC_ROOT=sys.argv[1], STATIC_URL="/static/", STATICFILES_DIRS=["static"],
    INSTALLED_APPS=["django.contrib.staticfiles"],
    STORAGES={"staticfiles": {"BACKEND": "config.static.ModuleManifestStorage"}},
)
django.setup()
call_command("collectstatic", interactive=False, verbosity=0)
"""


def collect(target: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLLECT, str(target)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
