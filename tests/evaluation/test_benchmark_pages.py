"""The pages about benchmarks."""

import json

import pytest
from django.core.cache import cache
from django.urls import reverse

from evaluation.benchmarks.registry import BENCHMARKS, benchmark
from evaluation.models import Run
from llms.models import Visibility
from tests.evaluation.test_private_benchmarks import NAMING, questions, read


@pytest.fixture(autouse=True)
def _nothing_here(settings, tmp_path):
    settings.BENCHMARK_DATA_DIR, settings.HUB_ROWS_DIR = tmp_path / "rows", tmp_path / "hub"
    cache.clear()


def text_of(response):
    return response.content.decode()


def listed(client, query=""):
    return text_of(client.get(reverse("evaluation:benchmarks") + query))


def shown(client, name):
    return text_of(client.get(reverse("evaluation:benchmark", args=[name])))


def put(folder, name, split, rows):
    (folder / name).mkdir(parents=True)
    (folder / name / f"{split}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))


PIQA = {"goal": "To open a jar,", "sol1": "turn its lid.", "sol2": "turn its label.", "label": 0}


def test_all_are_listed_with_what_they_measure(client, db):
    found = listed(client)

    for name in BENCHMARKS:
        assert reverse("evaluation:benchmark", args=[name]) in found
    assert "Common sense: which of four endings" in found
    assert "and 20 built in, to try it" in found
    assert "not here" in found


def test_rows_that_are_here_are_counted(client, db, settings):
    put(settings.BENCHMARK_DATA_DIR, "piqa", "validation", [PIQA] * 3)

    assert "3 of 1,838 rows" in listed(client)
    assert "3 rows are here and 1,838 are published" in shown(client, "piqa")


def test_unreadable_rows_are_said_to_be_so_and_only_the_house_learns_which(client, db, settings, sign_in, rana):
    put(settings.BENCHMARK_DATA_DIR, "piqa", "validation", [])
    (settings.BENCHMARK_DATA_DIR / "piqa" / "validation.jsonl").write_text("no json")

    assert "cannot be read: an administrator sees why" in shown(client, "piqa")
    assert "Line 1 of validation.jsonl is no JSON object." in shown(sign_in(rana), "piqa")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_has_a_page_with_its_card_its_protocol_and_an_item(name, client, db):
    found, card = shown(client, name), benchmark(name).card

    assert card.licence in found
    assert card.paper.split(",")[0] in found
    assert all(fault.split("“")[0][:40] in found.replace("&#x27;", "'") for fault in card.known_faults)
    assert benchmark(name).headline in found
    assert "One of its questions" in found
    assert "No model has been asked yet." in found


def test_an_item_shows_which_choice_is_right(client, db):
    found = shown(client, "piqa")

    assert found.count('<li class="is-right">') == 1


def test_a_benchmark_that_there_is_not_is_not_found(client, db):
    assert client.get(reverse("evaluation:benchmark", args=["nothing"])).status_code == 404


def test_its_newest_runs_are_those_that_the_reader_may_see(client, orion, register, sign_in, rana):
    secret = register("Nova 70B", visibility=Visibility.INTERNAL)
    for llm in (orion, secret):
        Run.objects.create(llm=llm, benchmark="piqa", status="succeeded", finished_at="2026-11-01T00:00Z", value=0.5)

    assert "Orion 7B" in shown(client, "piqa")
    assert "Nova" not in shown(client, "piqa")
    assert "Nova" in shown(sign_in(rana), "piqa")


def test_suites_say_what_they_hold_and_what_is_not_in_this_version(client, db):
    found = listed(client)

    assert "after-finetuning" in found
    assert "the first 1,000 rows" in found
    assert "This version has no benchmark “gaia” yet." in found


def test_for_a_model_suites_say_what_does_not_apply_to_it(client, register):
    register("Pavo 3B", status="listed")

    found = listed(client, "?model=pavo-3b")

    assert found.count("Pavo 3B is only listed and has no engine: register where it runs first.") >= 5


def test_a_hostile_choice_of_model_is_nobody(client, db):
    assert "not applicable" in listed(client, "?model=%00x")


def test_private_sets_are_listed_for_the_house_only(client, sign_in, rana, adem, db):
    from evaluation import private_benchmarks

    private_benchmarks.add(read(questions()), NAMING)

    assert "Travel rules" not in listed(client)
    assert "Travel rules" in listed(sign_in(rana))
    assert "Add a private benchmark" not in listed(sign_in(rana))
    assert "Add a private benchmark" in listed(sign_in(adem))


def test_the_list_reads_rows_once_a_minute(client, db, monkeypatch, django_assert_max_num_queries):
    from evaluation import benchmark_pages

    listed(client)
    monkeypatch.setattr(benchmark_pages, "inventory", None)
    with django_assert_max_num_queries(6):
        listed(client)
