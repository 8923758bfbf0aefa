"""The three things that a source may name: a GGUF file, a folder, or a repository on the hub."""

import re
from pathlib import Path
from typing import NamedTuple

from llms.sentences import filled, mark

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
REVISION = re.compile(r"[\w./-]{1,80}", re.ASCII)


class BadSource(ValueError):
    """The source is none of the three. The text says what to write instead."""


class GgufFile(NamedTuple):
    path: Path


class Folder(NamedTuple):
    path: Path


class HubId(NamedTuple):
    name: str
    revision: str | None


Source = GgufFile | Folder | HubId


def parse_source(source: str, revision: str) -> Source:
    """Say what a source names, without looking whether it is there."""
    if not source.strip():
        raise BadSource(
            filled(
                mark("The source is empty: give a hub id such as org/name, or the full path of a folder or GGUF file.")
            )
        )
    if not source.isprintable():
        raise BadSource(filled(mark("The source holds an invisible character: type it again.")))
    path = Path(source)
    if path.is_absolute():
        if ".." in path.parts:
            raise BadSource(filled(mark("The path %(path)s leads upwards with “..”: write it without."), path=source))
        return GgufFile(path) if path.suffix.lower() == ".gguf" else Folder(path)
    if not HUB_ID.fullmatch(source) or ".." in source or "--" in source or path.suffix.lower() == ".gguf":
        raise BadSource(
            filled(
                mark("“%(source)s” is neither a hub id such as org/name nor a full path, which begins with “/”."),
                source=source,
            )
        )
    if revision and (not REVISION.fullmatch(revision) or ".." in revision):
        raise BadSource(
            filled(
                mark("“%(revision)s” is not a revision: give a branch, a tag or a commit of the hub repository."),
                revision=revision,
            )
        )
    return HubId(source, revision or None)
