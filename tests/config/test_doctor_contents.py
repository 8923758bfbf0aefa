"""What `doctor` sees in the database: counts, keys, model servers, local models."""

import pytest
from django.utils import timezone

from arena import battles
from arena.models import PairCount
from config.doctor import contents
from config.doctor.findings import State
from llms.models import Endpoint, LanguageModel
from llms.sealing import seal
from tests.helpers.model_server import model_server

pytestmark = pytest.mark.django_db


def test_counts_that_disagree_with_the_votes(orion, lyra, begin, finish, visitor):
    battle = finish(begin())
    battles.cast_vote(battles.load(battle.pk), visitor, outcome="a")
    assert contents.counts().state is State.OK
    PairCount.objects.update(n=5)
    found = contents.counts()
    assert (found.state, found.mend) == (State.PROBLEM, "python manage.py rebuild_counts")


def endpoint(name="lab", **fields):
    return Endpoint.objects.create(name=name, **{"base_url": "http://127.0.0.1:9/v1", **fields})


def test_sealed_keys(settings):
    settings.FIELD_KEYS = ["o" * 40]
    endpoint("old", sealed_key=seal("sk-1"))
    assert contents.sealed_keys().words == "1 sealed with the first of FIELD_KEYS"
    settings.FIELD_KEYS = ["n" * 40, "o" * 40]
    assert contents.sealed_keys().mend == "python manage.py rotate_keys"
    settings.FIELD_KEYS = ["n" * 40]
    found = contents.sealed_keys()
    assert found.state is State.PROBLEM
    assert "the keys of old" in found.words


def test_an_endpoint_that_is_away_does_not_hide_one_that_is_there(monkeypatch):
    with model_server() as server:
        endpoint("here", base_url=server.url)
        endpoint("tired", base_url=server.url, resting_since=timezone.now(), last_error="slow")
        endpoint("away", base_url="http://127.0.0.1:1023/v1")
        found = {one.about: one for one in contents.model_servers()}
    assert {name: one.state for name, one in found.items()} == {
        "endpoint away": State.PROBLEM,
        "endpoint here": State.OK,
        "endpoint tired": State.WARNING,
    }
    assert "cannot be reached" in found["endpoint away"].words
    assert Endpoint.objects.get(name="tired").resting_since, "a look changes nothing"


def test_no_endpoints():
    assert [one.words for one in contents.model_servers()] == ["none registered"]


def test_models_whose_files_are_gone(orion, lyra, tmp_path):
    assert [one.state for one in contents.language_models()] == [State.OK]
    LanguageModel.objects.filter(pk=lyra.pk).update(engine="huggingface", source=str(tmp_path / "gone"), options={})
    found = list(contents.language_models())
    assert (found[0].state, found[0].about) == (State.PROBLEM, lyra.slug)
    assert str(tmp_path / "gone") in found[0].words


def test_too_few_models(orion):
    (found,) = contents.language_models()
    assert (found.state, found.words) == (State.WARNING, "1 may be drawn, a battle needs two")
