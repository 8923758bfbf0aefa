"""How long the pages of a run of 14,042 samples take on the server.

    python -m bench.runs [--samples 14042] [--asks 20]

Seeds a throw-away database with a run as MMLU makes it (57 subjects, prompts of five examples), and asks each page with
Django's test client, middleware, queries and templates included, after one ask that warms up. Prints the median of the
clock and of the processor's time, with SQLite all of it in this process: on a machine that does other things as well
the second is the page's own.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("HAKEM_DATA_DIR", tempfile.mkdtemp(prefix="bench-runs-"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ["DEBUG"] = ""

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from evaluation.benchmarks.mmlu import GROUPS  # noqa: E402
from evaluation.models import PromptText, Run, RunMetric, SampleResult  # noqa: E402
from evaluation.records import prompt_row  # noqa: E402
from llms.models import LanguageModel  # noqa: E402
from llms.sentences import filled  # noqa: E402

SUBJECTS = sorted(name for names in GROUPS.values() for name in names.split())
ROWS_AT_ONCE = 1000
CHOICES = "A. rock\nB. water\nC. a treaty\nD. habit"
SHOT = f"What does the {{subject}} of the {{n}}th century mostly rest on?\n{CHOICES}\nAnswer: C\n\n"
"""About as long as a row of MMLU."""


def seed(n_samples: int) -> Run:
    llm = LanguageModel.objects.create(slug="orion-7b", name="Orion 7B", engine="echo", status="enabled")
    run = Run.objects.create(
        llm=llm,
        benchmark="mmlu",
        status=Run.Status.SUCCEEDED,
        fingerprint="0" * 16,
        protocol={
            "version": 2,
            "is_whole": True,
            "n_rows": n_samples,
            "n_shots": 5,
            "draw": "first",
            "template": "off",
        },
        summary=filled("mmlu v2"),
        n_samples=n_samples,
        n_done=n_samples,
        value=0.31,
        standard_error=0.004,
        lower=0.302,
        upper=0.318,
        seconds=3600.0,
    )
    for start in range(0, n_samples, ROWS_AT_ONCE):
        _write(run, range(start, min(start + ROWS_AT_ONCE, n_samples)), n_samples)
    part = {"name": "acc", "standard_error": 0.02, "lower": 0.25, "upper": 0.37, "value": 0.31}
    rows = [RunMetric(run=run, scope="all", n=n_samples, is_headline=True, **part)]
    rows += [RunMetric(run=run, scope="subject", part=name, n=n_samples // 57, **part) for name in SUBJECTS]
    RunMetric.objects.bulk_create(rows)
    return run


def _write(run: Run, places: range, n_samples: int) -> None:
    prompts, rows = [], []
    for index in places:
        subject = SUBJECTS[index * len(SUBJECTS) // n_samples]
        question = SHOT.format(subject=subject, n=index).removesuffix(" C\n\n") + f" {index * 7919 % 1000}"
        examples = "".join(SHOT.format(subject=subject, n=n) for n in range(5)) * 3
        prompts.append(prompt_row([f"The following are questions about {subject}.\n\n{examples}{question}"]))
        is_right = index % 3 == 0
        rows.append(
            SampleResult(
                run=run,
                sample_id=f"{subject}/{index}",
                index=index,
                subject=subject,
                question=question,
                prompt_id=prompts[-1].digest,
                choices=[
                    {"text": letter, "log_probability": -1.234567 - place, "is_greedy": place == 0, "n_tokens": 1}
                    for place, letter in enumerate("ABCD")
                ],
                target=0 if is_right else 2,
                predictions={"acc": 0},
                values={"acc": float(is_right)},
                is_right=is_right,
            )
        )
    PromptText.objects.bulk_create(prompts, ignore_conflicts=True)
    SampleResult.objects.bulk_create(rows)


def pages_of(run: Run) -> dict[str, str]:
    samples = f"/runs/{run.pk}/samples/"
    last = run.n_samples - 40
    return {
        "list of runs": "/runs/",
        "run": f"/runs/{run.pk}/",
        "run, fragment": f"/runs/{run.pk}/?fragment",
        "samples, first page": samples,
        "samples, last page": f"{samples}?after={last}",
        "samples, wrong, last page": f"{samples}?verdict=wrong&after={last}",
        "samples, a subject": f"{samples}?subject=virology",
        "samples, text in all": f"{samples}?q=century",
        "samples, text in few": f"{samples}?q=virology+of+the+13",
        "samples, text in none": f"{samples}?q=nowhere+to+be+found",
        "one sample, first": f"{samples}1/",
        "one sample, last, wrong only": f"{samples}{run.n_samples - 1}/?verdict=wrong",
        "one sample, text in few": f"{samples}{run.n_samples - 1}/?q=virology+of+the+13",
    }


class Took(NamedTuple):
    """Milliseconds."""

    clock: float
    processor: float


def measure(client: Client, address: str, n_asks: int) -> list[Took]:
    client.get(address)
    took = []
    for _ in range(n_asks):
        clock, processor = time.perf_counter(), time.process_time()
        response = client.get(address)
        took.append(Took(1000 * (time.perf_counter() - clock), 1000 * (time.process_time() - processor)))
        assert response.status_code == 200, (address, response.status_code)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=14_042)
    parser.add_argument("--asks", type=int, default=20)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    run = seed(options.samples)
    client = Client(SERVER_NAME="127.0.0.1")
    where = f"{connection.vendor}, {Path(str(connection.settings_dict['NAME'])).name}"
    print(f"{options.samples:,} samples, {where}, {options.asks} asks a page; median milliseconds: clock, processor")
    for name, address in pages_of(run).items():
        took = measure(client, address, options.asks)
        clock, processor = (statistics.median(column) for column in zip(*took, strict=True))
        print(f"{name:<32} {clock:7.1f} {processor:7.1f}")


if __name__ == "__main__":
    main()
