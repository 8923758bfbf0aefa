"""Results of lm-evaluation-harness 0.4: `results_<date>.json`, and maybe `samples_<task>_<date>.jsonl` beside it."""

import math
import re
from collections.abc import Mapping, Sequence
from posixpath import dirname
from typing import Any, Final

from evaluation.benchmarks.base import Draw, Method, Options
from evaluation.benchmarks.mmlu import Mmlu
from evaluation.foreign.results import BadFile, ForeignRun, ForeignSample, Known, OpenFile, Part, Reading, Skipped
from evaluation.foreign.values import (
    an_object,
    count,
    digest_of,
    digest_of_files,
    lines,
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
from llms.sentences import Sentence, filled, mark

TOOL: Final = "lm-evaluation-harness"
DATE: Final = re.compile(r"_(\d{4}-\d\d-\d\dT[\d.-]+)\.json$")
ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")
KNOWN: Final = {
    "hellaswag": Known("hellaswag"),
    "arc_challenge": Known("arc_challenge"),
    "winogrande": Known("winogrande", variant="partial"),
    "piqa": Known("piqa"),
    "wikitext": Known("perplexity"),
} | {f"mmlu_{subject}": Known("mmlu", subject) for subject in Mmlu.subjects.group_of}
METRICS: Final = ("acc", "acc_norm", "acc_bytes", "bits_per_byte", "byte_perplexity", "word_perplexity")
ASKING: Final = (
    "dataset_path",
    "dataset_name",
    "test_split",
    "validation_split",
    "fewshot_split",
    "process_docs",
    "doc_to_text",
    "doc_to_target",
    "doc_to_choice",
    "description",
    "target_delimiter",
    "fewshot_delimiter",
    "output_type",
    "use_prompt",
    "gen_prefix",
)
"""What of a task's settings decides how it asks."""


def is_one(document: Mapping[str, Any]) -> bool:
    return all(isinstance(document.get(key), dict) for key in ("results", "configs", "versions", "n-shot"))


def read(document: Mapping[str, Any], file: str, data: bytes, open_file: OpenFile) -> Reading:
    """Raises BadFile."""
    results, groups = object_at(document, "results"), _groups(document)
    known: dict[str, list[str]] = {}
    skipped = []
    for task in results:
        if task in KNOWN:
            known.setdefault(KNOWN[task].benchmark, []).append(task)
        elif task not in groups:
            skipped.append(Skipped(file, task[:80], unknown_task()))
    runs = [_run(document, sorted(tasks), _Source(file, data, open_file)) for tasks in known.values()]
    return Reading(tuple(runs), tuple(skipped))


def unknown_task() -> Sentence:
    return filled(mark("No benchmark here is this task: add one, or leave it."))


class _Source:
    """A file of results, and the files of samples that belong to it."""

    def __init__(self, file: str, data: bytes, open_file: OpenFile) -> None:
        self.file = file
        self.contents = [data]
        self._open_file = open_file
        found = DATE.search(file)
        self._date = found.group(1) if found else ""

    def samples(self, task: str) -> list[Mapping[str, Any]]:
        file = f"samples_{task}_{self._date}.jsonl"
        path = f"{dirname(self.file)}/{file}" if dirname(self.file) else file
        data = self._open_file(path) if self._date else None
        if data is None:
            return []
        self.contents.append(data)
        try:
            return lines(data)
        except BadFile as error:
            raise BadFile(filled(mark("%(file)s: %(why)s"), file=file, why=error.user_message)) from None


def _groups(document: Mapping[str, Any]) -> set[str]:
    """Means over tasks, which are made anew here."""
    members = object_at(document, "group_subtasks")
    return {group for group, tasks in members.items() if tasks} | set(object_at(document, "groups"))


def _run(document: Mapping[str, Any], tasks: Sequence[str], source: _Source) -> ForeignRun:
    """Of one benchmark: of one task, or of all subjects that are there."""
    known, config = KNOWN[tasks[0]], object_at(document, "config")
    parts = tuple(_part(document, task, source) for task in tasks)
    settings = {task: _asked(document, task) for task in tasks}
    versions = {text(object_at(document, "versions").get(task)) for task in tasks}
    is_text = known.benchmark == "perplexity"
    return ForeignRun(
        tool=TOOL,
        tool_version=text(document.get("lm_eval_version"))[:40],
        file=source.file,
        digest=digest_of_files(*source.contents, name=known.benchmark),
        task=tasks[0] if len(tasks) == 1 and not known.subject else known.benchmark,
        task_version=", ".join(sorted(versions))[:40],
        settings=digest_of(settings),
        llm=name(document.get("model_name"), "model_name"),
        revision=_revision(config),
        benchmark=known.benchmark,
        method=Method.TOKEN_STATISTICS if is_text else Method.LOGLIKELIHOOD,
        options=_options(document, tasks, known),
        parts=parts,
        finished_at=moment(document.get("date")),
        environment=_environment(document, config),
    )


def _part(document: Mapping[str, Any], task: str, source: _Source) -> Part:
    result = an_object(object_at(document, "results")[task], task)
    sizes = object_at(object_at(document, "n-samples"), task)
    samples = source.samples(task)
    n_samples = sizes.get("effective", result.get("sample_len", len(samples) or None))
    metrics: dict[str, float] = {}
    errors: dict[str, float] = {}
    for metric in METRICS:
        if f"{metric},none" in result:
            metrics[metric] = number(result[f"{metric},none"], f"{task}: {metric}")
            error = number_or_none(result.get(f"{metric}_stderr,none"))
            errors |= {} if error is None else {metric: error}
    if not metrics:
        words = mark("“%(task)s” has none of the metrics %(known)s: take it out of the file.")
        raise BadFile(filled(words, task=task, known=", ".join(METRICS)))
    known = KNOWN[task]
    return Part(
        subject=known.subject,
        metrics=metrics,
        standard_errors=errors,
        n_samples=count(n_samples, f"{task}: n-samples", at_least=1),
        n_published=count(sizes["original"], f"{task}: n-samples") if "original" in sizes else None,
        samples=tuple(
            _sample(row, known) for row in sorted(samples, key=lambda row: count(row.get("doc_id"), "doc_id"))
        ),
    )


def _sample(row: Mapping[str, Any], known: Known) -> ForeignSample:
    asked = [an_object(asked, "arguments") for asked in object_at(row, "arguments").values()]
    same: dict[str, str] = {}  # a long context that stands there four times is kept once
    contexts = [same.setdefault(context, context) for context in (text(one.get("arg_0")) for one in asked)]
    requests = tuple((context, text(one.get("arg_1"))) for context, one in zip(contexts, asked, strict=True))
    answers = list_at(row, "filtered_resps")
    is_choice = len(answers) == len(requests) and all(
        isinstance(answer, list) and len(answer) == 2 for answer in answers
    )
    choices = tuple(_choice(*pair) for pair in zip(requests, answers, strict=True)) if is_choice else ()
    values = {metric: number(row[metric], metric) for metric in METRICS if isinstance(row.get(metric), int | float)}
    place = count(row.get("doc_id"), "doc_id")
    score = SampleScore(
        sample_id=f"{known.subject}/{place}" if known.subject else str(place),
        subject=known.subject,
        question=requests[0][0][-2000:] if requests else "",
        prompts=tuple(dict.fromkeys(context for context, _ in requests)),
        target=(text(row.get("target")),),
        choices=choices,
        values=values,
    )
    doc = row.get("doc")
    return ForeignSample(score=score, row=doc if isinstance(doc, dict) else None, requests=requests)


def _choice(request: tuple[str, str], answer: Sequence[Any]) -> ChoiceScore:
    """lm_eval writes numbers as texts."""
    try:
        log_probability = float(answer[0])
    except (TypeError, ValueError, OverflowError):
        log_probability = math.nan
    return ChoiceScore(
        text=request[1].strip(), log_probability=log_probability, is_greedy=str(answer[1]) == "True", n_tokens=0
    )


def _options(document: Mapping[str, Any], tasks: Sequence[str], known: Known) -> Options:
    shots = {count(object_at(document, "n-shot").get(task, 0), "n-shot") for task in tasks}
    if len(shots) > 1:
        raise BadFile(filled(mark("Its subjects have unlike numbers of examples: import them as files of their own.")))
    config = object_at(object_at(document, "configs"), tasks[0])
    sampler = object_at(config, "fewshot_config").get("sampler")
    seed = number_or_none(object_at(document, "config").get("fewshot_seed"))
    return Options(
        n_shots=shots.pop(),
        draw=Draw.FIRST if sampler == "first_n" else Draw.LM_EVAL,
        seed=1234 if seed is None else int(seed),
        template=Template.CHAT if document.get("chat_template") else Template.OFF,
        variant=known.variant,
    )


def _asked(document: Mapping[str, Any], task: str) -> dict[str, Any]:
    config = object_at(object_at(document, "configs"), task)
    asked = {key: ADDRESS.sub("", text(config.get(key))) for key in ASKING}
    return asked | {
        "version": text(object_at(document, "versions").get(task)),
        "system": text(document.get("system_instruction")),
    }


def _revision(config: Mapping[str, Any]) -> str:
    revision = text(config.get("model_revision"))[:80]
    return "" if revision == "main" else revision


def _environment(document: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    versions = {"lm_eval": document.get("lm_eval_version"), "transformers": document.get("transformers_version")}
    return {
        "engine": f"{TOOL}: {text(config.get('model'))[:40]}",
        "dtype": text(config.get("model_dtype"))[:40],
        "device": text(config.get("device"))[:40],
        "versions": {package: text(version)[:40] for package, version in versions.items() if version},
    }
