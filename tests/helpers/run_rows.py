"""Runs with samples, written as a worker would have written them, without asking a model."""

import io
import json
from typing import Any

from evaluation import private_benchmarks
from evaluation.models import PrivateVersion, Run, RunLog, RunMetric, SampleResult
from evaluation.private_benchmarks import Naming
from evaluation.private_sets import read_private_set
from evaluation.records import prompt_row
from llms.models import LanguageModel
from llms.sentences import filled

PROTOCOL = {
    "version": 2,
    "n_shots": 5,
    "draw": "first",
    "template": "off",
    "method": "log-likelihood",
    "is_whole": True,
}
SUBJECTS = ("anatomy", "virology", "philosophy")


def run_row(llm: LanguageModel, n_samples: int = 2, *, benchmark: str = "mmlu", **fields: Any) -> Run:
    """All samples of it are there: every third one is wrong."""
    n_right = sum(_is_right(index) for index in range(n_samples))
    standard: dict[str, Any] = {
        "status": Run.Status.SUCCEEDED,
        "options": {"n_shots": 5, "draw": "first", "seed": 1234, "template": "off", "variant": ""},
        "fingerprint": "0123456789abcdef",
        "protocol": {**PROTOCOL, "benchmark": benchmark, "n_rows": n_samples},
        "summary": filled("%(benchmark)s v2", benchmark=benchmark),
        "n_samples": n_samples,
        "n_done": n_samples,
        "value": n_right / n_samples,
        "standard_error": 0.1,
        "lower": 0.4,
        "upper": 0.8,
        "seconds": 10.0,
        "environment": {"engine": "echo", "scheme": "plain rows", "reason": "", "options": {"folder": "/srv/weights"}},
    }
    run = Run.objects.create(llm=llm, benchmark=benchmark, **{**standard, **fields})
    _write_samples(run, n_samples)
    return run


def _is_right(index: int) -> bool:
    return index % 3 != 2


def _write_samples(run: Run, n_samples: int) -> None:
    rows = []
    for index in range(n_samples):
        subject = SUBJECTS[index % len(SUBJECTS)]
        question = f"Question {index}: which one is right?\nA. one\nB. two\nC. three\nD. four\nAnswer:"
        prompt = prompt_row([f"The following are questions about {subject}.\n\n{question}"])
        prompt.save()
        is_right = _is_right(index)
        rows.append(
            SampleResult(
                run=run,
                sample_id=f"{subject}/{index}",
                index=index,
                subject=subject,
                question=question,
                prompt=prompt,
                choices=[
                    {"text": letter, "log_probability": -1.0 - place, "is_greedy": place == 0, "n_tokens": 1}
                    for place, letter in enumerate("ABCD")
                ],
                target=0 if is_right else 1,
                predictions={"acc": 0},
                values={"acc": float(is_right)},
                is_right=is_right,
            )
        )
    SampleResult.objects.bulk_create(rows)
    if run.status == Run.Status.SUCCEEDED:
        _write_metrics(run)
    RunLog.objects.create(run=run, words=filled("begun with %(engine)s", engine="/srv/weights"))


def _write_metrics(run: Run) -> None:
    part = {"name": "acc", "standard_error": 0.1, "lower": 0.4, "upper": 0.8, "n": run.n_samples}
    RunMetric.objects.create(run=run, scope="all", value=run.value, is_headline=True, **part)
    RunMetric.objects.create(run=run, scope="subjects", value=run.value, **part)
    for place, subject in enumerate(SUBJECTS):
        value = 0.5 + place / 10
        RunMetric.objects.create(run=run, scope="subject", part=subject, **{**part, "value": value, "n": 10 - place})


def runs_of(public: LanguageModel, internal: LanguageModel) -> dict[str, int]:
    """One of each kind that people may see or not."""
    return {
        "run": run_row(public).pk,
        "internal run": run_row(internal).pk,
        "private run": run_row(public, data=Run.Data.PRIVATE).pk,
    }


def private_set() -> PrivateVersion:
    """One item, under the short name `a-private-set`."""
    item = {"id": "q1", "question": "Who signs?", "choices": ["the desk", "the lead"], "answer": "B"}
    data = json.dumps(item).encode()
    return private_benchmarks.add(read_private_set(io.BytesIO(data), size=len(data)), Naming("a-private-set", "A set"))
