"""The vendored files are those of the lock, and fit for the static files storage."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.e2e.harness.collect import collect

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "static" / "vendor"
PACKAGES = tomllib.loads((VENDOR / "vendor.toml").read_text())["package"]
LOCK = json.loads((VENDOR / "vendor.lock.json").read_text())
DIRECTORIES = sorted(path.name for path in VENDOR.iterdir() if path.is_dir())


def vendored_files(directory: str) -> list[Path]:
    return sorted(path for path in (VENDOR / directory).rglob("*") if path.is_file())


def test_the_list_the_lock_and_the_folder_agree() -> None:
    listed = sorted(f"{package['name']}-{package['version']}" for package in PACKAGES)
    assert listed == sorted(LOCK) == DIRECTORIES


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_the_lock_was_made_from_this_release(package: dict) -> None:
    locked = LOCK[f"{package['name']}-{package['version']}"]
    assert locked["integrity"] == package["integrity"]
    sources = [source for file in locked["files"].values() for source in file["made_from"]]
    exact = {name for name in package.get("files", []) if "*" not in name}
    assert exact <= set(sources)
    assert package["licence_file"] in sources


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_every_file_has_the_locked_digest(directory: str) -> None:
    found = {
        path.relative_to(VENDOR / directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendored_files(directory)
    }
    assert found == {name: file["sha256"] for name, file in LOCK[directory]["files"].items()}


@pytest.mark.parametrize("package", [p for p in PACKAGES if "edits" not in p], ids=lambda package: package["name"])
def test_without_declared_edits_files_are_copied_unchanged(package: dict) -> None:
    for file in LOCK[f"{package['name']}-{package['version']}"]["files"].values():
        if len(file["made_from"]) == 1 and "font" not in package:
            assert [file["sha256"]] == list(file["made_from"].values())


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_every_package_brings_its_licence(directory: str) -> None:
    text = (VENDOR / directory / "LICENSE").read_text().lower()
    assert re.search(r"copyright|permission|permitted", text)


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_no_file_names_a_source_map_or_ends_in_mjs(directory: str) -> None:
    for path in vendored_files(directory):
        assert path.suffix != ".mjs"
        assert b"sourceMappingURL" not in path.read_bytes()


def test_every_icon_of_the_list_is_in_the_sprite() -> None:
    package = next(package for package in PACKAGES if "sprite" in package)
    sprite = (VENDOR / f"{package['name']}-{package['version']}" / package["sprite"]["output"]).read_text()
    assert sorted(re.findall(r'<symbol id="([^"]+)"', sprite)) == sorted(package["sprite"]["icons"])


def test_modules_import_only_vendored_files_that_exist() -> None:
    paths = {
        (script.parent / target).resolve()
        for script in (ROOT / "static" / "js").rglob("*.js")
        for target in re.findall(r"""(?:from|import)\s*\(?["'](\.[^"']+)["']""", script.read_text())
    }
    assert [path for path in paths if not path.is_file()] == []


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `collectstatic` makes of static/."""
    target = tmp_path_factory.mktemp("collected")
    collect(target)
    return target


def test_every_import_is_rewritten_to_a_hashed_name(collected: Path) -> None:
    manifest = json.loads((collected / "staticfiles.json").read_text())["paths"]
    ours = [name for name in manifest if name.startswith("js/")]
    assert "js/lib/markdown.js" in ours
    for name in ours:
        text = re.sub(r"/\*.*?\*/", "", (collected / manifest[name]).read_text(), flags=re.DOTALL)
        imports = re.findall(r"""^import\b[^;]*?["']([^"']+)["'];|\bimport\(["']([^"']+)["']\)""", text, re.MULTILINE)
        for target in filter(None, (part for pair in imports for part in pair)):
            assert re.search(r"\.[0-9a-f]{12}\.js$", target), (name, target)
