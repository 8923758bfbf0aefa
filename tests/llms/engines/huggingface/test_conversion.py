"""The converter itself is replaced here by a small script; the real one runs in test_smollm2.py."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from llms.engines.base import LoadingFailed
from llms.engines.huggingface import conversion
from llms.engines.huggingface.conversion import converted
from tests.llms.engines.huggingface.gguf_files import write_gguf


class Workshop(NamedTuple):
    gguf: Path
    cache: Path
    runs: list[Path]


@pytest.fixture
def workshop(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Where converting means to copy the tiny model."""
    runs = []

    def copy(source: Path, target: Path, report: Callable[[str], None]) -> None:
        runs.append(source)
        report("copying")
        assert source.resolve() == gguf
        assert [path.name for path in source.parent.iterdir()] == [source.name], "nothing else lies beside it"
        shutil.copytree(tiny_model, target)

    monkeypatch.setattr(conversion, "_run_converter", copy)
    gguf = write_gguf(tmp_path / "Some Model Q4.gguf").resolve()
    return Workshop(gguf, tmp_path / "cache" / "models", runs)


def test_a_file_is_converted_once(workshop: Workshop) -> None:
    reports: list[str] = []

    folder = converted(workshop.gguf, workshop.cache, reports.append)
    again = converted(workshop.gguf, workshop.cache, reports.append)

    assert folder == again
    assert folder.name.startswith("Some-Model-Q4-")
    assert len(workshop.runs) == 1
    assert any("copying" in report for report in reports)


def test_a_file_that_was_replaced_is_converted_anew(workshop: Workshop) -> None:
    first = converted(workshop.gguf, workshop.cache)

    write_gguf(workshop.gguf, tokenizer__ggml__bos_token_id=2)
    os.utime(workshop.gguf, ns=(1, 1))

    assert converted(workshop.gguf, workshop.cache) != first
    assert len(workshop.runs) == 2


def test_several_at_once_convert_once(workshop: Workshop) -> None:
    folders: list[Path] = []
    threads = [
        threading.Thread(target=lambda: folders.append(converted(workshop.gguf, workshop.cache))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(folders)) == 1
    assert len(folders) == 4
    assert len(workshop.runs) == 1


def contents(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir() if path.suffix != ".lock"]


def test_a_crash_leaves_nothing_behind(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(source: Path, target: Path, report: Callable[[str], None]) -> None:
        target.mkdir()
        (target / "model.safetensors").write_bytes(b"half")
        raise LoadingFailed("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "_run_converter", crash)
        with pytest.raises(LoadingFailed, match="out of memory"):
            converted(workshop.gguf, workshop.cache)
        assert contents(workshop.cache) == []

    assert converted(workshop.gguf, workshop.cache).is_dir()


def test_what_a_killed_process_left_behind_is_cleared_away(workshop: Workshop) -> None:
    folder = converted(workshop.gguf, workshop.cache)
    (workshop.cache / f".{folder.name}.abcdef" / "target").mkdir(parents=True)
    os.truncate(folder / "model.safetensors", 100)

    assert converted(workshop.gguf, workshop.cache) == folder

    assert contents(workshop.cache) == [folder.name]
    assert (folder / "model.safetensors").stat().st_size > 100


def test_a_result_that_could_not_be_loaded_is_refused(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "_run_converter", lambda source, target, report: target.mkdir())

    with pytest.raises(LoadingFailed, match="unusable"):
        converted(workshop.gguf, workshop.cache)
    assert contents(workshop.cache) == []


def test_a_full_disk_is_noticed_before(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=100)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)

    with pytest.raises(LoadingFailed, match="Free some space"):
        converted(workshop.gguf, workshop.cache)
    assert workshop.runs == []


def test_a_disk_that_fills_up_is_explained(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(conversion, "_run_converter", fill)

    with pytest.raises(LoadingFailed, match="is full: free some space"):
        converted(workshop.gguf, workshop.cache)


def test_a_cache_that_cannot_be_written_is_explained(workshop: Workshop) -> None:
    workshop.cache.parent.write_text("a file stands in the way")

    with pytest.raises(LoadingFailed, match="write to"):
        converted(workshop.gguf, workshop.cache)


@pytest.mark.parametrize(
    ("returncode", "complaints", "advice"),
    [
        (-9, "", "memory ran out"),
        (1, "Traceback …\nOSError: [Errno 28] No space left on device\n", "disk is full"),
        (1, "Traceback …\nValueError: GGUF model with architecture foo is not supported yet.\n\n", "architecture foo"),
        (1, "", "no reason"),
    ],
)
def test_a_converter_that_fails_is_explained(returncode: int, complaints: str, advice: str) -> None:
    assert advice in conversion._reason(returncode, complaints)


@pytest.mark.slow
def test_a_file_that_transformers_cannot_read_fails_with_its_reason(tmp_path: Path) -> None:
    gguf = write_gguf(tmp_path / "m.gguf", general__architecture="unheard-of")

    with pytest.raises(LoadingFailed, match=r"could not be converted: .*unheard-of"):
        converted(gguf, tmp_path / "cache")
