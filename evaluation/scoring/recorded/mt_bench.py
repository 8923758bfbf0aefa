"""MT-Bench: what a judge wrote about single answers (`judgment`) or about pairs in both orders (`g1_judgment` and
`g2_judgment`). Verdicts are read from these words; a score or a winner that the row names is not looked at.

Means are per model, as FastChat's `show_result` takes them: over all rows, without those that have no verdict. The two
turns of a question stand together, so the standard error is that of a ratio of sums over questions.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from evaluation.benchmarks.rows import Row, shown
from evaluation.errors import BadRow
from evaluation.scoring.judge_verdicts import (
    Grade,
    Winner,
    grade,
    of_both_orders,
    preference,
    published_category,
)
from evaluation.scoring.recorded.files import RecordedRow
from evaluation.scoring.recorded.report import Report, Sources
from llms.sentences import filled, mark
from stats.ratios import ratio_of_sums

NO_GRADE: Final = mark("the judge gave no grade")
NO_VERDICT: Final = mark("the judge gave no verdict in one of the two orders")


class Graded(NamedTuple):
    model: str
    question: int
    turn: int | None
    category: str | None
    grade: Grade


class Compared(NamedTuple):
    first: str
    second: str
    winner: Winner


def score(rows: Sequence[RecordedRow], sources: Sources) -> Report:
    graded: list[Graded] = []
    compared: list[Compared] = []
    samples = []
    for row in rows:
        try:
            if isinstance(row, str):
                raise BadRow(row)
            if "judgment" in row:
                one = _graded(row)
                graded.append(one)
                samples.append(_single_sample(one))
            else:
                pair, sample = _compared(row)
                compared.append(pair)
                samples.append(sample)
        except BadRow as error:
            samples.append({"error": error.user_message})
    singles = {name: _of_model([one for one in graded if one.model == name]) for name in _names(graded)}
    pairs = {name: _of_pairs(name, compared) for name in sorted({name for pair in compared for name in pair[:2]})}
    models = {name: {**singles.get(name, {}), **pairs.get(name, {})} for name in sorted(singles.keys() | pairs)}
    alone = next(iter(models.values())) if len(models) == 1 else {}
    return Report(metrics={**alone, "models": models}, samples=samples)


# --- single answers


def _graded(row: Row) -> Graded:
    question, turn = _whole(row, "question_id"), row.get("turn")
    category = row.get("category") or published_category(question)
    return Graded(
        model=str(row.get("model") or ""),
        question=question,
        turn=None if turn is None else _whole(row, "turn"),
        category=None if category is None else str(category),
        grade=grade(_judgement(row, "judgment")),
    )


def _single_sample(one: Graded) -> dict[str, Any]:
    found: dict[str, Any] = {
        "question_id": one.question,
        "model": one.model,
        "turn": one.turn,
        "score": one.grade.value,
    }
    if one.grade.value is None:
        return {**found, "score": -1, "error": filled(NO_GRADE)}
    return {**found, "is_ambiguous": one.grade.is_ambiguous, "is_outside_scale": one.grade.is_outside}


def _names(graded: Sequence[Graded]) -> list[str]:
    return sorted({one.model for one in graded})


def _of_model(graded: Sequence[Graded]) -> dict[str, Any]:
    turns = sorted({one.turn for one in graded if one.turn is not None})
    categories = list(dict.fromkeys(one.category for one in graded if one.category is not None))
    return {
        **_mean("score", graded),
        **{
            name: value
            for turn in turns
            for name, value in _mean(f"turn_{turn}", [one for one in graded if one.turn == turn]).items()
        },
        "categories": {name: _mean("score", [one for one in graded if one.category == name]) for name in categories},
        "n_judgements": len(graded),
        "n_without_grade": sum(one.grade.value is None for one in graded),
        "n_ambiguous": sum(one.grade.is_ambiguous for one in graded),
        "n_outside_scale": sum(one.grade.is_outside for one in graded),
        "n_repeated": len(graded) - len({(one.question, one.turn) for one in graded}),
    }


def _mean(name: str, graded: Sequence[Graded]) -> dict[str, float | None]:
    sums: dict[int, tuple[float, int]] = {}
    for one in graded:
        if one.grade.value is not None:
            total, n = sums.get(one.question, (0.0, 0))
            sums[one.question] = total + one.grade.value, n + 1
    if not sums:
        return {name: None, f"{name}_stderr": None}
    ratio = ratio_of_sums([total for total, _ in sums.values()], [n for _, n in sums.values()])
    return {name: ratio.value, f"{name}_stderr": ratio.standard_error}


# --- pairs


def _compared(row: Row) -> tuple[Compared, dict[str, Any]]:
    one = preference(_judgement(row, "g1_judgment"))
    other = preference(_judgement(row, "g2_judgment"), is_swapped=True)
    winner = of_both_orders(one.winner, other.winner)
    pair = Compared(str(row.get("model_1") or Winner.FIRST), str(row.get("model_2") or Winner.SECOND), winner)
    sample: dict[str, Any] = {
        "question_id": row.get("question_id"),
        "turn": row.get("turn"),
        "model_1": pair.first,
        "model_2": pair.second,
        "g1_winner": one.winner,
        "g2_winner": other.winner,
        "winner": winner,
        "is_ambiguous": one.is_ambiguous or other.is_ambiguous,
    }
    return pair, {**sample, "error": filled(NO_VERDICT)} if winner is Winner.NONE else sample


def _of_pairs(name: str, compared: Sequence[Compared]) -> dict[str, Any]:
    """A pair without a verdict in one order counts in no rate."""
    own = [pair for pair in compared if name in pair[:2]]
    decided = [pair for pair in own if pair.winner is not Winner.NONE]
    wins = [_has_won(pair, name) for pair in decided]
    n_wins, n_ties, n = wins.count(1.0), wins.count(0.5), len(wins)
    counts = {"n_wins": n_wins, "n_losses": n - n_wins - n_ties, "n_ties": n_ties, "n_without_verdict": len(own) - n}
    if not decided:
        return {"win_rate": None, "win_rate_adjusted": None, "win_rate_adjusted_stderr": None, **counts}
    ratio = ratio_of_sums(wins, [1] * n)
    rates = {"win_rate": n_wins / n, "win_rate_adjusted": ratio.value, "win_rate_adjusted_stderr": ratio.standard_error}
    return {**rates, **counts}


def _has_won(pair: Compared, name: str) -> float:
    """A model that met itself has won half."""
    if pair.winner is Winner.TIE or pair.first == pair.second:
        return 0.5
    return float((pair.first if pair.winner is Winner.FIRST else pair.second) == name)


# --- fields


def _judgement(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str):
        raise BadRow(filled(mark("“%(field)s” must be a text, not %(value)s"), field=field, value=shown(value)))
    return value


def _whole(row: Row, field: str) -> int:
    value = row.get(field)
    written = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not written.isdecimal():
        words = mark("“%(field)s” must be a whole number from %(least)s on, not %(value)s")
        raise BadRow(filled(words, field=field, least=0, value=shown(value)))
    return int(written)
