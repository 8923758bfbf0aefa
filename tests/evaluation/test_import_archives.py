"""Zips of strangers: read without unpacking, and refused where they mean harm."""

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from evaluation.foreign import archives
from evaluation.foreign.archives import Limits, opened
from evaluation.foreign.results import BadFile

INSPECT = Path(__file__).parent / "foreign" / "inspect" / "zip"


@pytest.fixture
def packed(tmp_path):
    def packed(*members, compression=zipfile.ZIP_DEFLATED):
        path = tmp_path / "all.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return path

    return packed


def content_of(path, **limits):
    with opened(path, Limits(**limits)) as content:
        return {name: entry.read() for name, entry in content.entries.items()}, content.problems


def test_only_files_that_may_be_results_are_read(packed):
    names = ("a/results.json", "samples.jsonl", "notes.txt", "__MACOSX/a.json", "a/.hidden.json", "details.parquet")
    entries, problems = content_of(packed(*((name, name) for name in names)))
    assert set(entries) == {"a/results.json", "samples.jsonl", "details.parquet"}
    assert not problems


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/evil.json", "a/../../b.json", "C:/evil.json", "a\\..\\b.json", "a\n.json"]
)
def test_names_that_lead_elsewhere_are_problems(packed, name):
    path = packed(("good.json", "{}"), ("placeholder.json", "{}"))
    data = path.read_bytes()
    # written by hand, as zipfile mends some names itself
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, "{}")
    assert path.read_bytes() != data
    entries, problems = content_of(path)
    assert not entries
    assert "leads out of the zip" in str(problems[0].reason)


def test_links_are_problems(tmp_path):
    path = tmp_path / "links.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("results.json")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    entries, problems = content_of(path)
    assert not entries
    assert "It is a link" in str(problems[0].reason)


def test_a_bomb_is_refused_before_it_is_unpacked(packed):
    path = packed(("results.json", b"0" * 50_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(BadFile, match="larger than"), opened(path, Limits(bytes_each=10_000_000)):
        pass


def test_many_that_are_large_together_are_refused(packed):
    path = packed(*((f"{n}.json", b"0" * 1_000_000) for n in range(12)))
    with pytest.raises(BadFile, match="larger than"), opened(path, Limits(bytes_together=10_000_000)):
        pass
    with pytest.raises(BadFile, match="more than 5 files"), opened(path, Limits(n_files=5)):
        pass


def test_a_directory_that_lies_about_a_size_gets_no_more_than_it_said(packed):
    path = packed(("results.json", b"0" * 1_000_000))
    data = path.read_bytes()
    said = struct.pack("<L", 1_000_000)
    assert data.count(said) == 2
    path.write_bytes(data.replace(said, struct.pack("<L", 10)))
    with opened(path) as content, pytest.raises(BadFile, match="cannot be unpacked"):
        content.entries["results.json"].read()


def test_the_same_with_zstandard():
    source = next(INSPECT.glob("*arc*.eval"))
    with zipfile.ZipFile(source) as archive:
        info = archive.getinfo("header.json")
        assert info.compress_type == archives.ZSTANDARD
        for size in (10, info.file_size + 10):
            lying = zipfile.ZipInfo("header.json")
            for field in ("header_offset", "compress_size", "CRC", "compress_type"):
                setattr(lying, field, getattr(info, field))
            lying.file_size = size
            with pytest.raises(BadFile, match="cannot be unpacked"):
                archives._read_zipped(archive, lying, Limits())


@pytest.mark.parametrize("place", [30, 60, 500, 1000, -200, -30])
def test_a_damaged_file_is_a_sentence(tmp_path, place):
    data = bytearray(next(INSPECT.glob("*arc*.eval")).read_bytes())
    for offset in range(8):
        data[place + offset] ^= 0xFF
    path = tmp_path / "damaged.zip"
    path.write_bytes(data)
    said = []
    try:
        with opened(path) as content:
            said = [str(problem.reason) for problem in content.problems]
            for entry in content.entries.values():
                entry.read()
    except BadFile as error:
        said.append(str(error.user_message))
    assert all(": pack it again" in reason or "pack the folder again" in reason for reason in said)


@pytest.mark.parametrize("data", [b"", b"PK", b"{}"])
def test_what_is_no_zip_is_told(tmp_path, data):
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with pytest.raises(BadFile, match="is no zip that can be read"), opened(path):
        pass


def test_an_encrypted_member_is_a_problem(packed):
    path = packed(("results.json", "{}"))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    entries, problems = content_of(path)
    assert not entries
    assert "encrypted" in str(problems[0].reason)


def test_two_files_of_one_name_are_a_problem(tmp_path):
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("results.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("results.json", "[]")
    _, problems = content_of(path)
    assert "two files of this name" in str(problems[0].reason)


def test_a_folder_is_read_without_following_links(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "results.json").write_text("{}")
    outside = tmp_path / "secret.json"
    outside.write_text("{}")
    (tmp_path / "inside" / "link.json").symlink_to(outside)
    (tmp_path / "inside" / "folder").symlink_to(tmp_path)
    entries, problems = content_of(tmp_path / "inside")
    assert set(entries) == {"results.json"}
    assert [problem.file for problem in problems] == ["link.json"]


def test_zips_in_zips_are_not_opened(packed):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("results.json", "{}")
    entries, _ = content_of(packed(("inner.zip", inner.getvalue())))
    assert not entries
