"""Benchmarks beside the arena's ratings: which runs stand in which column."""

import csv
import io
from dataclasses import asdict

import pytest
from django.utils import timezone

from evaluation.benchmarks.base import Options
from evaluation.benchmarks.registry import benchmark
from evaluation.datasets import from_samples
from evaluation.models import Run, RunMetric
from evaluation.runner import prepare
from leaderboard import benchmarks, live, tasks
from leaderboard.models import BenchmarkScore, LiveBoard
from leaderboard.tables import table_of
from llms.models import LanguageModel, Visibility

pytestmark = pytest.mark.django_db


@pytest.fixture
def run():
    """A run that has ended: `run(orion, "piqa", 0.5)`."""

    def run(llm, name, value, *, n_shots=0, status=Run.Status.SUCCEEDED, **fields):
        chosen = benchmark(name)
        rows = from_samples(chosen, with_pool=n_shots > 0)
        protocol = prepare(chosen, rows, Options(n_shots=n_shots)).protocol
        fields = {"may_be_ranked": True, "data": Run.Data.PUBLISHED, "finished_at": timezone.now()} | fields
        made = Run.objects.create(
            llm=llm,
            benchmark=name,
            fingerprint=protocol.fingerprint,
            protocol=asdict(protocol),
            summary=protocol.summary,
            status=status,
            **fields,
        )
        interval = {"lower": value - 0.1, "upper": value + 0.1}
        RunMetric.objects.create(run=made, name=chosen.headline, value=value, n=20, is_headline=True, **interval)
        RunMetric.objects.create(run=made, name="other", value=0.99, n=20)
        return made

    return run


def board(audience=Visibility.PUBLIC):
    benchmarks.refresh_all()
    return LiveBoard.objects.get(audience=audience)


def shown(audience=Visibility.PUBLIC):
    """By language model and column what stands in the table."""
    table = table_of(board(audience), n_columns=None)
    return {
        (row.line.llm.slug, f"{head.column.benchmark}/{head.column.n_shots}"): round(cell.value, 3)
        for row in table.rows
        for head, cell in zip(table.heads, row.cells, strict=True)
        if cell
    }


def test_the_headline_of_each_models_newest_run_stands_in_its_column(run, orion, lyra):
    run(orion, "piqa", 0.5)
    newest = run(orion, "piqa", 0.6)
    run(lyra, "piqa", 0.7)
    assert shown() == {("orion-7b", "piqa/0"): 60.0, ("lyra-13b", "piqa/0"): 70.0}
    assert BenchmarkScore.objects.get(column__board__audience="public", llm=orion).run == newest


def test_newest_is_who_ended_last_not_who_was_asked_for_last(run, orion):
    late = run(orion, "piqa", 0.5)
    run(orion, "piqa", 0.6, finished_at=late.finished_at - timezone.timedelta(days=3))
    assert shown() == {("orion-7b", "piqa/0"): 50.0}


def test_other_protocols_are_other_columns(run, orion, lyra):
    run(orion, "arc_challenge", 0.3)
    run(orion, "arc_challenge", 0.4, n_shots=2)
    run(lyra, "arc_challenge", 0.5, n_shots=2)
    assert shown() == {
        ("orion-7b", "arc_challenge/0"): 30.0,
        ("orion-7b", "arc_challenge/2"): 40.0,
        ("lyra-13b", "arc_challenge/2"): 50.0,
    }
    heads = table_of(board()).heads
    assert [head.column.n_llms for head in heads] == [2, 1]


@pytest.mark.parametrize(
    "fields",
    [
        {"may_be_ranked": False},
        {"n_errors": 1},
        {"n_errors": 1, "status": Run.Status.IMPORTED},
        *({"status": status} for status in Run.Status if status not in {"succeeded", "imported"}),
    ],
)
def test_partial_sample_and_unfinished_runs_are_not_ranked(run, orion, fields):
    run(orion, "piqa", 0.5, **fields)
    assert shown() == shown(Visibility.INTERNAL) == {}


def test_a_newer_run_that_could_not_score_every_sample_leaves_the_whole_one_in_its_place(run, orion):
    run(orion, "piqa", 0.5)
    run(orion, "piqa", 0.9, n_errors=1)
    assert shown() == {("orion-7b", "piqa/0"): 50.0}


def test_imported_ones_are_marked(run, orion, client):
    made = run(orion, "piqa", 0.5, status=Run.Status.IMPORTED)
    live.refresh_all()
    assert shown() == {("orion-7b", "piqa/0"): 50.0}
    page = client.get("/leaderboard/").content.decode()
    assert "imported" in page
    assert f'href="/runs/{made.pk}/"' in page
    assert client.get("/api/v1/leaderboard").json()["rows"][0]["benchmarks"][0]["imported"] is True


def test_internal_models_and_private_benchmarks_are_not_on_the_public_board(run, orion, register, client):
    nova = register("Nova 70B", visibility=Visibility.INTERNAL)
    run(nova, "piqa", 0.8)
    run(orion, "hellaswag", 0.5, data=Run.Data.PRIVATE)
    assert shown() == {}
    assert set(shown(Visibility.INTERNAL)) == {("nova-70b", "piqa/0"), ("orion-7b", "hellaswag/0")}
    for address in ("/leaderboard/", "/leaderboard.csv", "/api/v1/leaderboard"):
        answer = client.get(address).content.decode()
        assert "Nova" not in answer
        assert "HellaSwag" not in answer
        assert "hellaswag" not in answer


def test_a_model_that_becomes_internal_is_gone_at_once_with_a_column_of_its_own(run, orion, lyra, client):
    run(orion, "piqa", 0.5)
    benchmarks.refresh_all()
    assert "PIQA" in client.get("/leaderboard/").content.decode()
    orion.visibility = Visibility.INTERNAL
    orion.save()
    for address in ("/leaderboard/", "/leaderboard.csv", "/api/v1/leaderboard"):
        answer = client.get(address).content.decode()
        assert "Orion" not in answer
        assert "piqa" not in answer.lower()


def test_without_news_nothing_is_computed_or_written(run, orion, django_assert_num_queries):
    run(orion, "piqa", 0.5)
    assert benchmarks.refresh_all() == 2
    before = list(BenchmarkScore.objects.values())
    with django_assert_num_queries(4):  # two for each audience: the board and the runs
        assert benchmarks.refresh_all() == 0
    assert list(BenchmarkScore.objects.values()) == before


def test_it_follows_runs_that_end_change_hands_or_go(run, orion, lyra):
    first = run(orion, "piqa", 0.5)
    assert benchmarks.refresh_all() == 2
    orion.visibility = Visibility.INTERNAL
    orion.save()
    assert benchmarks.refresh_all() == 1  # the public one
    orion.visibility = Visibility.PUBLIC
    orion.save()
    run(lyra, "piqa", 0.5)
    assert benchmarks.refresh_all() == 2
    first.delete()
    assert benchmarks.refresh_all() == 2
    assert shown() == {("lyra-13b", "piqa/0"): 50.0}


def test_two_at_once_store_one_board(run, orion, monkeypatch):
    run(orion, "piqa", 0.5)
    read = benchmarks.runs.read

    def overtaken(audience):
        monkeypatch.setattr(benchmarks.runs, "read", read)
        assert benchmarks.refresh(audience)
        return read(audience)

    monkeypatch.setattr(benchmarks.runs, "read", overtaken)
    assert not benchmarks.refresh(Visibility.PUBLIC)
    assert BenchmarkScore.objects.filter(column__board__audience="public").count() == 1


def test_listed_models_have_a_line_though_nobody_can_vote_on_them(run, register, client):
    listed = register("Faraway 9B", status=LanguageModel.Status.LISTED)
    run(listed, "piqa", 0.5, status=Run.Status.IMPORTED)
    tasks.refresh_live_board()
    page = client.get("/leaderboard/").content.decode()
    assert "Faraway 9B" in page
    assert "only listed: known from imported results, not in battles" in page


def test_six_columns_are_shown_and_all_when_asked_for(run, orion, lyra, client):
    for n_shots in range(5):
        run(orion, "piqa", 0.5, n_shots=min(n_shots, 4))
        run(orion, "arc_challenge", 0.5, n_shots=n_shots)
    run(lyra, "piqa", 0.5, n_shots=3)
    found = board()
    heads = table_of(found).heads
    assert len(heads) == 6
    assert heads[0].column.n_llms == 2
    page = client.get("/leaderboard/").content.decode()
    assert "Show 4 more columns" in page
    everything = client.get("/leaderboard/?columns=all").content.decode()
    assert everything.count("-shot") > page.count("-shot")
    assert 'hx-get="/leaderboard/?columns=all&amp;fragment"' in everything
    assert "more column" not in everything


def test_files_carry_score_interval_run_and_protocol(run, orion, lyra, client):
    made = run(orion, "piqa", 0.5)
    tasks.refresh_live_board()
    answer = client.get("/api/v1/leaderboard").json()
    by_model = {row["model"]: row["benchmarks"] for row in answer["rows"]}
    assert by_model["lyra-13b"] == []
    assert by_model["orion-7b"] == [
        {
            "benchmark": "piqa",
            "metric": "acc_norm" if benchmark("piqa").headline == "acc_norm" else "acc",
            "fingerprint": made.fingerprint,
            "protocol": str(made.summary),
            "value": 0.5,
            "lower": 0.4,
            "upper": 0.6,
            "n_samples": 20,
            "run": made.pk,
            "imported": False,
        }
    ]
    rows = list(csv.DictReader(io.StringIO(client.get("/leaderboard.csv").content.decode())))
    key = f"piqa/{benchmark('piqa').headline}/{made.fingerprint}"
    cells = {row["model"]: (row[key], row[f"{key}/lower"], row[f"{key}/upper"], row[f"{key}/run"]) for row in rows}
    assert cells == {"orion-7b": ("0.5", "0.4", "0.6", str(made.pk)), "lyra-13b": ("", "", "", "")}


def test_perplexity_is_no_percentage_and_less_is_better(run, orion, client):
    run(orion, "perplexity", 1.25)
    tasks.refresh_live_board()
    assert shown() == {("orion-7b", "perplexity/0"): 1.25}
    page = client.get("/leaderboard/").content.decode()
    assert "1.250" in page
    assert "Less is better." in page


def test_a_score_that_is_no_number_is_none(run, orion):
    made = run(orion, "perplexity", 1.25)
    RunMetric.objects.filter(run=made).update(value=float("inf"))
    assert shown() == {}
