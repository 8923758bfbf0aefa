"""Scores of samples to rows of the database, and back."""

import hashlib
import json
import math
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from evaluation.benchmarks.base import Benchmark, Method
from evaluation.models import DIGEST_LENGTH, PromptText, SampleResult
from evaluation.scores import ChoiceScore, SampleScore
from llms.sentences import Sentence, filled
from llms.storable import storable

QUESTION_CHARACTERS: Final = 2000
"""Of a question so many are listed and searched."""
SCORE_FIELDS = ("sample_id", "subject", "values", "was_truncated", "error")
"""What metrics are made of."""


def prompt_row(prompts: Sequence[str]) -> PromptText:
    written = json.dumps([storable(prompt) for prompt in prompts]).encode()
    digest = hashlib.sha256(written).hexdigest()[:DIGEST_LENGTH]
    return PromptText(digest=digest, compressed=zlib.compress(written))


def sample_row(score: SampleScore, benchmark: Benchmark, *, prompt: PromptText) -> SampleResult:
    """Without its run and index."""
    return SampleResult(
        sample_id=storable(score.sample_id),
        subject=storable(score.subject),
        question=storable(score.question[:QUESTION_CHARACTERS]),
        prompt=prompt,
        choices=[_choice(choice) for choice in score.choices],
        answer=storable(score.answer),
        target=score.target if isinstance(score.target, int) else [storable(text) for text in score.target],
        predictions=dict(score.predictions),
        values={name: storable_number(value) for name, value in score.values.items()},
        is_right=_is_right(score, benchmark),
        was_truncated=score.was_truncated,
        error=_sentence(score.error),
    )


def scores_of(rows: Iterable[dict[str, Any]]) -> list[SampleScore]:
    """What metrics need of rows, read with `values(*SCORE_FIELDS)`: without prompts, choices and answers."""
    return [
        SampleScore(
            sample_id=row["sample_id"],
            subject=row["subject"],
            prompts=(),
            target=(),
            values={name: number(value) for name, value in row["values"].items()},
            was_truncated=row["was_truncated"],
            error=row["error"],
        )
        for row in rows
    ]


def choices_of(row: SampleResult) -> tuple[ChoiceScore, ...]:
    return tuple(
        ChoiceScore(
            text=choice["text"],
            log_probability=number(choice["log_probability"]),
            is_greedy=choice["is_greedy"],
            n_tokens=choice["n_tokens"],
        )
        for choice in row.choices
    )


def storable_number(value: float) -> float | str:
    """JSON has no infinity, and PostgreSQL insists on that."""
    return value if math.isfinite(value) else str(value)


def storable_number_or_none(value: float | None) -> float | str | None:
    return None if value is None else storable_number(value)


def number(value: float | str) -> float:
    return float(value)


def _choice(choice: ChoiceScore) -> dict[str, Any]:
    return {
        "text": storable(choice.text),
        "log_probability": storable_number(choice.log_probability),
        "is_greedy": choice.is_greedy,
        "n_tokens": choice.n_tokens,
    }


def _is_right(score: SampleScore, benchmark: Benchmark) -> bool | None:
    if benchmark.method is Method.TOKEN_STATISTICS or benchmark.headline not in score.values:
        return None
    return bool(score.values[benchmark.headline])


def _sentence(error: str) -> str:
    """So that a page can say it in its reader's language."""
    return error if isinstance(error, Sentence) or not error or "%" in error else filled(error)
