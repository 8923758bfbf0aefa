"""This machine, and what is installed on it."""

import filecmp
import importlib.metadata
import json
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import psutil
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from packaging.requirements import Requirement

from config.doctor.findings import Check, Finding, gigabytes, ok, problem, warning

resource: ModuleType | None
try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None

GROUP = "Installation"
OLDEST_PYTHON = (3, 11)
LITTLE_SPACE, NO_SPACE = 2_000_000_000, 200_000_000
FILES_A_TURN, FILES_BESIDES = 3, 200
"""A socket and two streams; database, queues, static files and libraries."""
NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "lustre", "sshfs", "fuse.s3", "davfs")
DEVICE_SECONDS = 60.0


def python() -> Finding:
    if sys.version_info < OLDEST_PYTHON:
        return problem(f"{sys.version.split()[0]} is too old", "install Python 3.11 or newer, then make demo PYTHON=…")
    return ok(sys.version.split()[0])


def packages() -> Finding:
    wrong = list(_unlike(settings.BASE_DIR / "requirements.txt"))
    if wrong:
        return problem("; ".join(wrong), "pip install -r requirements.txt")
    return ok("as requirements.txt wants them")


def _unlike(requirements: Path) -> Iterator[str]:
    for line in requirements.read_text().splitlines():
        wanted = line.partition("#")[0].strip()
        if not wanted:
            continue
        requirement = Requirement(wanted)
        if requirement.marker and not requirement.marker.evaluate():
            continue
        try:
            installed = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{requirement.name} is missing"
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            yield f"{requirement.name} is {installed}, wanted {requirement.specifier}"


def data_folder() -> Finding:
    folder: Path = settings.DATA_DIR
    elsewhere = "set HAKEM_DATA_DIR to a folder that can be written"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor."):
            pass
    except OSError as error:
        return problem(f"{folder}: {error.strerror}", elsewhere)
    kind = _file_system_of(folder)
    if settings.IS_SQLITE and kind.lower().startswith(NETWORK_FILE_SYSTEMS):
        return problem(
            f"{folder} lies on {kind}, where SQLite loses data", "set HAKEM_DATA_DIR to a folder on a local disk"
        )
    free = shutil.disk_usage(folder).free
    words = f"{folder}, {gigabytes(free)} free on {kind or 'an unknown file system'}"
    if free < LITTLE_SPACE:
        return (problem if free < NO_SPACE else warning)(words, f"free some space: du -sh {folder}/*")
    return ok(words)


def _file_system_of(folder: Path) -> str:
    """That of the deepest mount above it."""
    whole = folder.resolve()
    mounts = [mount for mount in psutil.disk_partitions(all=True) if whole.is_relative_to(mount.mountpoint)]
    return str(max(mounts, key=lambda mount: len(mount.mountpoint)).fstype) if mounts else ""


def key_files() -> Finding:
    """Keys that were given by the environment have no file, which is as it should be."""
    files = [file for file in sorted(settings.KEYS_DIR.glob("*")) if file.is_file()]
    open_to_others = [file for file in files if stat.S_IMODE(file.stat().st_mode) & 0o077]
    if open_to_others:
        names = " ".join(map(str, open_to_others))
        return problem("others on this machine may read them", f"chmod 600 {names}")
    return ok(f"{len(files)} files, for their owner only" if files else "all given by the environment")


def static_files() -> Finding:
    mend = "python manage.py collectstatic --no-input"
    if settings.DEBUG:
        return ok("served from their sources (DEBUG)")
    sources = {name: storage.path(name) for finder in get_finders() for name, storage in finder.list([])}
    manifest = settings.STATIC_ROOT / "staticfiles.json"
    if not manifest.exists():
        return problem("not collected", mend)
    collected = json.loads(manifest.read_text())["paths"]
    stale = [
        name
        for name, source in sources.items()
        if name not in collected or not _is_same(settings.STATIC_ROOT / name, Path(source))
    ]
    if stale:
        return problem(f"{len(stale)} of {len(sources)} changed since they were collected, as {stale[0]}", mend)
    return ok(f"{len(sources)} collected")


def _is_same(collected: Path, source: Path) -> bool:
    return collected.exists() and filecmp.cmp(collected, source, shallow=False)


def open_files() -> Finding:
    if resource is None:
        return ok("this system has no limit")
    needed = FILES_A_TURN * settings.MAX_ACTIVE_TURNS + FILES_BESIDES
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    words = f"{allowed} allowed, {settings.MAX_ACTIVE_TURNS} battles at once need {needed}"
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        return warning(words, f"ulimit -n {needed}, or a smaller MAX_ACTIVE_TURNS")
    return ok(words)


def devices() -> Finding:
    """In a process of its own: a driver that hangs or crashes takes only that with it."""
    command = [sys.executable, "-m", "llms.engines.huggingface.devices_here"]
    done = subprocess.run(  # noqa: S603 - this very interpreter
        command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=DEVICE_SECONDS, check=False
    )
    if done.returncode:
        last = (done.stderr.strip() or "no words").splitlines()[-1]
        return problem(f"torch cannot be used: {last}", "pip install -r requirements.txt")
    found = json.loads(done.stdout)
    words = [
        f"{one['name']} ({one['words']}), {gigabytes(one['free'])} of {gigabytes(one['total'])} free" for one in found
    ]
    return ok("; ".join(words))


CHECKS = (
    Check(GROUP, "python", python),
    Check(GROUP, "packages", packages),
    Check(GROUP, "data folder", data_folder),
    Check(GROUP, "key files", key_files),
    Check(GROUP, "static files", static_files, seconds=30),
    Check(GROUP, "open files", open_files),
    Check(GROUP, "devices", devices, seconds=DEVICE_SECONDS + 5),
)
