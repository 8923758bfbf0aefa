"""Runs in the administration."""

import pytest

from evaluation import runs
from evaluation.datasets import DataKind
from evaluation.models import Run
from evaluation.plans import Wish

LIST = "/admin/evaluation/run/"


@pytest.fixture
def run(counted):
    return runs.request(counted, Wish(benchmark="piqa", data=DataKind.SAMPLE))


@pytest.fixture
def act(adem, sign_in):
    client = sign_in(adem)

    def act(action, *chosen, **fields):
        data = {"action": action, "_selected_action": [run.pk for run in chosen], **fields}
        return client.post(LIST, data, follow=True).content.decode()

    return act


def status_of(run):
    run.refresh_from_db()
    return run.status


def test_runs_are_paused_resumed_and_cancelled(run, act):
    assert "1 run: done." in act("pause", run)
    assert status_of(run) == Run.Status.PAUSED
    assert "1 run: done." in act("resume", run)
    assert status_of(run) == Run.Status.QUEUED
    assert "1 run: done." in act("cancel", run)
    assert status_of(run) == Run.Status.CANCELLED


def test_it_says_of_how_many_it_made_no_difference(run, act, counted):
    other = runs.request(counted, Wish(benchmark="piqa", data=DataKind.SAMPLE))
    runs.cancel(other)
    page = act("cancel", run, other)
    assert "1 run: done." in page
    assert "1 run is in no state for this, and was left as it is." in page


def test_a_priority_is_set_on_what_has_not_ended(run, act, counted):
    ended = runs.request(counted, Wish(benchmark="piqa", data=DataKind.SAMPLE))
    runs.cancel(ended)
    page = act("set_priority", run, ended, priority="7")
    assert "1 run: done." in page
    assert "was left as it is" in page
    run.refresh_from_db()
    ended.refresh_from_db()
    assert (run.priority, ended.priority) == (7, 0)


@pytest.mark.parametrize("typed", ["", "high", "99999"])
def test_a_priority_that_is_none_changes_nothing(run, act, typed):
    page = act("set_priority", run, priority=typed)
    assert "run: done." not in page
    run.refresh_from_db()
    assert run.priority == 0


def test_the_list_and_a_run_lead_to_its_page(run, adem, sign_in):
    client = sign_in(adem)
    for address in (LIST, f"{LIST}{run.pk}/change/"):
        page = client.get(address).content.decode()
        assert f'href="/runs/{run.pk}/"' in page
    assert 'name="_save"' not in page
    assert "piqa v1, 0-shot" in page
