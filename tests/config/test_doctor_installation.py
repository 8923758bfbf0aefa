"""What `doctor` sees of this machine."""

import json
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from config.doctor import installation
from config.doctor.findings import State

Usage = namedtuple("Usage", "total used free")
Mount = namedtuple("Mount", "mountpoint fstype")


@pytest.fixture
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.KEYS_DIR = tmp_path / "keys"
    settings.STATIC_ROOT = tmp_path / "static"
    settings.KEYS_DIR.mkdir()
    return tmp_path


def test_an_old_python(monkeypatch):
    assert installation.python().state is State.OK
    monkeypatch.setattr(installation.sys, "version_info", (3, 10, 14))
    assert installation.python().state is State.PROBLEM


REQUIREMENTS = """# Run time.
numpy==1.0  # too old by far
packaging>=20
no-such-package-anywhere==1
winrt==1; sys_platform == "win32"
torch==2.13.0
"""


def test_packages_are_held_against_the_pins(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    (tmp_path / "requirements.txt").write_text(REQUIREMENTS)
    found = installation.packages()
    assert found.state is State.PROBLEM
    assert found.words.startswith("numpy is 2.")
    assert found.words.endswith("wanted ==1.0; no-such-package-anywhere is missing")
    assert found.mend == "pip install -r requirements.txt"


def test_the_pins_of_this_installation_hold():
    assert installation.packages().state is State.OK


@pytest.mark.parametrize(("free", "state"), [(50e9, State.OK), (1e9, State.WARNING), (1e8, State.PROBLEM)])
def test_space(free, state, data_dir, monkeypatch):
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda path: Usage(1e12, 0, free))
    found = installation.data_folder()
    assert found.state is state
    assert f"{free / 1e9:.1f} GB free" in found.words


def test_a_folder_that_cannot_be_written(data_dir, settings):
    (data_dir / "file").write_text("x")
    settings.DATA_DIR = data_dir / "file" / "data"
    found = installation.data_folder()
    assert found.state is State.PROBLEM
    assert "HAKEM_DATA_DIR" in found.mend


def test_looking_leaves_nothing_behind(data_dir):
    installation.data_folder()
    assert [path.name for path in data_dir.iterdir()] == ["keys"]


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.s3fs"])
def test_sqlite_on_a_network_is_a_problem(kind, data_dir, settings, monkeypatch):
    mounts = [Mount("/", "ext4"), Mount(str(data_dir.parent), kind)]
    monkeypatch.setattr(installation.psutil, "disk_partitions", lambda all: mounts)
    assert installation.data_folder().state is State.PROBLEM
    settings.IS_SQLITE = False
    assert installation.data_folder().state is State.OK
    settings.IS_SQLITE = True
    mounts.append(Mount(str(data_dir), "ext4"))
    assert installation.data_folder().state is State.OK


def test_keys_are_for_their_owner(data_dir, settings):
    assert installation.key_files().words == "all given by the environment"
    key = settings.KEYS_DIR / "secret_key"
    key.write_text("x")
    key.chmod(0o600)
    assert installation.key_files().state is State.OK
    key.chmod(0o640)
    found = installation.key_files()
    assert (found.state, found.mend) == (State.PROBLEM, f"chmod 600 {key}")


def test_static_files_are_collected_and_fresh(data_dir, settings, monkeypatch):
    source = data_dir / "source" / "css" / "a.css"
    source.parent.mkdir(parents=True)
    source.write_text("new")
    settings.STATICFILES_DIRS = [data_dir / "source"]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    installation.get_finders.__globals__["get_finder"].cache_clear()
    try:
        assert installation.static_files().words == "not collected"
        settings.STATIC_ROOT.mkdir()
        manifest = settings.STATIC_ROOT / "staticfiles.json"
        manifest.write_text(json.dumps({"paths": {}}))
        assert "1 of 1 changed" in installation.static_files().words
        manifest.write_text(json.dumps({"paths": {"css/a.css": "css/a.1.css"}}))
        (settings.STATIC_ROOT / "css").mkdir()
        (settings.STATIC_ROOT / "css" / "a.css").write_text("old")
        found = installation.static_files()
        assert (found.state, found.mend) == (State.PROBLEM, "python manage.py collectstatic --no-input")
        (settings.STATIC_ROOT / "css" / "a.css").write_text("new")
        assert installation.static_files().state is State.OK
        settings.DEBUG = True
        assert "DEBUG" in installation.static_files().words
    finally:
        installation.get_finders.__globals__["get_finder"].cache_clear()


def test_files_for_all_battles(settings, monkeypatch):
    settings.MAX_ACTIVE_TURNS = 500
    monkeypatch.setattr(installation.resource, "getrlimit", lambda which: (1024, 1024))
    found = installation.open_files()
    assert found.state is State.WARNING
    assert found.mend.startswith("ulimit -n 1700")
    for limit in (1700, installation.resource.RLIM_INFINITY):
        monkeypatch.setattr(installation.resource, "getrlimit", lambda which, limit=limit: (limit, limit))
        assert installation.open_files().state is State.OK
    monkeypatch.setattr(installation, "resource", None)
    assert installation.open_files().state is State.OK


def test_devices_are_asked_in_another_process(monkeypatch):
    code = "import sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", f"import config.doctor.installation; {code}"], check=True, env=_bare())
    found = installation.devices()
    assert found.state is State.OK
    assert found.words.startswith("cpu (")


def _bare():
    import os

    root = Path(installation.__file__).parents[2]
    return {**os.environ, "PYTHONPATH": str(root), "DJANGO_SETTINGS_MODULE": "config.settings"}


def test_a_torch_that_breaks_is_a_problem(monkeypatch):
    broken = subprocess.CompletedProcess([], 1, "", "Traceback\nImportError: libcudart.so.13\n")
    monkeypatch.setattr(installation.subprocess, "run", lambda *a, **k: broken)
    found = installation.devices()
    assert (found.state, found.words) == (State.PROBLEM, "torch cannot be used: ImportError: libcudart.so.13")
