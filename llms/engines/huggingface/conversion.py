"""Keeps a converted copy of each GGUF file, because transformers needs far longer to read the original every time."""

import errno
import hashlib
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from llms.engines.base import LoadingFailed
from llms.engines.huggingface.checks import folder_problems

logger = logging.getLogger(__name__)

FORMAT = 1
"""Raised when the converter changes, so that copies made by the older one are not used any more."""
LIMIT_SECONDS = 3600.0
SAMPLE_BYTES = 1 << 20
SPACE_FACTOR = 5
"""Bytes needed for a byte of GGUF: four-bit weights become sixteen bits, with some to spare."""
PACKAGE_ROOT = Path(__file__).parents[3]
Report = Callable[[str], None]


def converted(gguf: Path, cache_dir: Path, report: Report = logger.info) -> Path:
    """The folder with the same weights as safetensors: converted now, unless that was done before.

    Safe from several threads and processes at once: one converts, the others wait for it. `report` is called with a
    sentence for each step. Raises `LoadingFailed`.
    """
    try:
        folder = cache_dir / f"{_slug(gguf)}-{_fingerprint(gguf)}"
        if folder.is_dir() and not folder_problems(folder):
            return folder
        cache_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(cache_dir / f"{folder.name}.lock", timeout=LIMIT_SECONDS):
            # Somebody else may have converted it while this process waited.
            if not folder.is_dir() or folder_problems(folder):
                _remove_leftovers(folder)
                _check_room(gguf, cache_dir)
                _convert_into(folder, gguf, report)
        return folder
    except Timeout as error:
        raise LoadingFailed(
            f"another process has been converting {gguf.name} for an hour: look what it does"
        ) from error
    except OSError as error:
        raise LoadingFailed(_trouble(gguf, cache_dir, error)) from error


def _convert_into(folder: Path, gguf: Path, report: Report) -> None:
    """All or nothing: the finished folder appears in one step."""
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as workplace:
        # Beside the file may lie another model's settings, which transformers would read too; so it gets a place alone.
        alone, target = Path(workplace, "source", "model.gguf"), Path(workplace, "target")
        alone.parent.mkdir()
        alone.symlink_to(gguf.resolve())
        report(f"converting {gguf.name}, once, to {folder}")
        _run_converter(alone, target, lambda step: report(f"converting {gguf.name}: {step}"))
        if trouble := folder_problems(target):
            raise LoadingFailed(f"{gguf.name} was converted into something unusable. {' '.join(trouble)}")
        target.rename(folder)
        report(f"converted {gguf.name}")


def _run_converter(source: Path, target: Path, report: Report) -> None:
    """Convert in a fresh process: a forked one would hang in torch's threads."""
    command = [sys.executable, "-m", "llms.engines.huggingface.convert_gguf", str(source), str(target)]
    paths = [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "CUDA_VISIBLE_DEVICES": ""}
    with (
        tempfile.TemporaryFile("w+", errors="replace") as complaints,
        # Our own program; of the arguments only the folder is chosen by anybody, and no shell looks at it.
        subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=complaints, text=True, env=environment
        ) as child,
    ):
        limit = threading.Timer(LIMIT_SECONDS, child.kill)
        limit.start()
        try:
            for line in child.stdout or ():
                report(line.strip())
            child.wait()
        finally:
            limit.cancel()
            child.kill()
        if child.returncode:
            complaints.seek(0)
            raise LoadingFailed(f"the file could not be converted: {_reason(child.returncode, complaints.read())}")


def _reason(returncode: int, complaints: str) -> str:
    if returncode < 0:
        return "the converter was killed, most likely because memory ran out. Free some, or choose a smaller model."
    if os.strerror(errno.ENOSPC) in complaints:
        return "the disk is full. Free some space, or set another folder for converted models."
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    return f"{lines[-1] if lines else 'it gave no reason'}. Register the model in safetensors format instead."


def _remove_leftovers(folder: Path) -> None:
    """Whatever a crash left behind. Call with the lock held."""
    for leftover in [folder, *folder.parent.glob(f".{folder.name}.*")]:
        shutil.rmtree(leftover, ignore_errors=True)


def _check_room(gguf: Path, cache_dir: Path) -> None:
    needed, free = gguf.stat().st_size * SPACE_FACTOR, shutil.disk_usage(cache_dir).free
    if free < needed:
        raise LoadingFailed(
            f"converting {gguf.name} needs up to {needed >> 20} MiB in {cache_dir}, where {free >> 20} MiB are free. "
            "Free some space, or set another folder for converted models."
        )


def _slug(gguf: Path) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", gguf.stem).strip("-.")[:60] or "model"


def _fingerprint(gguf: Path) -> str:
    """Changes when the file is replaced. Reads its two ends only: the whole may be many gigabytes."""
    about = gguf.stat()
    digest = hashlib.sha256(f"{FORMAT} {about.st_size} {about.st_mtime_ns}".encode())
    with gguf.open("rb") as file:
        digest.update(file.read(SAMPLE_BYTES))
        file.seek(max(0, about.st_size - SAMPLE_BYTES))
        digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:16]


def _trouble(gguf: Path, cache_dir: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"the disk of {cache_dir} is full: free some space, or set another folder for converted models"
    return f"converting {gguf.name} failed ({error}): let this server's user read the file and write to {cache_dir}"
