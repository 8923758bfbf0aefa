"""Runs of made-up questions, to be compared with each other."""

from evaluation.models import PromptText, Run, SampleResult

PROTOCOL = {
    "benchmark": "mmlu",
    "version": 2,
    "data": "published",
    "rows_digest": "r" * 64,
    "n_rows": 6,
    "is_whole": True,
    "n_shots": 5,
    "draw": "first",
    "seed": None,
    "shots_digest": "s" * 64,
    "template": "off",
    "variant": "",
    "prompt_form": "letters",
    "normalisation": "–",
    "method": "log-likelihood",
    "extras": [],
}


def run_of(llm, verdicts, *, subjects=("anatomy",), first=0, protocol=None, **fields):
    """A run that was right (1), wrong (0) or got no score (None) on question 0, 1, …"""
    standard = {"benchmark": "mmlu", "status": Run.Status.SUCCEEDED, "n_samples": len(verdicts)}
    run = Run.objects.create(llm=llm, **{**standard, **fields}, protocol={**PROTOCOL, **(protocol or {})})
    numbers = range(first, first + len(verdicts))
    PromptText.objects.bulk_create(
        [PromptText(digest=f"prompt {number}", compressed=b"") for number in numbers], ignore_conflicts=True
    )
    SampleResult.objects.bulk_create(
        SampleResult(
            run=run,
            sample_id=f"{subjects[number % len(subjects)]}/{number}",
            index=place,
            subject=subjects[number % len(subjects)],
            question=f"Question {number}?",
            prompt_id=f"prompt {number}",
            target=0,
            is_right=None if verdict is None else bool(verdict),
            values={} if verdict is None else {"acc": float(verdict), "acc_norm": 1.0},
        )
        for place, (number, verdict) in enumerate(zip(numbers, verdicts, strict=True))
    )
    return run
