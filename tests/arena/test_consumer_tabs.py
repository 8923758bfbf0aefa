"""Sockets that come late, come back, look on from another process, read slowly, or leave for good."""

import asyncio
import itertools

import pytest

from arena import consumers, live_turns
from arena.models import Answer, Battle, Turn
from tests.helpers.engines import EndlessEngine, Shelf
from tests.helpers.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

STORY = "".join(f"line {number} of the story\n" for number in range(60))


@pytest.fixture
async def storytellers(enrol):
    return [await enrol(name, reply=STORY, delay=0.002, chunk_size=5) for name in ("Orion 7B", "Lyra 13B")]


@pytest.fixture
def endless(orion, lyra, monkeypatch):
    """Two models that write until somebody stops them."""
    engine = EndlessEngine()
    monkeypatch.setattr(live_turns, "pool", Shelf(orion=engine, lyra=engine))
    return engine


@pytest.fixture
def soon_abandoned(settings):
    settings.OUTLIVES_SOCKET_SECONDS = 0.2


def has_text(page):
    return all(page.texts().values())


@pytest.fixture
def all_is_over(in_thread):
    async def all_is_over():
        return not await in_thread(Turn.objects.running().exists)

    return all_is_over


async def test_a_socket_that_comes_back_loses_and_doubles_nothing(storytellers, visits):
    page = await visits.open()
    await page.start()
    battle = await page.until(has_text)
    while battle["phase"] == "answering":
        await page.close()
        page = await visits.to(battle["id"])
        battle = await page.until(has_text)
        await page.frames_of(0.03)
        battle = page.battle
    assert len(visits.pages) > 3
    assert page.texts() == {"a": STORY, "b": STORY}


async def test_the_turn_goes_on_while_nobody_looks(storytellers, visits, all_is_over):
    page = await visits.open()
    await page.start()
    battle = await page.until(has_text)
    await page.close()
    await eventually(all_is_over)
    page = await visits.to(battle["id"])
    await page.until_phase("voting")
    assert page.texts() == {"a": STORY, "b": STORY}


async def test_a_turn_that_nobody_comes_back_to_is_cut_off(endless, soon_abandoned, visits, all_is_over):
    page = await visits.open()
    await page.start()
    battle = await page.until(has_text)
    await page.close()
    await eventually(all_is_over)
    assert endless.n_running == 0
    page = await visits.to(battle["id"])
    assert (await page.until_phase("stuck"))["can_retry"]
    assert page.states() == {"a": "cut_off", "b": "cut_off"}
    assert page.texts()["a"].startswith("word word ")


async def test_a_turn_whose_voter_left_before_the_first_look_is_cut_off_too(
    endless, soon_abandoned, visits, all_is_over, monkeypatch
):
    monkeypatch.setattr(consumers.BattleConsumer, "_tell_state", lambda *_: asyncio.sleep(0))
    page = await visits.open()
    await page.start()
    await eventually(lambda: endless.n_running == 2)
    await page.close()
    await eventually(all_is_over)
    assert endless.n_running == 0


async def test_a_turn_is_not_cut_off_while_anybody_looks(endless, soon_abandoned, visits, in_thread):
    page = await visits.open()
    await page.start()
    battle = await page.until(has_text)
    other = await visits.to(battle["id"])
    await other.until(has_text)
    await page.close()
    await other.frames_of(0.5)
    assert other.battle["phase"] == "answering"
    assert endless.n_running == 2


async def test_somebody_who_looks_on_from_another_process_counts(endless, soon_abandoned, visits, in_thread):
    page = await visits.open(served_by="one")
    await page.start()
    battle = await page.until(has_text)
    other = await visits.to(battle["id"], served_by="two")
    await other.until(has_text)
    await page.close()
    await other.frames_of(0.6)
    assert other.battle["phase"] == "answering"
    assert endless.n_running == 2


async def test_another_process_follows_a_turn_to_its_end(storytellers, visits, processes):
    page = await visits.open(served_by="one")
    await page.start()
    battle = await page.until(has_text)
    other = await visits.to(battle["id"], served_by="two")
    seen = []
    while other.battle.get("phase") != "voting":
        await other.next()
        seen.append(other.texts()["a"])
    assert len(seen) > 3
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(seen))
    assert other.texts() == {"a": STORY, "b": STORY}
    assert not processes.of("two")._by_battle
    await other.ask("vote", outcome="b")
    await page.until_phase("revealed")
    await other.until_phase("revealed")
    assert page.battle == other.battle


async def test_another_process_can_stop_a_turn(endless, visits):
    page = await visits.open(served_by="one")
    await page.start()
    battle = await page.until(has_text)
    other = await visits.to(battle["id"], served_by="two")
    await other.until(has_text)
    await other.ask("stop")
    await other.until_phase("voting")
    await page.until_phase("voting")
    assert page.states() == other.states() == {"a": "stopped", "b": "stopped"}
    assert page.texts() == other.texts()
    assert endless.n_running == 0


async def test_another_process_can_go_on(orion, lyra, visits):
    page = await visits.open(served_by="one")
    await page.start()
    battle = await page.until_phase("voting")
    other = await visits.to(battle["id"], served_by="two")
    await other.until_phase("voting")
    await other.go_on("Two?")
    await other.until(lambda page: len(page.battle["turns"]) == 2 and page.battle["phase"] == "voting")
    await page.until(lambda page: len(page.battle["turns"]) == 2 and page.battle["phase"] == "voting")
    assert page.battle == other.battle


async def test_a_reader_who_is_slow_gets_everything_in_larger_pieces(storytellers, visits, all_is_over):
    page = await visits.open()
    await page.start()
    await page.until(has_text)
    page.transport.flows.clear()
    await eventually(all_is_over)
    page.transport.flows.set()
    n_before = len(page.received)
    await page.until_phase("voting")
    assert page.texts() == {"a": STORY, "b": STORY}
    assert len(page.received) - n_before < 12


async def test_numbers_stay_gapless_when_the_reader_is_slow_and_asks_again(endless, visits):
    page = await visits.open()
    await page.start()
    await page.until(has_text)
    for _ in range(5):
        page.transport.flows.clear()
        await asyncio.sleep(0.02)
        await page.ask("sync")
        await page.ask("nonsense")
        await asyncio.sleep(0.02)
        page.transport.flows.set()
        await page.frames_of(0.05)
    await page.ask("stop")
    while page.battle["phase"] != "voting":
        await page.next()


async def test_a_network_that_breaks_is_no_defect(endless, soon_abandoned, visits, all_is_over):
    page = await visits.open()
    await page.start()
    await page.until(has_text)
    page.transport.is_lost = True
    await page.ask("sync")
    await page.ask("nonsense")
    await asyncio.sleep(0.05)
    await page.close()
    await eventually(all_is_over)


async def test_a_battle_that_is_deleted_under_the_reader_closes_the_socket(endless, visits, in_thread):
    page = await visits.open(served_by="one")
    await page.start()
    battle = await page.until(has_text)
    other = await visits.to(battle["id"], served_by="two")
    await other.until(has_text)
    await page.ask("stop")
    await page.until_phase("voting")
    await in_thread(Battle.objects.all().delete)
    await other.ask("sync")
    assert await other.until_closed() == consumers.NOT_FOUND


async def test_a_page_that_cannot_be_told_is_closed_so_that_it_comes_back(endless, visits, monkeypatch):
    visits.expected_errors = {"could not be told on"}
    page = await visits.open()
    await page.start()
    await page.until(has_text)
    monkeypatch.setattr(consumers, "overlaid", lambda *_: 1 / 0)
    await page.ask("sync")
    assert await page.until_closed() == 1000


async def test_what_was_done_is_shown_even_when_other_pages_cannot_be_told(orion, lyra, visits, monkeypatch):
    visits.expected_errors = {"other pages could not be told"}
    page = await visits.open()
    await page.start()
    await page.until_phase("voting")

    async def fail(*_):
        raise ConnectionError("the channel layer is away")

    from channels.layers import get_channel_layer

    monkeypatch.setattr(get_channel_layer(), "group_send", fail)
    await page.ask("vote", outcome="a")
    await page.until_phase("revealed")


async def test_the_server_going_down_leaves_every_answer_cut_off(endless, visits, processes, in_thread):
    page = await visits.open()
    await page.start()
    await page.until(has_text)
    await processes.of("one").close()
    await page.until_phase("stuck")
    rows = await in_thread(lambda: list(Answer.objects.values_list("state", flat=True)))
    assert rows == ["cut_off", "cut_off"]
    assert not await in_thread(Turn.objects.running().exists)
