"""Of many who come at once, no more get in than there is room for."""

import asyncio
import uuid

import pytest

from arena import live_turns
from arena import visits as visits_of_arena
from arena.errors import Busy, TooManyAtOnce
from arena.places import Places
from arena.visitors import Visitor
from tests.helpers.engines import EndlessEngine, Shelf
from tests.helpers.waiting import eventually


def visitor(name, address="192.0.2.1"):
    return Visitor(name, address, None)


@pytest.fixture(autouse=True)
def _limits(settings):
    settings.MAX_ACTIVE_TURNS, settings.ACTIVE_TURNS_PER_VISITOR, settings.ADDRESS_FACTOR = 5, 2, 2


def is_free(places, who):
    with places.take(who) as place:
        try:
            place.check()
        except (Busy, TooManyAtOnce):
            return False
        return True


def test_one_visitor_has_a_share():
    places = Places()
    with places.take(visitor("v")), places.take(visitor("v")), pytest.raises(TooManyAtOnce):
        places.take(visitor("v")).check()


def test_one_address_has_a_greater_share():
    places = Places()
    for n in range(4):
        places.take(visitor(f"v{n}")).check()
    with pytest.raises(Busy):
        places.take(visitor("w")).check()
    places.take(visitor("w", "192.0.2.2")).check()


def test_the_process_has_an_end():
    places = Places()
    for n in range(5):
        places.take(visitor(f"v{n}", f"192.0.2.{n}")).check()
    with pytest.raises(Busy):
        places.take(visitor("w", "192.0.2.9")).check()


def test_what_is_not_kept_is_given_back_whatever_happens():
    places = Places()
    for _ in range(20):
        with pytest.raises(ZeroDivisionError), places.take(visitor("v")):
            raise ZeroDivisionError
    assert is_free(places, visitor("v"))


def test_what_is_kept_is_given_back_once():
    places = Places()
    with places.take(visitor("v")) as first, places.take(visitor("v")) as second:
        first.keep()
        second.keep()
    assert not is_free(places, visitor("v"))
    for _ in range(3):
        first.give_back()
    assert is_free(places, visitor("v"))
    with places.take(visitor("v")):
        assert not is_free(places, visitor("v"))


def test_a_refusal_holds_nothing():
    places = Places()
    held = [places.take(visitor("v")) for _ in range(2)]
    for _ in range(5):
        places.take(visitor("v")).give_back()
    assert not is_free(places, visitor("v"))
    for place in held:
        place.give_back()
    assert places._visitors.total() == places._addresses.total() == 0


async def test_what_is_given_up_while_it_is_waited_for_is_given_back():
    places = Places()

    async def hold():
        with places.take(visitor("v")):
            await asyncio.Event().wait()

    holding = asyncio.create_task(hold())
    await asyncio.sleep(0)
    assert places._visitors.total() == 1
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    assert places._visitors.total() == places._addresses.total() == 0


def n_taken(processes):
    places = processes.of("one").places
    assert places._visitors.total() == places._addresses.total()
    return places._visitors.total()


async def test_a_start_that_fails_holds_no_place(orion, lyra, visits, processes, shelf_of_endless, monkeypatch):
    """The battle is taken back with it, so that the same wish can be heard again."""
    visits.expected_errors = {"a frame could not be answered"}
    page = await visits.open()
    key = str(uuid.uuid4())
    with monkeypatch.context() as broken:
        broken.setattr(visits_of_arena, "script_of", lambda *_: 1 / 0)
        await page.start(key=key)
        assert (await page.until_refused())["code"] == "server_error"
    assert n_taken(processes) == 0
    await page.start(key=key)
    await page.until(lambda page: all(page.texts().values()))
    assert n_taken(processes) == 1


async def test_a_wish_that_is_refused_holds_no_place(orion, lyra, visits, processes, shelf_of_endless):
    page = await visits.open()
    await page.start(prompt=" ")
    assert (await page.until_refused())["code"] == "bad_prompt"
    assert n_taken(processes) == 0


async def test_a_place_is_free_when_its_turn_is_over(orion, lyra, visits, processes, shelf_of_endless):
    page = await visits.open()
    await page.start()
    await page.until(lambda page: all(page.texts().values()))
    assert n_taken(processes) == 1
    await page.ask("stop")
    await page.until_phase("voting")
    await eventually(lambda: n_taken(processes) == 0)


async def test_a_burst_does_not_get_past_the_limit(orion, lyra, visits, shelf_of_endless, settings):
    """Ten pages of one visitor that start at the same moment: two battles begin, and eight prompts are kept."""
    settings.MAX_ACTIVE_TURNS = 500
    pages = [await visits.open() for _ in range(10)]
    await asyncio.gather(*(page.start() for page in pages))
    frames = await asyncio.gather(*(page.next() for page in pages))
    kinds = sorted(frame.get("code", frame["type"]) for frame in frames)
    assert kinds == ["state"] * 2 + ["too_many_at_once"] * 8


@pytest.fixture
def shelf_of_endless(monkeypatch):
    engine = EndlessEngine()
    shelf = Shelf(orion=engine, lyra=engine)
    monkeypatch.setattr(live_turns, "pool", shelf)
    return shelf
