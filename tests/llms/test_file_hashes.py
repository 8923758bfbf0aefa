"""Digests of files are computed once, for as long as a file looks the same."""

import os

import pytest

from llms import file_hashes
from llms.file_hashes import FileHashes


@pytest.fixture
def hashes(tmp_path):
    return FileHashes(tmp_path / "kept" / "hashes.json")


@pytest.fixture
def read(monkeypatch):
    """The files that were read to their end."""
    paths = []
    compute = file_hashes._sha256
    monkeypatch.setattr(file_hashes, "_sha256", lambda path: paths.append(path.name) or compute(path))
    monkeypatch.setattr(file_hashes, "SETTLED_SECONDS", -1.0)
    return paths


def test_a_file_is_read_once_also_after_a_restart(tmp_path, hashes, read):
    file = tmp_path / "weights"
    file.write_bytes(b"numbers")
    digest = hashes.sha256(file)
    assert hashes.sha256(file) == digest
    assert FileHashes(tmp_path / "kept" / "hashes.json").sha256(file) == digest
    assert read == ["weights"]


def test_a_file_that_was_replaced_or_set_back_in_time_is_read_again(tmp_path, hashes, read):
    file = tmp_path / "weights"
    file.write_bytes(b"numbers")
    about = file.stat()
    before = hashes.sha256(file)
    file.write_bytes(b"NUMBERS")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert file.stat().st_mtime_ns == about.st_mtime_ns
    assert hashes.sha256(file) != before


def test_a_file_that_was_written_just_now_is_not_taken_for_settled(tmp_path, hashes, read, monkeypatch):
    monkeypatch.setattr(file_hashes, "SETTLED_SECONDS", 3600.0)
    file = tmp_path / "weights"
    file.write_bytes(b"numbers")
    assert hashes.sha256(file) == hashes.sha256(file)
    assert read == ["weights", "weights"]


@pytest.mark.parametrize("content", ["", "[]", "{not json", '{"/x": 3, "/y": ["1"]}'])
def test_a_store_that_was_damaged_is_made_anew(content, tmp_path, read):
    store = tmp_path / "hashes.json"
    store.write_text(content)
    file = tmp_path / "weights"
    file.write_bytes(b"numbers")
    digest = FileHashes(store).sha256(file)
    assert FileHashes(store).sha256(file) == digest
    assert read == ["weights"]


def test_two_processes_keep_what_the_other_found(tmp_path, read):
    store = tmp_path / "hashes.json"
    one, other = FileHashes(store), FileHashes(store)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    one.sha256(tmp_path / "a"), other.sha256(tmp_path / "b")
    third = FileHashes(store)
    third.sha256(tmp_path / "a"), third.sha256(tmp_path / "b")
    assert read == ["a", "b"]
