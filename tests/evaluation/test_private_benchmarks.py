"""Private sets in the database, and runs that ask them."""

import io
import json
import threading

import pytest
from django.core.management import CommandError, call_command

from evaluation import private_benchmarks, runs
from evaluation.benchmarks.base import Capability, Options
from evaluation.benchmarks.registry import benchmark
from evaluation.datasets import DataKind
from evaluation.errors import BadRows, InvalidOptions, UnknownBenchmark
from evaluation.models import PrivateBenchmark, PrivateItem, PrivateVersion, Run, SampleResult
from evaluation.plans import Wish, plan
from evaluation.private_benchmarks import Naming, NotAsItIs
from evaluation.private_sets import Form, read_private_set

NAME = "private/travel-rules"
NAMING = Naming("travel-rules", "Travel rules")


def lines_of(rows):
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()


def read(rows):
    data = lines_of(rows)
    return read_private_set(io.BytesIO(data), size=len(data))


def questions(n=6, words="Who signs request"):
    return [
        {
            "id": f"q{i}",
            "question": f"{words} {i}?",
            "choices": ["the desk", "the lead", "nobody"],
            "answer": "ABC"[i % 3],
        }
        for i in range(n)
    ]


def written(n=3):
    return [{"id": f"w{i}", "question": f"How many days are in week {i}?", "answer": "7"} for i in range(n)]


@pytest.fixture
def travel_rules(db):
    return private_benchmarks.add(read(questions()), NAMING)


def executed(run):
    runs.execute(run.pk, run.epoch)
    run.refresh_from_db()
    return run


# --- stored


def test_it_is_found_by_its_name_like_any_other(travel_rules):
    found = benchmark(NAME)

    assert (found.name, found.card.title, found.capability) == (NAME, "Travel rules", Capability.KNOWLEDGE)
    assert found.version == 1
    assert [item.line for item in travel_rules.items.all()] == [1, 2, 3, 4, 5, 6]


def test_an_unknown_one_is_refused_with_the_way_to_the_known_ones(db):
    with pytest.raises(UnknownBenchmark, match=r"manage\.py benchmarks lists"):
        benchmark("private/nowhere")
    with pytest.raises(UnknownBenchmark, match=r"manage\.py benchmarks lists"):
        private_benchmarks.newest("private/nowhere")


def test_the_database_speaks_of_the_same_forms_and_capabilities():
    assert [one.value for one in Form] == PrivateBenchmark.Form.values
    assert [one.value for one in Capability] == PrivateBenchmark.Capability.values


def test_a_bad_set_leaves_nothing_behind(db):
    with pytest.raises(
        BadRows, match="2 things are wrong with the file; the first is in line 2: “question” is missing"
    ):
        private_benchmarks.add(read([*questions(1), {"id": "x", "choices": ["a", "b"]}]), NAMING)

    assert not PrivateBenchmark.objects.exists()
    assert not PrivateItem.objects.exists()


def test_a_short_name_is_given_once(travel_rules):
    with pytest.raises(NotAsItIs, match="“travel-rules” is taken"):
        private_benchmarks.add(read(questions()), NAMING)

    assert PrivateVersion.objects.count() == 1


def test_only_the_fields_of_an_item_are_stored(db):
    version = private_benchmarks.add(read([{**questions(1)[0], "note": "\0 not ours", "subject": "trains"}]), NAMING)

    assert set(version.items.get().row) == {"id", "question", "choices", "answer", "subject"}


def test_a_new_upload_is_a_new_version(travel_rules):
    version = private_benchmarks.replace(travel_rules.benchmark, read(questions(4)))

    assert (version.number, version.n_items, travel_rules.items.count()) == (2, 4, 6)
    assert benchmark(NAME).version == 2


@pytest.mark.parametrize(
    ("rows", "words"), [(questions(), "the very items of version 1"), (written(), "a set of another form")]
)
def test_an_upload_that_replaces_nothing_is_refused(rows, words, travel_rules):
    with pytest.raises(NotAsItIs, match=words):
        private_benchmarks.replace(travel_rules.benchmark, read(rows))

    assert PrivateVersion.objects.count() == 1


# --- run


def test_a_private_set_runs_like_any_other(counted):
    version = private_benchmarks.add(read(questions()), NAMING)

    run = executed(runs.request(counted, Wish(benchmark=NAME, options=Options(n_shots=1), limit=4)))

    assert (run.status, run.data, run.n_done, run.private_version) == ("succeeded", "private", 4, version)
    assert run.origin == "private/travel-rules v1"
    assert set(SampleResult.objects.values_list("sample_id", flat=True)) == {"q0", "q1", "q2", "q3"}
    assert run.metrics.filter(is_headline=True).get().name == "acc_norm"


def test_a_run_keeps_its_version_when_the_set_is_replaced(counted):
    version = private_benchmarks.add(read(questions()), NAMING)
    run = runs.request(counted, Wish(benchmark=NAME))
    private_benchmarks.replace(version.benchmark, read(questions(2, words="Whom does one ask")))

    assert executed(run).status == "succeeded"
    assert run.n_done == 6
    newer = plan(counted, Wish(benchmark=NAME))
    assert (newer.private_version.number, newer.prepared.protocol.n_rows) == (2, 2)
    assert newer.prepared.protocol.fingerprint != run.fingerprint


def test_answers_in_words_are_written_by_the_model(register):
    private_benchmarks.add(read(written()), Naming("weeks", "Weeks"))

    run = executed(runs.request(register("Orion", reply="7"), Wish(benchmark="private/weeks")))

    assert (run.status, run.value) == ("succeeded", 1.0)


def test_there_is_no_built_in_sample_of_a_private_set(travel_rules, orion):
    with pytest.raises(InvalidOptions, match="no built-in sample: choose its own rows"):
        plan(orion, Wish(benchmark=NAME, data=DataKind.SAMPLE))


def test_there_are_no_private_rows_of_a_public_benchmark(counted):
    with pytest.raises(InvalidOptions, match="mmlu is a public benchmark: choose its published rows"):
        plan(counted, Wish(benchmark="mmlu", data=DataKind.PRIVATE))


# --- at its end


def test_what_no_run_has_asked_is_deleted_whole(travel_rules):
    private_benchmarks.delete(travel_rules.benchmark)

    assert not PrivateItem.objects.exists()


def test_what_a_run_has_asked_is_archived_in_place_of_deleted(counted):
    version = private_benchmarks.add(read(questions()), NAMING)
    run = executed(runs.request(counted, Wish(benchmark=NAME)))

    with pytest.raises(NotAsItIs, match="Runs have asked Travel rules, so it cannot be deleted: archive it"):
        private_benchmarks.delete(version.benchmark)

    private_benchmarks.archive(version.benchmark)
    with pytest.raises(NotAsItIs, match="Travel rules is archived: bring it back"):
        plan(counted, Wish(benchmark=NAME))
    assert benchmark(run.benchmark).card.title == "Travel rules"
    private_benchmarks.bring_back(version.benchmark)
    assert plan(counted, Wish(benchmark=NAME)).private_version == version


@pytest.mark.django_db(transaction=True)
def test_two_uploads_at_once_do_not_become_one_version():
    version = private_benchmarks.add(read(questions()), NAMING)
    barrier, outcomes = threading.Barrier(2), []

    def upload(n):
        from django.db import connection

        known = PrivateBenchmark.objects.get(pk=version.benchmark_id)
        uploaded = read(questions(n))
        barrier.wait()
        try:
            outcomes.append(private_benchmarks.replace(known, uploaded).number)
        except NotAsItIs as error:
            outcomes.append(str(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=upload, args=(n,)) for n in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    stored = list(PrivateVersion.objects.order_by("number").values_list("number", flat=True))
    numbers = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert stored == [1, *sorted(numbers)]
    assert [outcome for outcome in outcomes if isinstance(outcome, str)] == [
        "Somebody else has just replaced the items of Travel rules: look at theirs, then try again."
    ] * (2 - len(numbers))
    assert all(PrivateItem.objects.filter(version=row).count() == row.n_items for row in PrivateVersion.objects.all())


# --- on the command line


def test_the_command_adds_lists_replaces_and_runs(counted, tmp_path, capsys):
    file = tmp_path / "rules.jsonl"
    file.write_bytes(lines_of(questions()))

    call_command("benchmarks", add=file, name="private/travel-rules", title="Travel rules")
    call_command("evaluate", model="orion-7b", benchmark=[NAME])
    file.write_bytes(lines_of(questions(4)))
    call_command("benchmarks", replace=file, name="travel-rules")
    call_command("benchmarks")

    told = capsys.readouterr().out
    assert "private/travel-rules, version 1: 6 items." in told
    assert "Travel rules on Orion 7B" in told
    assert "4 items, version 2" in told
    assert Run.objects.get().status == "succeeded"


def test_the_command_names_the_bad_lines_and_stores_nothing(db, tmp_path, capsys):
    file = tmp_path / "rules.jsonl"
    file.write_bytes(lines_of([*questions(1), *["no json"] * 60]))

    with pytest.raises(CommandError, match="Mend these lines"):
        call_command("benchmarks", add=file, name="travel-rules")

    told = capsys.readouterr().err
    assert "line 2: not JSON at character 1" in told
    assert "and 10 more" in told
    assert not PrivateBenchmark.objects.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"add": "nowhere.jsonl", "name": "a"}, "cannot be read"),
        ({"add": "nowhere.jsonl"}, "Give a short name"),
        ({"add": "nowhere.jsonl", "name": "a b"}, "Give a short name"),
        ({"replace": "nowhere.jsonl", "name": "a"}, "add it with --add"),
    ],
)
def test_the_command_says_what_is_missing(options, words, db):
    from pathlib import Path

    paths = {key: Path(value) if key in ("add", "replace") else value for key, value in options.items()}
    with pytest.raises(CommandError, match=words):
        call_command("benchmarks", **paths)
