import pytest

from evaluation import runs
from evaluation.datasets import DataKind
from evaluation.models import Run
from evaluation.plans import Wish, plan
from evaluation.runner import evaluate
from tests.helpers.hash_engine import HashEngine

WISH = Wish(benchmark="mmlu", data=DataKind.SAMPLE)


def test_a_plan_says_what_a_run_will_cost(counted):
    first = plan(counted, WISH).estimate
    prepared = plan(counted, WISH).prepared
    engine = HashEngine()
    list(evaluate(prepared, engine))

    characters = sum(len(asked.context) + sum(map(len, asked.continuations)) for asked in engine.asked)
    assert (first.n_requests, first.n_characters) == (len(engine.asked), characters)
    assert first.seconds is None
    run = runs.request(counted, WISH)
    runs.execute(run.pk, run.epoch)
    Run.objects.filter(pk=run.pk).update(seconds=8.0)
    assert plan(counted, WISH).estimate.seconds == pytest.approx(8.0)
    assert first.smallest_difference > 0.3
