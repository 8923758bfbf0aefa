"""The health of a private set, as a page shows it: in words, with the lines of the file behind them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final, NamedTuple

from evaluation.benchmarks.private import LETTERS
from evaluation.benchmarks.registry import BENCHMARKS, benchmark
from evaluation.health_records import from_json
from evaluation.models import PrivateItem, PrivateVersion
from evaluation.near_duplicates import NearDuplicate
from evaluation.set_health import ALPHA, Excess, SetHealth
from llms.translations import translated

MOST_ROWS: Final = 50
"""Of each table; how many there are is said above it."""
EXCERPT: Final = 140
WORRYING: Final = -0.2
"""Discrimination below it is more than the noise of a few models."""


class Line(NamedTuple):
    number: int
    excerpt: str


class Position(NamedTuple):
    letter: str
    found: Excess
    is_conspicuous: bool


class Pair(NamedTuple):
    one: Line
    other: Line
    percent: float
    contradicts: bool


class InPublic(NamedTuple):
    line: Line
    title: str
    name: str
    percent: float


class WrongKey(NamedTuple):
    line: Line
    key: str
    suggested: str
    suggested_text: str
    percent: float
    n_agreeing: int


class Weak(NamedTuple):
    line: Line
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPage:
    health: SetHealth
    findings: tuple[str, ...]
    positions: tuple[Position, ...]
    pairs: tuple[Pair, ...]
    in_public: tuple[InPublic, ...]
    wrong_keys: tuple[WrongKey, ...]
    weak: tuple[Weak, ...]
    n_weak: int
    n_models: int
    compared_with: tuple[str, ...]
    not_here: tuple[str, ...]
    smallest_points: float | None


def failure_of(version: PrivateVersion) -> str:
    return str((version.health or {}).get("failure", ""))


def health_page(version: PrivateVersion) -> HealthPage | None:
    """None as long as there is nothing to show."""
    stored = version.health
    if not stored or "failure" in stored:
        return None
    health = from_json(stored)
    weak = _weakest(health)
    lines = _Lines(version, health, [place for place, _ in weak])
    titles = {name: benchmark(name).card.title for name in BENCHMARKS}
    compared = set(stored["compared_with"])
    return HealthPage(
        health=health,
        findings=tuple(translated(finding) for finding in health.findings),
        positions=_positions(health),
        pairs=tuple(lines.pair(pair, set(health.contradictions)) for pair in _worst(health)),
        in_public=tuple(
            InPublic(lines.line(pair.one), titles.get(name, name), name, 100 * pair.likeness)
            for name, pair in health.in_public_sets[:MOST_ROWS]
        ),
        wrong_keys=tuple(lines.wrong_key(place) for place in range(min(MOST_ROWS, len(health.wrong_keys)))),
        weak=tuple(Weak(lines.line(place), value) for place, value in weak[:MOST_ROWS]),
        n_weak=len(weak),
        n_models=stored["n_models"],
        compared_with=tuple(title for name, title in titles.items() if name in compared),
        not_here=tuple(title for name, title in titles.items() if name not in compared and benchmark(name).hub),
        smallest_points=None if health.smallest_difference is None else 100 * health.smallest_difference,
    )


class _Lines:
    """The items that a page names, read at once."""

    def __init__(self, version: PrivateVersion, health: SetHealth, weak: Sequence[int]) -> None:
        self._health = health
        places = {place for pair in _worst(health) for place in (pair.one, pair.other)}
        places |= {pair.one for _, pair in health.in_public_sets[:MOST_ROWS]}
        places |= {key.item for key in health.wrong_keys[:MOST_ROWS]} | set(weak[:MOST_ROWS])
        self._items = {item.place: item for item in PrivateItem.objects.filter(version=version, place__in=places)}

    def line(self, place: int) -> Line:
        item = self._items[place]
        question = item.row["question"]
        return Line(item.line, question if len(question) <= EXCERPT else f"{question[: EXCERPT - 1]}…")

    def pair(self, pair: NearDuplicate, contradictions: Collection[NearDuplicate]) -> Pair:
        return Pair(self.line(pair.one), self.line(pair.other), 100 * pair.likeness, pair in contradictions)

    def wrong_key(self, rank: int) -> WrongKey:
        key = self._health.wrong_keys[rank]
        row = self._items[key.item].row
        suggested = row["choices"][key.suggested]
        letter = LETTERS[key.suggested]
        return WrongKey(self.line(key.item), row["answer"], letter, suggested, 100 * key.probability, key.n_agreeing)


def _positions(health: SetHealth) -> tuple[Position, ...]:
    return tuple(
        Position(letter, found, found.p_value < ALPHA) for letter, found in zip(LETTERS, health.positions, strict=False)
    )


def _worst(health: SetHealth) -> list[NearDuplicate]:
    """Those that contradict each other come first, then the most alike."""
    contradictions = set(health.contradictions)
    in_order = sorted(health.duplicates, key=lambda pair: (pair not in contradictions, -pair.likeness, pair.one))
    return in_order[:MOST_ROWS]


def _weakest(health: SetHealth) -> list[tuple[int, float]]:
    known = [(place, value) for place, value in enumerate(health.discrimination) if not isnan(value)]
    return sorted((one for one in known if one[1] < WORRYING), key=lambda one: one[1])
