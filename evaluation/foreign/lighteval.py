"""Results of lighteval: `results_<date>.json`, and maybe `details_<task>_<date>.parquet` in a folder of their own.

It says neither how many samples it scored nor whether it used a chat template: the first is counted in the details, or
follows from the standard error; the second leaves its protocol its own.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet

from evaluation.benchmarks.base import Draw, Method, Options
from evaluation.benchmarks.mmlu import Mmlu
from evaluation.foreign.lm_eval import unknown_task
from evaluation.foreign.results import BadFile, ForeignRun, ForeignSample, Known, OpenFile, Part, Reading, Skipped
from evaluation.foreign.values import (
    LARGEST_COUNT,
    an_object,
    count,
    digest_of,
    digest_of_files,
    list_at,
    moment,
    name,
    number,
    number_or_none,
    object_at,
    text,
)
from evaluation.prompts import Template
from evaluation.scores import ChoiceScore, SampleScore
from llms.sentences import filled, mark

TOOL: Final = "lighteval"
DATE: Final = re.compile(r"results_(\d{4}-\d\d-\d\dT[\d.-]+)\.json$")
KNOWN: Final = {
    "arc:challenge": Known("arc_challenge"),
    "arc_challenge": Known("arc_challenge"),
    "hellaswag": Known("hellaswag"),
    "winogrande": Known("winogrande"),
    "piqa": Known("piqa"),
} | {f"mmlu:{subject}": Known("mmlu", subject) for subject in Mmlu.subjects.group_of}
METRICS: Final = {"em": "acc", "extractive_match": "acc", "exact_match": "acc", "acc": "acc", "acc_norm": "acc_norm"}
"""Theirs to ours, the weightier last: a letter that is written as it should be is a right answer."""
ASKING: Final = (
    "prompt_function",
    "hf_repo",
    "hf_subset",
    "hf_revision",
    "evaluation_splits",
    "few_shots_split",
    "few_shots_select",
    "generation_size",
    "stop_sequence",
    "version",
)
ASKING_OF_MODEL: Final = (
    "system_prompt",
    "override_chat_template",
    "pairwise_tokenization",
    "multichoice_continuations_start_space",
)
MOST_BYTES: Final = 4_000_000_000
ALL: Final = "all"


def is_one(document: Mapping[str, Any]) -> bool:
    return all(isinstance(document.get(key), dict) for key in ("results", "config_general", "config_tasks"))


def read(document: Mapping[str, Any], file: str, data: bytes, open_file: OpenFile) -> Reading:
    """Raises BadFile."""
    known: dict[tuple[str, int], list[str]] = {}
    skipped = []
    for key in object_at(document, "results"):
        task, n_shots = _parted(key)
        if task in KNOWN:
            known.setdefault((KNOWN[task].benchmark, n_shots), []).append(key)
        elif task != ALL and not task.endswith(":_average"):
            skipped.append(Skipped(file, key[:80], unknown_task()))
    source = _Source(file, data, open_file)
    return Reading(tuple(_run(document, sorted(keys), source) for keys in known.values()), tuple(skipped))


def _parted(key: str) -> tuple[str, int]:
    """`leaderboard|arc:challenge|25`, with or without what stands before."""
    parts = key.split("|")
    n_shots = next((int(part) for part in parts[1:] if part.isascii() and part.isdecimal() and len(part) < 5), 0)
    names = [part for part in parts if not part.isdecimal()]
    return (names[-1] if names else key), n_shots


class _Source:
    def __init__(self, file: str, data: bytes, open_file: OpenFile) -> None:
        self.file, self.data = file, data
        self._open_file = open_file
        found = DATE.search(file)
        self.date = found.group(1) if found else ""

    def details(self, key: str) -> bytes | None:
        return self._open_file(f"details_{key}_{self.date}.parquet") if self.date else None


def _run(document: Mapping[str, Any], keys: Sequence[str], source: _Source) -> ForeignRun:
    general = object_at(document, "config_general")
    model_config = object_at(general, "model_config")
    task, n_shots = _parted(keys[0])
    known = KNOWN[task]
    details = [source.details(key) for key in keys]
    parts = tuple(_part(document, key, found) for key, found in zip(keys, details, strict=True))
    config = object_at(object_at(document, "config_tasks"), keys[0])
    settings = [_asked(document, key) for key in keys]
    revision = text(model_config.get("revision"))[:80]
    contents = (source.data, *(found for found in details if found is not None))
    return ForeignRun(
        tool=TOOL,
        tool_version="",
        file=source.file,
        digest=digest_of_files(*contents, name=keys[0]),
        task=task if not known.subject else known.benchmark,
        task_version=text(config.get("version"))[:40],
        settings=digest_of([settings, [text(model_config.get(key)) for key in ASKING_OF_MODEL]]),
        llm=name(general.get("model_name"), "model_name"),
        revision="" if revision == "main" else revision,
        benchmark=known.benchmark,
        method=_method(config),
        options=Options(n_shots=n_shots, draw=Draw.FIXED, template=_template(model_config)),
        parts=parts,
        finished_at=moment(re.sub(r"T(\d\d)-(\d\d)-(\d\d)", r"T\1:\2:\3", source.date)),
        environment={"engine": TOOL, "dtype": text(model_config.get("dtype"))[:40], "versions": {}},
    )


def _method(config: Mapping[str, Any]) -> Method:
    metrics = [an_object(metric, "metrics") for metric in list_at(config, "metrics")]
    writes = any(metric.get("category") == "GENERATIVE" for metric in metrics)
    return Method.GENERATION if writes else Method.LOGLIKELIHOOD


def _template(model_config: Mapping[str, Any]) -> Template:
    return Template.CHAT if model_config.get("override_chat_template") is True else Template.OFF


def _asked(document: Mapping[str, Any], key: str) -> dict[str, str]:
    config = object_at(object_at(document, "config_tasks"), key)
    return {field: text(config.get(field)) for field in ASKING}


def _part(document: Mapping[str, Any], key: str, details: bytes | None) -> Part:
    result = an_object(object_at(document, "results")[key], key)
    subject = KNOWN[_parted(key)[0]].subject
    metrics: dict[str, float] = {}
    errors: dict[str, float] = {}
    for theirs, ours in METRICS.items():
        if theirs in result:
            metrics[ours] = number(result[theirs], f"{key}: {theirs}")
            error = number_or_none(result.get(f"{theirs}_stderr"))
            errors |= {} if error is None else {ours: error}
    if not metrics:
        words = mark("“%(task)s” has none of the metrics %(known)s: take it out of the file.")
        raise BadFile(filled(words, task=key[:80], known=", ".join(METRICS)))
    samples = _samples(details, subject) if details is not None else ()
    config = object_at(object_at(document, "config_tasks"), key)
    return Part(
        subject=subject,
        metrics=metrics,
        standard_errors=errors,
        n_samples=len(samples) or _n_samples(key, config, metrics, errors),
        n_published=None,
        samples=samples,
    )


def _n_samples(key: str, config: Mapping[str, Any], metrics: Mapping[str, float], errors: Mapping[str, float]) -> int:
    """The standard error is √(p(1-p)/(n-1)): it gives n where some answers are right and some wrong."""
    said = number_or_none(config.get("effective_num_docs"))
    if said is not None and said > 0:
        return count(said, f"{key}: effective_num_docs")
    for metric, error in errors.items():
        spread = metrics[metric] * (1 - metrics[metric])
        n_samples = round(spread / error**2 + 1) if error > 1e-6 and spread > 0 else 0
        if 1 < n_samples < LARGEST_COUNT and math.isclose(math.sqrt(spread / (n_samples - 1)), error, rel_tol=1e-6):
            return n_samples
    words = mark("“%(task)s” does not say how many samples it has: import the folder of its details with it.")
    raise BadFile(filled(words, task=key[:80]))


def _samples(details: bytes, subject: str) -> tuple[ForeignSample, ...]:
    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(details))
        groups = [file.metadata.row_group(place) for place in range(file.metadata.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > MOST_BYTES or file.metadata.num_rows > LARGEST_COUNT:
            raise BadFile(filled(mark("Its details are too large: import them in parts.")))
        rows = [row for batch in file.iter_batches(batch_size=1000) for row in batch.to_pylist()]
    except (OSError, ValueError, pa.ArrowException) as error:
        words = mark("Its details cannot be read as Parquet (%(why)s): copy them again.")
        raise BadFile(filled(words, why=str(error).strip().split("\n")[0][:200])) from None
    return tuple(_sample(row, subject, place) for place, row in enumerate(rows))


def _sample(row: Mapping[str, Any], subject: str, place: int) -> ForeignSample:
    doc, response, metric = object_at(row, "doc"), object_at(row, "model_response"), object_at(row, "metric")
    choices = [text(choice) for choice in list_at(doc, "choices")]
    scores = [number_or_none(value) for value in list_at(response, "logprobs")]
    greedy = list_at(response, "argmax_logits_eq_gold")
    gold = doc.get("gold_index")
    values = {
        ours: number(metric[theirs], theirs) for theirs, ours in METRICS.items() if metric.get(theirs) is not None
    }
    has_scores = bool(choices) and len(scores) == len(choices) and len(greedy) == len(choices)
    named = text(doc.get("id"))[:100] or str(place)
    score = SampleScore(
        sample_id=f"{subject}/{named}" if subject else named,
        subject=subject,
        question=text(doc.get("query"))[-2000:],
        prompts=(text(doc.get("query")),),
        target=gold if isinstance(gold, int) and 0 <= gold < len(choices) else (text(gold),),
        choices=tuple(
            ChoiceScore(
                text=choice, log_probability=math.nan if found is None else found, is_greedy=bool(flag), n_tokens=0
            )
            for choice, found, flag in zip(choices, scores, greedy, strict=True)
        )
        if has_scores
        else (),
        answer="\n".join(text(answer) for answer in list_at(response, "text")),
        values=values,
        error="" if values else filled(mark("lighteval gave it no verdict.")),
    )
    return ForeignSample(score=score, row=None)
