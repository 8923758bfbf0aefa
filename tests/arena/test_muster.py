"""Only what is ready is drawn; while the rest is loaded, voters hear how far that is."""

import uuid

import pytest
from django.urls import reverse

from arena import battles
from arena.errors import NotEnoughModels, StillLoading
from arena.muster import muster
from llms.engines.base import LoadingFailed
from llms.pool import pool
from tests.helpers.scripted_loads import Loads

pytestmark = pytest.mark.django_db


@pytest.fixture
def loads(monkeypatch):
    """Engines that hold weights, and wait at a gate while they are loaded."""
    from llms import keeper
    from llms import pool as pool_module

    loads = Loads()
    loads.holds_weights = True
    monkeypatch.setattr(keeper, "engine_class", loads)
    monkeypatch.setattr(pool_module, "engine_class", loads)
    yield loads
    loads.gate.set()


@pytest.fixture
def three(register):
    return [register(name, source=name) for name in ("Orion", "Lyra", "Pavo")]


def start(visitor):
    return battles.start(visitor, key=uuid.uuid4(), prompt="Hello")


def test_what_is_being_loaded_is_never_drawn(loads, three, visitor):
    pool.load(three[0]).result(5), pool.load(three[1]).result(5)
    loads.gate.clear()
    for _ in range(20):
        battle = start(visitor)
        assert {battle.llm_a, battle.llm_b} == set(three[:2])
    assert battle.probability == 1


def test_too_early_a_start_says_how_far_the_loading_is(loads, three, visitor):
    pool.load(three[0]).result(5)
    loads.gate.clear()
    with pytest.raises(StillLoading) as refused:
        start(visitor)
    assert "1 of 3 ready" in str(refused.value.user_message)
    loads.gate.set()
    for llm in three:
        pool.load(llm).result(5)
    assert start(visitor).pk


def test_where_nothing_is_on_its_way_there_are_not_enough(loads, three, visitor):
    loads.error = LoadingFailed("no memory")
    for llm in three[1:]:
        assert pool.load(llm).exception(5)
    loads.error = None
    pool.load(three[0]).result(5)
    with pytest.raises(NotEnoughModels) as refused:
        start(visitor)
    assert refused.value.code == "not_enough_models"
    assert muster(visitor.user).n_present == 1


def test_in_a_process_that_loads_no_weights_only_what_is_elsewhere_is_drawn(loads, three, visitor, settings):
    settings.LOADS_WEIGHTS = False
    with pytest.raises(NotEnoughModels):
        start(visitor)
    loads.holds_weights = False
    assert start(visitor).pk
    assert loads.loaded == []


def test_the_start_page_says_it_and_hears_more(loads, three, client):
    pool.load(three[0]).result(5)
    loads.gate.clear()
    shown = client.get(reverse("arena:new_battle"))
    assert shown.context["n_contenders"] == 3
    assert "Models are being loaded: 1 of 3 ready." in shown.content.decode()
    assert client.get(reverse("arena:readiness")).json() == {
        "ready": 1,
        "all": 3,
        "words": shown.context["loading_words"],
    }
    loads.gate.set()
    pool.load(three[1]).result(5)
    loads.gate.clear()
    now = client.get(reverse("arena:readiness")).json()
    assert now["ready"] in {2, 3}
    loads.gate.set()
    pool.load(three[2]).result(5)
    assert client.get(reverse("arena:readiness")).json() == {"ready": 3, "all": 3, "words": ""}
    assert "data-warming" not in client.get(reverse("arena:new_battle")).content.decode()


def test_internal_models_are_not_counted_before_visitors(loads, three, register, client, rana, sign_in):
    register("Nova", source="Nova", visibility="internal")
    loads.gate.clear()
    assert client.get(reverse("arena:readiness")).json()["all"] == 3
    assert sign_in(rana).get(reverse("arena:readiness")).json()["all"] == 4


def test_it_is_said_in_turkish_too(loads, three, client):
    loads.gate.clear()
    words = client.get(reverse("arena:readiness"), headers={"Accept-Language": "tr"}).json()["words"]
    assert "3" in words
