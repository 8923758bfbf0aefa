"""AlpacaEval: annotations as its authors' tool writes them, or tables of preferences with the lengths of both answers.

The length-controlled win rate takes the difficulty of the instructions from `alpaca_eval/` in BENCHMARK_DATA_DIR, and
the verdicts on the gamed baselines too, where these files are there; without the difficulty it is that of the minimal
formula, and says so. Published weights are used for the models that they name; a fit of our own is always beside them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np

from evaluation.benchmarks.rows import Row, shown
from evaluation.errors import BadRow, DataUnreadable
from evaluation.scoring.recorded.files import RecordedRow, table_rows
from evaluation.scoring.recorded.report import Report, Sources
from llms.sentences import filled, mark
from stats.errors import StatsError
from stats.length_control import (
    Controlled,
    GamedVerdicts,
    LengthControlError,
    Verdicts,
    Weights,
    controlled,
    is_preference,
    win_rate,
    with_weights,
)

FOLDER: Final = "alpaca_eval"
DIFFICULTY_FILES: Final = ("instruction_difficulty.csv", "*reconstructed_instruction_difficulty.csv")
DIFFICULTY_COLUMNS: Final = ("instruction_difficulty", "difficulty_refined")
GAMED_FILES: Final = ("df_gamed.csv",)
WEIGHT_FILES: Final = ("baseline_gpt4_1106_preview.csv", "published_lc_weights*.csv")
LENGTH_WEIGHT, DIFFICULTY_WEIGHT, CONSTANT = (
    "np.tanh(std_delta_len)", "instruction_difficulty", "not_gamed_baseline.astype(float)",
)  # fmt: skip
EVEN: Final = 50.0
Value = TypeVar("Value")


class Annotation(NamedTuple):
    model: str
    baseline: str
    place: int
    """Of the instruction, from 0 on."""
    preference: float
    """NaN where the judge gave none."""
    lengths: tuple[float, float] | None
    """The baseline's and the model's, in characters."""


class Imported(NamedTuple):
    """What of the authors' files is here."""

    difficulty: Mapping[int, float]
    difficulty_file: str
    gamed: GamedVerdicts | None
    weights: Mapping[str, Weights]


def score(rows: Sequence[RecordedRow], sources: Sources) -> Report:
    """Raises DataMissing, DataUnreadable."""
    imported = _imported(sources)
    by_model: dict[str, list[Annotation]] = {}
    samples = []
    for row in rows:
        try:
            if isinstance(row, str):
                raise BadRow(row)
            annotation = _annotation(row, by_model)
            by_model.setdefault(annotation.model, []).append(annotation)
            samples.append(_sample(annotation))
        except BadRow as error:
            samples.append({"error": error.user_message})
    models = {name: _of_model(own, imported) for name, own in by_model.items()}
    alone = next(iter(models.values())) if len(models) == 1 else {}
    return Report(metrics={**alone, "models": models}, samples=samples)


# --- rows


def _annotation(row: Row, by_model: Mapping[str, Sequence[Annotation]]) -> Annotation:
    """Without an index of its own an annotation has that of its place among its model's: so the authors look up how
    difficult an instruction is."""
    model = str(row.get("model") or row.get("generator_2") or "")
    if not model:
        raise BadRow(filled(mark("“%(field)s” is missing"), field="generator_2"))
    index = next((row[name] for name in ("instruction_index", "index") if row.get(name) not in (None, "")), None)
    return Annotation(
        model=model,
        baseline=str(row.get("generator_1") or ""),
        place=len(by_model.get(model, ())) if index is None else int(_number(index, "instruction_index")),
        preference=_preference(row.get("preference")),
        lengths=_lengths(row),
    )


def _preference(value: object) -> float:
    if value in (None, "") or str(value).lower() == "nan":
        return math.nan
    number = _number(value, "preference")
    if not is_preference(number):
        words = mark(
            "“preference” must lie between 1 (the baseline) and 2 (the model), or be 0 for a draw, not %(value)s"
        )
        raise BadRow(filled(words, value=shown(value)))
    return number


def _lengths(row: Row) -> tuple[float, float] | None:
    found = []
    for column, text in (("len_output_1_chars", "output_1"), ("len_output_2_chars", "output_2")):
        if row.get(column) not in (None, ""):
            found.append(_number(row[column], column))
        elif isinstance(row.get(text), str):
            found.append(float(len(row[text])))
    return (found[0], found[1]) if len(found) == 2 else None


def _number(value: object, field: str) -> float:
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if math.isfinite(number):
        return number
    raise BadRow(filled(mark("“%(field)s” must be a number, not %(value)s"), field=field, value=shown(value)))


def _sample(annotation: Annotation) -> dict[str, Any]:
    found = {"model": annotation.model, "index": annotation.place}
    if math.isnan(annotation.preference):
        return {**found, "preference": None, "error": filled(mark("the judge gave no preference"))}
    return {**found, "preference": annotation.preference}


# --- metrics


def _of_model(own: Sequence[Annotation], imported: Imported) -> dict[str, Any]:
    preferences = np.array([annotation.preference for annotation in own])
    lengths = [annotation.lengths[1] for annotation in own if annotation.lengths]
    try:
        found: dict[str, Any] = win_rate(preferences)._asdict()
    except StatsError as error:
        return {"n_total": 0, "n_without_preference": len(own), "remark": str(error)}
    found["n_without_preference"] = len(own) - found["n_total"]
    found["avg_length"] = sum(lengths) / len(lengths) if lengths else None
    return {**found, **_length_control(own, preferences, imported)}


def _length_control(own: Sequence[Annotation], preferences: Any, imported: Imported) -> dict[str, Any]:
    if own[0].model == own[0].baseline:
        return {"length_controlled_winrate": EVEN, "lc_standard_error": 0.0, "length_control": "the baseline itself"}
    lengths = [annotation.lengths for annotation in own if annotation.lengths]
    if len(lengths) < len(own):
        return {"length_controlled_winrate": None, "length_control": "the lengths of both answers are not in all rows"}
    difficulty = _difficulty(own, imported)
    both = np.array(lengths)
    verdicts = Verdicts(preference=preferences, baseline_length=both[:, 0], length=both[:, 1], difficulty=difficulty)
    try:
        fitted = controlled(verdicts, imported.gamed)
        minimal = controlled(replace(verdicts, difficulty=None))
    except LengthControlError as error:
        return {"length_controlled_winrate": None, "length_control": str(error)}
    weights = imported.weights.get(own[0].model)
    has_published = weights is not None and difficulty is not None
    used = with_weights(weights, difficulty) if weights is not None and difficulty is not None else fitted
    return {
        "length_controlled_winrate": used.win_rate,
        "lc_standard_error": used.standard_error,
        "length_control": _in_words(used, imported, has_published=has_published),
        "length_controlled_winrate_own_fit": fitted.win_rate,
        "length_controlled_winrate_minimal": minimal.win_rate,
        "own_fit_weights": fitted.weights._asdict(),
    }


def _difficulty(own: Sequence[Annotation], imported: Imported) -> Any:
    """None where it is not known of all rows."""
    if any(annotation.place not in imported.difficulty for annotation in own):
        return None
    return np.array([imported.difficulty[annotation.place] for annotation in own])


def _in_words(used: Controlled, imported: Imported, *, has_published: bool) -> dict[str, Any]:
    return {
        "formula": used.formula,
        "weights": "published" if has_published else "own fit",
        "difficulty": imported.difficulty_file if used.formula.name == "FULL" else "",
        "gamed_baselines": imported.gamed is not None and not has_published,
    }


# --- the authors' files


def _imported(sources: Sources) -> Imported:
    difficulty = _file(sources, "difficulty", DIFFICULTY_FILES)
    gamed, weights = _file(sources, "gamed", GAMED_FILES), _file(sources, "weights", WEIGHT_FILES)
    return Imported(
        difficulty=_read(difficulty, _difficulties) if difficulty else {},
        difficulty_file=difficulty.name if difficulty else "",
        gamed=_read(gamed, _gamed) if gamed else None,
        weights=_read(weights, _weights) if weights else {},
    )


def _file(sources: Sources, name: str, patterns: Sequence[str]) -> Path | None:
    if name in sources.files:
        return sources.files[name]
    inside = sources.folder / FOLDER if sources.folder else None
    found = (path for pattern in patterns for path in sorted(inside.glob(pattern))) if inside else iter(())
    return next(found, None)


def _read(path: Path, read: Callable[[Sequence[Mapping[str, str]]], Value]) -> Value:
    try:
        return read(table_rows(path))
    except (KeyError, ValueError, IndexError) as error:
        words = mark("%(file)s does not have the columns of AlpacaEval's own file (%(why)s): fetch it again.")
        raise DataUnreadable(filled(words, file=path.name, why=error)) from error


def _difficulties(rows: Sequence[Mapping[str, str]]) -> dict[int, float]:
    """By the place of the instruction, which is the first column."""
    place, *others = rows[0]
    column = next((name for name in DIFFICULTY_COLUMNS if name in others), others[0])
    return {int(row[place]): float(row[column]) for row in rows}


def _gamed(rows: Sequence[Mapping[str, str]]) -> GamedVerdicts:
    def column(name: str) -> Any:
        return np.array([float(row[name]) for row in rows])

    return GamedVerdicts(
        preference=column("preference"),
        length_difference=column("std_delta_len"),
        difficulty=column("instruction_difficulty"),
    )


def _weights(rows: Sequence[Mapping[str, str]]) -> dict[str, Weights]:
    """The authors' file has no name over the models."""
    names = next(iter(rows[0]))
    return {
        row[names]: Weights(float(row[LENGTH_WEIGHT]), float(row[DIFFICULTY_WEIGHT]), float(row[CONSTANT]))
        for row in rows
    }
