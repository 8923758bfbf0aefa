"""Logs of inspect: one JSON, or the same in pieces in a zip, `.eval`."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from evaluation.benchmarks.base import Draw, Method, Options
from evaluation.foreign.archives import Limits, zip_content, zip_file
from evaluation.foreign.lm_eval import unknown_task
from evaluation.foreign.results import BadFile, ForeignRun, ForeignSample, Known, OpenFile, Part, Reading, Skipped
from evaluation.foreign.values import (
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
    parsed,
    text,
)
from evaluation.prompts import Template
from evaluation.scores import SampleScore
from llms.sentences import filled, mark

TOOL: Final = "inspect"
HEADER: Final = "header.json"
KNOWN: Final = {
    "mmlu": Known("mmlu"),
    "mmlu_0_shot": Known("mmlu"),
    "mmlu_5_shot": Known("mmlu"),
    "hellaswag": Known("hellaswag"),
    "arc_challenge": Known("arc_challenge"),
    "winogrande": Known("winogrande"),
    "piqa": Known("piqa"),
}
RIGHT, WRONG = ("C", 1, 1.0, True), ("I", "P", "N", 0, 0.0, False)
LIMITS: Final = Limits(n_files=200_000, bytes_each=200_000_000, bytes_together=2_000_000_000)


def is_one(document: Mapping[str, Any]) -> bool:
    return isinstance(document.get("eval"), dict) and isinstance(document.get("status"), str)


def read_zip(file: str, data: bytes) -> Reading:
    """Raises BadFile."""
    with zip_file(io.BytesIO(data), file) as archive:
        content = zip_content(archive, LIMITS)
        if content.problems:
            raise BadFile(content.problems[0].reason)
        if HEADER not in content.entries:
            raise BadFile(filled(mark("It is no whole log: the evaluation did not end. Run it to its end.")))
        document = dict(an_object(parsed(content.entries[HEADER].read()), HEADER))
        members = sorted(member for member in content.entries if member.startswith("samples/"))
        document["samples"] = [parsed(content.entries[member].read()) for member in members]
    return _reading(document, file, data)


def read(document: Mapping[str, Any], file: str, data: bytes, open_file: OpenFile) -> Reading:
    """Raises BadFile."""
    return _reading(document, file, data)


def _reading(document: Mapping[str, Any], file: str, data: bytes) -> Reading:
    spec = object_at(document, "eval")
    task = name(spec.get("task"), "task").rpartition("/")[2]
    if task not in KNOWN:
        return Reading((), (Skipped(file, task[:80], unknown_task()),))
    if document.get("status") != "success":
        words = mark("The evaluation has the status “%(status)s”: run it to its end.")
        raise BadFile(filled(words, status=text(document.get("status"))[:40]))
    return Reading((_run(document, task, _Source(file, data)),), ())


class _Source:
    def __init__(self, file: str, data: bytes) -> None:
        self.file, self.data = file, data


def _run(document: Mapping[str, Any], task: str, source: _Source) -> ForeignRun:
    spec, known = object_at(document, "eval"), KNOWN[task]
    packages = {text(package)[:40]: text(version)[:40] for package, version in object_at(spec, "packages").items()}
    shots = object_at(spec, "task_args").get("fewshot", 5 if task == "mmlu_5_shot" else 0)
    asking = (spec.get("task_args"), object_at(document, "plan").get("steps"), spec.get("model_generate_config"))
    return ForeignRun(
        tool=TOOL,
        tool_version=packages.get("inspect_ai", ""),
        file=source.file,
        digest=digest_of_files(source.data, name=task),
        task=task,
        task_version=text(spec.get("task_version"))[:40],
        settings=digest_of([task, object_at(spec, "dataset").get("name"), *asking]),
        llm=name(spec.get("model"), "model"),
        revision="",
        benchmark=known.benchmark,
        method=Method.GENERATION,
        options=Options(n_shots=int(number_or_none(shots) or 0), draw=Draw.FIXED, template=Template.CHAT),
        parts=(_part(document, task),),
        finished_at=moment(object_at(document, "stats").get("completed_at")) or moment(spec.get("created")),
        environment={"engine": TOOL, "versions": packages},
    )


def _part(document: Mapping[str, Any], task: str) -> Part:
    results = object_at(document, "results")
    scores = [an_object(score, "scores") for score in list_at(results, "scores")]
    metrics = [object_at(score, "metrics") for score in scores]
    place = next((place for place, found in enumerate(metrics) if "accuracy" in found), None)
    if place is None:
        raise BadFile(filled(mark("“%(task)s” has no accuracy: only that can be shown."), task=task))
    error = number_or_none(object_at(metrics[place], "stderr").get("value"))
    samples = [an_object(sample, "sample") for sample in list_at(document, "samples")]
    epochs = number_or_none(object_at(object_at(document, "eval"), "config").get("epochs")) or 1
    if epochs != 1:
        raise BadFile(filled(mark("It has %(n)s epochs: only logs of one can be imported."), n=epochs))
    dataset = object_at(object_at(document, "eval"), "dataset")
    return Part(
        subject="",
        metrics={"acc": number(object_at(metrics[place], "accuracy").get("value"), "accuracy")},
        standard_errors={} if error is None else {"acc": error},
        n_samples=count(results.get("completed_samples"), "completed_samples", at_least=1),
        n_published=count(dataset["samples"], "samples") if dataset.get("samples") is not None else None,
        samples=tuple(_sample(sample, text(scores[place].get("name"))) for sample in samples),
    )


def _sample(sample: Mapping[str, Any], scorer: str) -> ForeignSample:
    verdict = object_at(object_at(sample, "scores"), scorer).get("value")
    answer = text(object_at(sample, "output").get("completion"))
    targets = sample.get("target")
    error = object_at(sample, "error").get("message") if sample.get("error") else ""
    is_known = any(verdict is value or verdict == value for value in (*RIGHT, *WRONG))
    score = SampleScore(
        sample_id=text(sample.get("id"))[:200],
        subject="",
        question=_question(sample.get("input"))[-2000:],
        prompts=tuple(_conversation(list_at(sample, "messages"))),
        target=tuple(text(target) for target in targets) if isinstance(targets, list) else (text(targets),),
        answer=answer,
        values={"acc": float(verdict in RIGHT)} if is_known and not error else {},
        error=text(error) if error else ("" if is_known else filled(mark("inspect gave it no verdict."))),
    )
    return ForeignSample(score=score, row=None)


def _question(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(_conversation(value))
    return text(value)


def _conversation(messages: Sequence[Any]) -> list[str]:
    """What was sent: the model's last answer is kept as the answer."""
    sent = [message for message in messages if isinstance(message, dict)]
    if sent and sent[-1].get("role") == "assistant":
        sent = sent[:-1]
    return (
        ["\n\n".join(f"{text(message.get('role'))}: {text(message.get('content'))}" for message in sent)]
        if sent
        else []
    )
