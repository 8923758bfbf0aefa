"""Make static/vendor/ from static/vendor/vendor.toml.

For maintainers, when a third-party release is added or changed. It needs npm, fonttools and
brotli; running the product needs none of them, because the result is committed.

For each package: `npm pack`, compare the download with the stated integrity, copy the listed
files and the licence, apply the declared edits. The lock file holds the SHA-256 of every source
before its edits and of every file as it is served; tests/test_vendor.py compares them offline.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from xml.etree import ElementTree

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

VENDOR_DIR = Path(__file__).resolve().parent.parent / "static" / "vendor"
MANIFEST = VENDOR_DIR / "vendor.toml"
LOCK = VENDOR_DIR / "vendor.lock.json"
SVG = "http://www.w3.org/2000/svg"

Package = dict[str, Any]  # one [[package]] table of vendor.toml
Sources = dict[str, bytes]  # path inside the package -> content


class VendorError(Exception):
    """A download that is not what vendor.toml says."""


class Output(NamedTuple):
    """One file to be served, and what it was made from."""

    path: str
    content: bytes
    sources: Sources


class Edited(NamedTuple):
    path: str
    content: bytes


# -- edits ---------------------------------------------------------------------------------------


def rename_mjs_to_js(path: str, content: bytes) -> Edited:
    """Manifest storage rewrites imports only in files that end in .js."""
    return Edited(re.sub(r"\.mjs$", ".js", path), content)


def strip_source_map(path: str, content: bytes) -> Edited:
    """Manifest storage stops on a map that is not there."""
    return Edited(path, re.sub(rb"\n?//# sourceMappingURL=\S+\s*$", b"\n", content))


def keep_woff2_only(path: str, content: bytes) -> Edited:
    """Cut the font formats that no supported browser asks for, and that are not vendored."""
    if path.endswith(".css"):
        content = re.sub(rb',url\([^)]+\.(?:woff|ttf)\) format\("\w+"\)', b"", content)
    return Edited(path, content)


EDITS: dict[str, Callable[[str, bytes], Edited]] = {
    edit.__name__: edit for edit in (rename_mjs_to_js, strip_source_map, keep_woff2_only)
}


# -- from package to files ------------------------------------------------------------------------


def download(package: Package, folder: Path) -> Sources:
    """Fetch a release, check it, and return its files."""
    name = f"{package['npm']}@{package['version']}"
    command = ["npm", "pack", name, "--json", "--pack-destination", str(folder)]
    packed = subprocess.run(command, check=True, capture_output=True, text=True)
    archive = folder / Path(json.loads(packed.stdout)[0]["filename"]).name
    check_integrity(name, archive.read_bytes(), package["integrity"])
    return read_archive(archive)


def check_integrity(name: str, archive: bytes, expected: str) -> None:
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if digest != expected:
        raise VendorError(f"{name}: integrity is {digest}, vendor.toml says {expected}")


def read_archive(archive: Path) -> Sources:
    with tarfile.open(archive) as tar:
        return {
            str(PurePosixPath(member.name).relative_to("package")): handle.read()
            for member in tar.getmembers()
            if (handle := tar.extractfile(member)) is not None
        }


def build(package: Package, sources: Sources) -> list[Output]:
    outputs = [licence(package, sources), *copies(package, sources)]
    if "font" in package:
        outputs.append(subset_font(package["font"], sources))
    if "sprite" in package:
        outputs.append(icon_sprite(package["sprite"], sources))
    return outputs


def licence(package: Package, sources: Sources) -> Output:
    path = package["licence_file"]
    return Output("LICENSE", sources[path], {path: sources[path]})


def copies(package: Package, sources: Sources) -> list[Output]:
    outputs = []
    for pattern in package.get("files", []):
        matches = fnmatch.filter(sources, pattern)
        if not matches:
            raise VendorError(f"{package['npm']}: no file matches {pattern}")
        outputs += [edited_copy(package, path, sources[path]) for path in sorted(matches)]
    return outputs


def edited_copy(package: Package, source: str, original: bytes) -> Output:
    path = str(PurePosixPath(source).relative_to(package.get("root", ".")))
    content = original
    for edit in package.get("edits", []):
        path, content = EDITS[edit](path, content)
    return Output(path, content, {source: original})


def subset_font(spec: dict[str, Any], sources: Sources) -> Output:
    original = sources[spec["source"]]
    limits = {axis: tuple(value) if isinstance(value, list) else value for axis, value in spec["axes"].items()}
    font = saved_and_read(instancer.instantiateVariableFont(read_font(BytesIO(original)), limits))
    options = subset.Options(flavor="woff2", layout_features=spec["features"], hinting=False)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=code_points(spec["characters"]))
    subsetter.subset(font)
    buffer = BytesIO()
    subset.save_font(font, buffer, options)
    return Output(spec["output"], buffer.getvalue(), {spec["source"]: original})


def read_font(file: BytesIO) -> TTFont:
    return TTFont(file, recalcTimestamp=False)


def saved_and_read(font: TTFont) -> TTFont:
    """The subsetter needs tables as they are on disk, not as the instancer leaves them."""
    buffer = BytesIO()
    font.save(buffer)
    return read_font(BytesIO(buffer.getvalue()))


def code_points(ranges: list[str]) -> list[int]:
    """["0041-0043", "20AC"] -> [0x41, 0x42, 0x43, 0x20AC]"""
    points: list[int] = []
    for item in ranges:
        first, _, last = item.partition("-")
        points += range(int(first, 16), int(last or first, 16) + 1)
    return points


def icon_sprite(spec: dict[str, Any], sources: Sources) -> Output:
    """One file of symbols; `<use href="icons.svg#name">` draws one in the current colour."""
    ElementTree.register_namespace("", SVG)
    sprite = ElementTree.Element(f"{{{SVG}}}svg")
    used: Sources = {}
    for icon in sorted(spec["icons"]):
        path = f"{spec['source']}/{icon}.svg"
        used[path] = sources[path]
        sprite.append(symbol(icon, ElementTree.fromstring(sources[path])))
    ElementTree.indent(sprite, space="")
    return Output(spec["output"], ElementTree.tostring(sprite) + b"\n", used)


def symbol(icon: str, drawing: ElementTree.Element) -> ElementTree.Element:
    kept = ("viewBox", "fill", "stroke", "stroke-width", "stroke-linecap", "stroke-linejoin")
    attributes = {"id": icon, **{name: drawing.attrib[name] for name in kept}}
    element = ElementTree.Element(f"{{{SVG}}}symbol", attributes)
    element.extend(drawing)
    return element


# -- writing --------------------------------------------------------------------------------------


def write(folder: Path, outputs: list[Output]) -> None:
    for output in outputs:
        path = folder / output.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(output.content)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def lock_entry(package: Package, outputs: list[Output]) -> dict[str, Any]:
    return {
        "integrity": package["integrity"],
        "files": {
            output.path: {
                "sha256": sha256(output.content),
                "made_from": {path: sha256(data) for path, data in output.sources.items()},
            }
            for output in sorted(outputs)
        },
    }


def remove_old_directories() -> None:
    for path in VENDOR_DIR.iterdir():
        if path.is_dir():
            shutil.rmtree(path)


def main() -> int:
    packages: list[Package] = tomllib.loads(MANIFEST.read_text())["package"]
    with tempfile.TemporaryDirectory() as scratch:
        built = {
            f"{package['name']}-{package['version']}": (
                package,
                build(package, download(package, Path(scratch))),
            )
            for package in packages
        }
    remove_old_directories()
    lock = {}
    for directory, (package, outputs) in sorted(built.items()):
        write(VENDOR_DIR / directory, outputs)
        lock[directory] = lock_entry(package, outputs)
        size = sum(len(output.content) for output in outputs)
        sys.stdout.write(f"{directory}: {len(outputs)} files, {size:,} bytes\n")
    LOCK.write_text(json.dumps(lock, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
