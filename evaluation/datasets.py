"""A benchmark's rows: from a folder, from the samples that come with Hakem, or from the hub.

A folder has one folder per benchmark, with a file per split: `mmlu/test.jsonl`, `mmlu/dev.jsonl`; Parquet does as well.
`train_first2000.jsonl` is the beginning of a split: good for examples. The texts for `perplexity` are all files of that
folder: JSON lines with "text", or `.txt`, in which a line `<|endoftext|>` parts documents.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

import pyarrow as pa
import pyarrow.parquet
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from evaluation.benchmarks.base import Benchmark, Method, Sample
from evaluation.benchmarks.registry import BENCHMARKS, benchmark
from evaluation.benchmarks.rows import Row
from evaluation.errors import BadRow, DataMissing, DataUnreadable
from llms.sentences import Sentence, filled, mark

SAMPLES_FOLDER: Final = Path(__file__).parent / "benchmarks" / "samples"
DOCUMENT_BORDER: Final = re.compile(r"^<\|endoftext\|>[ \t]*\r?$", re.MULTILINE)
MOST_TEXT_BYTES: Final = 200_000_000
PARTIAL_SPLIT: Final = "_first"


class DataKind(StrEnum):
    PUBLISHED = "published"
    """The benchmark's own rows."""
    SAMPLE = "sample"
    """About twenty in our own words, to see whether everything works. Never ranked."""
    PRIVATE = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSet:
    """The rows to score, and those that examples are drawn from."""

    kind: DataKind
    source: str
    """Where they came from, for the record of a run."""
    rows: Sequence[Row]
    pool: Sequence[Row] = ()


class Place(NamedTuple):
    """A folder of rows; None for the hub."""

    kind: DataKind
    folder: Path


def published_rows(
    chosen: Benchmark, folder: Path | None, cache_dir: Path, *, with_pool: bool = False, may_download: bool = True
) -> RowSet:
    """From the folder if it has all that is needed, else from the hub. Raises DataMissing, DataUnreadable."""
    if folder is None:
        return from_hub(chosen, cache_dir, with_pool=with_pool, may_download=may_download)
    try:
        return from_folder(chosen, folder, with_pool=with_pool)
    except DataMissing as not_here:
        try:
            return from_hub(chosen, cache_dir, with_pool=with_pool, may_download=may_download)
        except DataMissing:
            # Somebody who set a folder wants to know what it lacks.
            raise not_here from None


def rows_and_pool_here(chosen: Benchmark, folder: Path | None, cache_dir: Path) -> RowSet | None:
    """Also those that examples are drawn from; None where not all of it is on this machine. Downloads nothing."""
    try:
        if folder is not None:
            with contextlib.suppress(DataMissing):
                return from_folder(chosen, folder, with_pool=True)
        return _from_cache(chosen, cache_dir)
    except (DataMissing, DataUnreadable):
        return None


def _from_cache(chosen: Benchmark, cache_dir: Path) -> RowSet:
    splits = (chosen.scored_split, chosen.shot_split)
    rows, pool = (_read(_fetched(chosen, split, cache_dir, local_files_only=True)) for split in splits)
    return RowSet(kind=DataKind.PUBLISHED, source=f"{chosen.hub}", rows=rows, pool=pool)


def from_folder(chosen: Benchmark, folder: Path, *, with_pool: bool = False) -> RowSet:
    """Raises DataMissing, DataUnreadable."""
    return _from_place(chosen, Place(DataKind.PUBLISHED, folder), with_pool=with_pool)


def from_samples(chosen: Benchmark, *, with_pool: bool = False) -> RowSet:
    """The built-in rows. Raises DataMissing."""
    return _from_place(chosen, Place(DataKind.SAMPLE, SAMPLES_FOLDER), with_pool=with_pool)


def _from_place(chosen: Benchmark, place: Place, *, with_pool: bool) -> RowSet:
    inside = place.folder / chosen.name
    if chosen.method is Method.TOKEN_STATISTICS:
        return RowSet(kind=place.kind, source=str(inside), rows=_documents(inside))
    rows = _read(_whole_file(inside, chosen.scored_split) or _missing(chosen, inside, chosen.scored_split))
    pool: Sequence[Row] = ()
    if with_pool:
        pool = _read(_any_file(inside, chosen.shot_split) or _missing(chosen, inside, chosen.shot_split))
    return RowSet(kind=place.kind, source=str(inside), rows=rows, pool=pool)


def from_hub(chosen: Benchmark, cache_dir: Path, *, with_pool: bool = False, may_download: bool = True) -> RowSet:
    """Downloads what is not in the cache yet, at the pinned revision, unless it may not: a page that is only looked at
    must not wait for the network. Raises DataMissing, DataUnreadable."""
    if chosen.hub is None:
        raise DataMissing(filled(mark("%(benchmark)s has no place on the hub: give a folder."), benchmark=chosen.name))
    offline = not may_download
    try:
        rows = _read(_fetched(chosen, chosen.scored_split, cache_dir, local_files_only=offline))
        pool: Sequence[Row] = ()
        if with_pool:
            pool = _read(_fetched(chosen, chosen.shot_split, cache_dir, local_files_only=offline))
    except DataMissing:
        if may_download:
            raise
        raise DataMissing(_how_to_get(chosen)) from None
    source = f"{chosen.hub.repository}@{chosen.hub.revision}"
    return RowSet(kind=DataKind.PUBLISHED, source=source, rows=rows, pool=pool)


def checksum(samples: Sequence[Sample]) -> str:
    """SHA-256 of the canonical rows, in their order: equal rows have it equal, wherever they came from."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(f"{sample.id} {sample.digest}\n".encode())
    return digest.hexdigest()


class Availability(NamedTuple):
    """What is here of one benchmark."""

    name: str
    n_rows: int | None
    """Of the scored split; None where it is not here."""
    n_published: int | None
    source: str
    """Where it was found; empty where it was not."""
    has_shots: bool
    advice: Sentence | None
    """What to do; None where nothing is missing."""


def inventory(folder: Path | None, cache_dir: Path) -> list[Availability]:
    """What is here of each benchmark, what is missing, and how to get it. Downloads nothing."""
    return [_availability(benchmark(name), folder, cache_dir) for name in BENCHMARKS]


def _availability(chosen: Benchmark, folder: Path | None, cache_dir: Path) -> Availability:
    published = chosen.n_rows.get(chosen.scored_split)
    for source, find in _finders(chosen, folder, cache_dir):
        try:
            if chosen.method is Method.TOKEN_STATISTICS:
                rows, has_shots = _documents(find("")), True
            else:
                rows, has_shots = _read(find(chosen.scored_split)), _can_be_found(find, chosen.shot_split)
            _check_first(chosen, rows, source)
        except DataMissing:
            continue
        except DataUnreadable as error:
            return Availability(chosen.name, None, published, source, False, error.user_message)
        advice = _advice(chosen, len(rows), has_shots=has_shots)
        return Availability(chosen.name, len(rows), published, source, has_shots, advice)
    return Availability(chosen.name, None, published, "", False, _how_to_get(chosen))


def _check_first(chosen: Benchmark, rows: Sequence[Row], source: str) -> None:
    """Whether these are the benchmark's rows at all; a run looks at each. Raises DataUnreadable."""
    try:
        chosen.parse(rows[0], chosen.variant_of(chosen.default_options))
    except BadRow as error:
        words = mark(
            "The rows in %(place)s are not those of %(benchmark)s (row 1: %(why)s): put its own there, or remove them."
        )
        why = error.user_message
        raise DataUnreadable(filled(words, place=source, benchmark=chosen.name, why=why)) from error


def rows_here(chosen: Benchmark, folder: Path | None, cache_dir: Path) -> list[Row] | None:
    """The rows that would be scored, as far as they are on this machine; None where there are none. Downloads nothing.
    Raises DataUnreadable."""
    for _, find in _finders(chosen, folder, cache_dir):
        try:
            return _read(find(chosen.scored_split))
        except DataMissing:
            continue
    return None


Finder = Callable[[str], Path]


def _finders(chosen: Benchmark, folder: Path | None, cache_dir: Path) -> Iterator[tuple[str, Finder]]:
    if folder is not None:
        inside = folder / chosen.name
        if chosen.method is Method.TOKEN_STATISTICS:
            yield str(inside), lambda split: inside
        else:
            yield str(inside), lambda split: _any_file(inside, split) or _missing(chosen, inside, split)
    if chosen.hub is not None:
        source = f"{chosen.hub.repository}@{chosen.hub.revision}"
        yield source, lambda split: _fetched(chosen, split, cache_dir, local_files_only=True)


def _can_be_found(find: Finder, split: str) -> bool:
    try:
        return find(split).exists()
    except DataMissing:
        return False


def _advice(chosen: Benchmark, n_rows: int, *, has_shots: bool) -> Sentence | None:
    published = chosen.n_rows.get(chosen.scored_split)
    if published is not None and n_rows != published:
        words = mark(
            "%(n)s rows are here and %(published)s are published: its scores are shown with their number of rows."
        )
        return filled(words, n=n_rows, published=published)
    if not has_shots:
        words = mark("Runs with examples need the split “%(split)s” as well.")
        return filled(words, split=chosen.shot_split)
    return None


def _how_to_get(chosen: Benchmark) -> Sentence:
    if chosen.hub is None:
        return filled(mark("Put files with texts into the folder “%(name)s” of BENCHMARK_DATA_DIR."), name=chosen.name)
    words = mark(
        "Start a run while this server reaches the hub, which downloads %(repository)s; or put %(split)s.jsonl or"
        " %(split)s.parquet into the folder “%(name)s” of BENCHMARK_DATA_DIR."
    )
    return filled(words, repository=chosen.hub.repository, split=chosen.scored_split, name=chosen.name)


def _fetched(chosen: Benchmark, split: str, cache_dir: Path, *, local_files_only: bool) -> Path:
    if chosen.hub is None or split not in chosen.hub.files:
        raise DataMissing(filled(mark("%(name)s has no split “%(split)s”."), name=chosen.name, split=split))
    try:
        found = hf_hub_download(
            chosen.hub.repository,
            chosen.hub.files[split],
            repo_type="dataset",
            revision=chosen.hub.revision,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        words = mark(
            "%(repository)s is not on this machine, and could not be downloaded (%(why)s). Try again when the hub can"
            " be reached, or give a folder."
        )
        reason = str(error).strip().split("\n")[0][:200]
        raise DataMissing(filled(words, repository=chosen.hub.repository, why=reason)) from error
    return Path(found)


def _whole_file(inside: Path, split: str) -> Path | None:
    candidates = (inside / f"{split}{ending}" for ending in READERS)
    return next((path for path in candidates if path.is_file()), None)


def _any_file(inside: Path, split: str) -> Path | None:
    """The split, or the beginning of it."""
    beginnings = sorted(path for path in inside.glob(f"{split}{PARTIAL_SPLIT}*") if path.suffix in READERS)
    return _whole_file(inside, split) or next(iter(beginnings), None)


def _missing(chosen: Benchmark, inside: Path, split: str) -> NoReturn:
    words = mark("%(folder)s has no %(split)s.jsonl and no %(split)s.parquet, which %(name)s needs.")
    raise DataMissing(filled(words, folder=inside, split=split, name=chosen.name))


def _documents(inside: Path) -> list[Row]:
    files = sorted(path for path in inside.glob("*") if path.suffix in {*READERS, ".txt"}) if inside.is_dir() else []
    if not files:
        words = mark("%(folder)s has no .txt, .jsonl or .parquet files: put files with texts there.")
        raise DataMissing(filled(words, folder=inside))
    if sum(path.stat().st_size for path in files) > MOST_TEXT_BYTES:
        words = mark("The texts in %(folder)s are larger than %(most)s MB together: take some out.")
        raise DataUnreadable(filled(words, folder=inside, most=MOST_TEXT_BYTES // 1_000_000))
    rows: list[Row] = []
    for path in files:
        rows += _text_rows(path) if path.suffix == ".txt" else READERS[path.suffix](path)
    return _some(rows, inside)


def _text_rows(path: Path) -> list[Row]:
    return [{"text": document} for document in DOCUMENT_BORDER.split(_decoded(path)) if document.strip()]


def _decoded(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        words = mark("%(file)s is not text in UTF-8 (byte %(place)s): convert it.")
        raise DataUnreadable(filled(words, file=path.name, place=error.start)) from error


def _read(path: Path) -> list[Row]:
    return _some(READERS[path.suffix](path), path)


def _some(rows: list[Row], place: Path) -> list[Row]:
    """A run over nothing would have no score."""
    if not rows:
        raise DataUnreadable(filled(mark("%(place)s has no rows: put them there, or remove it."), place=place))
    return rows


def _json_lines(path: Path) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(_decoded(path).split("\n"), start=1):
        if line.strip():
            rows.append(_json_object(line, path, number))
    return rows


def _json_object(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        words = mark("Line %(number)s of %(file)s is no JSON object.")
        raise DataUnreadable(filled(words, number=number, file=path.name))
    return value


def _parquet(path: Path) -> list[Row]:
    try:
        rows: list[Row] = pa.parquet.read_table(path).to_pylist()
    except (OSError, pa.ArrowException) as error:
        words = mark("%(file)s cannot be read as Parquet: %(why)s")
        raise DataUnreadable(filled(words, file=path.name, why=str(error).strip().split("\n")[0])) from error
    return rows


READERS: Final[dict[str, Callable[[Path], list[Row]]]] = {".jsonl": _json_lines, ".parquet": _parquet}
