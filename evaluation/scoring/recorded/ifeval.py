"""IFEval: responses to the published prompts, found by their key or by the words of the prompt.

A row that cannot be scored stays in its place with its error, and counts in no metric; an empty response is scored, and
follows nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from evaluation.benchmarks.rows import Row, shown
from evaluation.errors import BadRow, DataMissing, DataUnreadable
from evaluation.scoring.instructions import metrics
from evaluation.scoring.instructions.checking import Following, followed
from evaluation.scoring.instructions.rows import Prompt, prompt_of
from evaluation.scoring.recorded.files import RecordedRow, recorded_rows
from evaluation.scoring.recorded.report import Report, Sources
from llms.sentences import filled, mark
from stats.ratios import Ratio

PROMPT_FILES: Final = ("input_data.jsonl", "train.jsonl")
FOLDER: Final = "ifeval"


class Prompts:
    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self._by_key = {prompt.key: prompt for prompt in prompts}
        self._by_text = {prompt.text: prompt for prompt in prompts}

    def __len__(self) -> int:
        return len(self._by_key)

    def of(self, row: Row) -> Prompt:
        """By key, where there is one: the words of a prompt are corrected now and then. Raises BadRow."""
        key, words = row.get("key"), row.get("prompt")
        by_text = self._by_text.get(words) if isinstance(words, str) else None
        if key is None:
            if by_text is None:
                sentence = mark("no published prompt has these words, and there is no key: %(prompt)s")
                raise BadRow(filled(sentence, prompt=shown(words)))
            return by_text
        by_key = self._by_key.get(str(key))
        if by_key is None:
            raise BadRow(filled(mark("no published prompt has the key %(key)s"), key=shown(key)))
        if by_text not in (None, by_key):
            raise BadRow(filled(mark("the key %(key)s and the prompt belong to different rows"), key=shown(key)))
        return by_key


def score(rows: Sequence[RecordedRow], sources: Sources) -> Report:
    """Raises DataMissing, DataUnreadable."""
    prompts = published_prompts(sources.folder)
    scored: list[tuple[Prompt, Following]] = []
    samples = []
    for row in rows:
        try:
            prompt, found = _scored(row, prompts)
            scored.append((prompt, found))
            samples.append(_sample(prompt, found))
        except BadRow as error:
            key = None if isinstance(row, str) else row.get("key")
            samples.append({"key": key, "error": error.user_message})
    return Report(metrics=_metrics(scored, n_rows=len(rows), n_published=len(prompts)), samples=samples)


def published_prompts(folder: Path | None) -> Prompts:
    """Raises DataMissing, DataUnreadable."""
    candidates = [] if folder is None else [folder / FOLDER / name for name in PROMPT_FILES]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        words = mark(
            "IFEval's prompts are not here: set BENCHMARK_DATA_DIR to a folder that has ifeval/%(name)s, as its authors"
            " publish it."
        )
        raise DataMissing(filled(words, name=PROMPT_FILES[0]))
    found = []
    for number, row in enumerate(recorded_rows(path), start=1):
        try:
            found.append(prompt_of(_fields(row)))
        except BadRow as error:
            words = mark("Row %(row)s of %(file)s cannot be used: %(why)s. Fetch the file again.")
            raise DataUnreadable(filled(words, row=number, file=path.name, why=error.user_message)) from error
    return Prompts(found)


def response_of(row: Row) -> str:
    """Raises BadRow."""
    response = row.get("response")
    if not isinstance(response, str):
        raise BadRow(filled(mark("“%(field)s” must be a text, not %(value)s"), field="response", value=shown(response)))
    return response


def _fields(row: RecordedRow) -> Row:
    if isinstance(row, str):
        raise BadRow(row)
    return row


def _scored(row: RecordedRow, prompts: Prompts) -> tuple[Prompt, Following]:
    fields = _fields(row)
    prompt = prompts.of(fields)
    return prompt, followed(prompt.instructions, response_of(fields))


def _sample(prompt: Prompt, found: Following) -> dict[str, Any]:
    return {
        "key": int(prompt.key) if prompt.key.isdecimal() else prompt.key,
        "strict": [verdict.is_followed for verdict in found.strict],
        "loose": [verdict.is_followed for verdict in found.loose],
        "instructions": [
            {"id": instruction.kind, "strict_reason": strict.reason, "loose_reason": loose.reason}
            for instruction, strict, loose in zip(prompt.instructions, found.strict, found.loose, strict=True)
        ],
    }


def _metrics(scored: Sequence[tuple[Prompt, Following]], *, n_rows: int, n_published: int) -> dict[str, Any]:
    keys = [prompt.key for prompt, _ in scored]
    counts = {
        "n_scored": len(scored),
        "n_errors": n_rows - len(scored),
        "n_prompts_without_response": n_published - len(set(keys)),
        "n_repeated": len(keys) - len(set(keys)),
    }
    if not scored:
        return counts
    strict = [[verdict.is_followed for verdict in found.strict] for _, found in scored]
    loose = [[verdict.is_followed for verdict in found.loose] for _, found in scored]
    found: dict[str, Any] = {}
    for name, share in metrics.table(strict, loose).items():
        found |= {name: share.value, f"{name}_stderr": share.standard_error}
    kinds = [[instruction.kind for instruction in prompt.instructions] for prompt, _ in scored]
    by_kind = {"strict": _by_kind(metrics.by_kind(kinds, strict)), "loose": _by_kind(metrics.by_kind(kinds, loose))}
    return {**found, **counts, "by_kind": by_kind}


def _by_kind(shares: Mapping[str, Ratio]) -> dict[str, Any]:
    return {
        name: {"value": share.value, "stderr": share.standard_error, "n": share.n} for name, share in shares.items()
    }
