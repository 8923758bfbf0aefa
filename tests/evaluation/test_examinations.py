"""Private sets examined in the background, from their upload and from the answers of runs."""

import io
import json
from datetime import timedelta

import numpy as np
import pytest
from django.db.models.functions import Now
from django.utils import timezone

from evaluation import examinations, private_benchmarks, runs
from evaluation.health_records import from_json
from evaluation.models import PrivateVersion, PromptText, Run, SampleResult
from evaluation.plans import Wish
from evaluation.private_benchmarks import Naming
from evaluation.private_sets import read_private_set
from evaluation.public_items import items_here
from evaluation.set_health import health_of
from evaluation.tasks import examine_private_sets
from tests.evaluation.test_set_health import invented, models_answers, spoilt

LETTERS = "ABCD"


def stored(items, slug="ours"):
    """As if it had been uploaded."""
    rows = [
        {"id": item.id, "question": item.question, "choices": item.choices, "answer": LETTERS[item.target]}
        for item in items
    ]
    data = "\n".join(json.dumps(row) for row in rows).encode()
    return private_benchmarks.add(read_private_set(io.BytesIO(data), size=len(data)), Naming(slug, slug.title()))


def answered(llm, version, items, taken):
    """A run in which the model took these choices."""
    run = Run.objects.create(
        llm=llm,
        benchmark=version.benchmark.name,
        data=Run.Data.PRIVATE,
        private_version=version,
        status=Run.Status.SUCCEEDED,
        n_samples=len(items),
    )
    prompt, _ = PromptText.objects.get_or_create(digest="none", compressed=b"")
    SampleResult.objects.bulk_create(
        SampleResult(
            run=run,
            sample_id=item.id,
            index=place,
            prompt=prompt,
            predictions={"acc": 0, "acc_norm": int(choice)},
            is_right=int(choice) == item.target,
        )
        for place, (item, choice) in enumerate(zip(items, taken, strict=True))
    )
    return run


def ill_set(rng, register, n=400):
    """With 5 % of the keys flipped and 10 % repeated, answered by six models; with the places of the wrong keys."""
    truth = invented(rng, n)
    items, wrong, again = spoilt(rng, truth, flipped=0.05, repeated=0.10)
    keys = np.array([item.target for item in truth])
    answers = models_answers(rng, keys, np.full(n, 4), [1.6, 1.4, 1.3, 1.2, 1.0, 0.9])
    version = stored(items)
    for number, taken in enumerate(np.concatenate([answers, answers[:, again]], axis=1)):
        answered(register(f"Model {number}"), version, items, taken)
    return version, wrong


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_a_fresh_upload_is_examined(rng, db):
    items = invented(rng, 60)
    version = stored(items)

    examine_private_sets()

    version.refresh_from_db()
    assert from_json(version.health) == health_of(items)
    assert (version.n_runs_examined, version.examining_since) == (0, None)
    assert not examinations.due().exists()


def test_flipped_keys_and_duplicates_are_found_from_stored_runs(rng, register, db):
    version, wrong = ill_set(rng, register)

    examinations.examine_due()

    version.refresh_from_db()
    health = from_json(version.health)
    listed = {key.item for key in health.wrong_keys if key.item < 400}
    assert len(listed & wrong) >= 0.6 * len(wrong)
    assert len(listed & wrong) >= 0.7 * len(listed)
    assert any("probably have a wrong key" in finding for finding in health.findings)
    assert any("repeat another one" in finding for finding in health.findings)
    assert version.health["n_models"] == 6
    assert len(health.discrimination) == health.n_items


def test_another_run_makes_it_due_and_texts_are_not_compared_again(rng, orion, monkeypatch):
    items = invented(rng, 30)
    version = stored(items)
    examinations.examine_due()
    answered(orion, version, items, [item.target for item in items])
    monkeypatch.setattr(examinations, "health_of", None)

    examinations.examine_due()

    version.refresh_from_db()
    assert (version.n_runs_examined, version.health["n_models"]) == (1, 1)
    assert not examinations.due().exists()


def test_of_a_models_runs_the_newest_counts(rng, orion):
    items = invented(rng, 30)
    version = stored(items)
    for _ in range(2):
        answered(orion, version, items, [0] * 30)
    examinations.examine_due()

    version.refresh_from_db()
    assert (version.n_runs_examined, version.health["n_models"]) == (2, 1)


def test_it_is_done_again_when_somebody_asks(rng, db):
    version = stored(invented(rng, 30))
    examinations.examine_due()

    examinations.make_due(version)

    assert list(examinations.due()) == [version]


def test_what_is_asked_for_meanwhile_is_done_again(rng, db, monkeypatch):
    version = stored(invented(rng, 30))
    real = examinations.examined

    def asked_for_meanwhile(version):
        examinations.make_due(version)
        return real(version)

    monkeypatch.setattr(examinations, "examined", asked_for_meanwhile)
    examinations.examine_due()

    version.refresh_from_db()
    assert (version.health, version.n_runs_examined) == (None, None)
    assert list(examinations.due()) == [version]


def test_who_was_given_up_does_not_overwrite_what_another_worker_found(rng, db, monkeypatch):
    version = stored(invented(rng, 30))
    real, found = examinations.examined, []

    def overtaken(version):
        monkeypatch.setattr(examinations, "examined", real)
        PrivateVersion.objects.update(examining_since=Now() - timedelta(hours=1))
        examinations.examine_due()
        found.append(PrivateVersion.objects.get().health)
        return {"failure": "late"}

    monkeypatch.setattr(examinations, "examined", overtaken)
    examinations.examine_due()

    version.refresh_from_db()
    assert version.health == found[0] != {"failure": "late"}


def test_what_was_asked_for_just_before_it_is_claimed_is_compared_anew(rng, db, monkeypatch):
    """Between the look at the row and the claim."""
    version = stored(invented(rng, 30))
    examinations.examine_due()
    PrivateVersion.objects.update(n_runs_examined=7)
    compared, real, now = [], examinations.health_of, timezone.now
    monkeypatch.setattr(examinations, "health_of", lambda *args, **named: compared.append(1) or real(*args, **named))
    monkeypatch.setattr(examinations.timezone, "now", lambda: examinations.make_due(version) or now())

    examinations.examine_due()

    assert compared == [1]


def test_what_another_worker_examines_is_left_alone_until_that_one_is_given_up(rng, db):
    version = stored(invented(rng, 30))
    PrivateVersion.objects.update(examining_since=Now())
    assert not examinations.due().exists()

    PrivateVersion.objects.update(examining_since=Now() - timedelta(hours=1))
    assert list(examinations.due()) == [version]


def test_a_set_that_breaks_the_examination_says_so_and_leaves_the_next_its_turn(rng, db, monkeypatch):
    first, second = stored(invented(rng, 30), "one"), stored(invented(rng, 30), "two")
    real = examinations.examined
    monkeypatch.setattr(examinations, "examined", lambda version: 1 / 0 if version == second else real(version))

    examinations.examine_due()

    first.refresh_from_db()
    second.refresh_from_db()
    assert second.health == {"failure": "ZeroDivisionError: division by zero"}
    assert from_json(first.health).n_items == 30


def test_questions_that_are_answered_in_words_are_compared_and_counted(register):
    rows = [
        {"id": f"w{i}", "question": f"How many days of leave has contract number {i % 20}?", "answer": "7"}
        for i in range(21)
    ]
    data = "\n".join(json.dumps(row) for row in rows).encode()
    version = private_benchmarks.add(read_private_set(io.BytesIO(data), size=len(data)), Naming("weeks", "Weeks"))
    for name in ("Orion", "Lyra", "Pavo"):
        run = runs.request(register(name, replies=("7", "8")), Wish(benchmark="private/weeks"))
        runs.execute(run.pk, run.epoch)

    examinations.examine_due()

    version.refresh_from_db()
    health = from_json(version.health)
    assert (0, 20) in {(pair.one, pair.other) for pair in health.duplicates}
    assert (health.positions, health.wrong_keys, health.without_question.of) == ((), (), 0)
    assert len(health.discrimination) == 21


def test_rows_of_public_sets_that_are_here_are_compared_with(public_rows, tmp_path, settings, db):
    settings.BENCHMARK_DATA_DIR, settings.HUB_ROWS_DIR = public_rows, tmp_path
    found = items_here(public_rows, tmp_path, with_choices=True)
    taken = [found["arc_challenge"][5], found["mmlu"][0]]
    items = [item._replace(id=str(place), target=1) for place, item in enumerate(taken)]
    beginnings = {name: rows[:50] for name, rows in found.items()}

    health = health_of(items, public=beginnings)

    assert {(one.benchmark, one.pair.one, one.pair.other) for one in health.in_public_sets} >= {
        ("arc_challenge", 0, 5),
        ("mmlu", 1, 0),
    }


def test_public_rows_that_are_not_here_are_left_out(tmp_path):
    (tmp_path / "piqa").mkdir()
    (tmp_path / "piqa" / "validation.jsonl").write_text("no json")
    (tmp_path / "mmlu").mkdir()
    row = {"question": "What?", "subject": "anatomy", "choices": ["one", "two", "three", "four"], "answer": 1}
    (tmp_path / "mmlu" / "test.jsonl").write_text(json.dumps(row))

    found = items_here(tmp_path, tmp_path / "nothing", with_choices=True)

    assert {name: [item.whole_text for item in items] for name, items in found.items()} == {
        "mmlu": ["What? four one three two"]
    }
