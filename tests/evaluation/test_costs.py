import pytest

from evaluation import runs
from evaluation.costs import characters_of
from evaluation.datasets import DataKind
from evaluation.models import Run
from evaluation.plans import Wish, plan
from evaluation.runner import evaluate
from llms.engines.base import NotSupported
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


def test_what_is_done_is_counted_in_characters_too(counted, engine):
    """The engine gives the last sample first, and fails after three."""
    engine.fails_after, engine.n_failures_left, engine.error = 3, 1, NotSupported
    run = runs.request(counted, WISH)
    runs.execute(run.pk, run.epoch)
    run.refresh_from_db()

    sizes = characters_of(plan(counted, WISH).prepared)
    assert sum(sizes.values()) == run.n_characters
    assert run.n_characters_done == sum(list(sizes.values())[-3:]) != run.n_characters * 3 // run.n_samples
    assert runs.resume(run)
    run.refresh_from_db()
    runs.execute(run.pk, run.epoch)
    run.refresh_from_db()
    assert run.n_characters_done == run.n_characters
    assert run.seconds_left == 0
