"""A turn runs once, is saved while it runs, and comes to an end whatever happens."""

import asyncio
import uuid

import pytest
from django.db import DatabaseError, InterfaceError

from arena import battles, live_turns, transcripts
from arena.live_turns import LiveTurns
from arena.models import Answer, Turn
from arena.protocol import AnswerState
from arena.visitors import Visitor
from tests.helpers.engines import EndlessEngine, ListeningEngine, Shelf
from tests.helpers.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

SOMEBODY = Visitor("a random id", "192.0.2.1", None)


@pytest.fixture
def engine(orion, lyra, monkeypatch):
    engine = EndlessEngine()
    monkeypatch.setattr(live_turns, "pool", Shelf(orion=engine, lyra=engine))
    return engine


@pytest.fixture
def turns(processes) -> LiveTurns:
    return processes.of("one")


@pytest.fixture
def new_turn(visitor, in_thread):
    """A turn that nobody runs yet."""

    async def new_turn():
        battle = await in_thread(battles.start, visitor, key=uuid.uuid4(), prompt="Hello")
        return await in_thread(transcripts.script_of, battle, visitor.user)

    return new_turn


@pytest.fixture
def states(in_thread):
    async def states():
        return sorted(await in_thread(lambda: list(Answer.objects.values_list("state", flat=True))))

    return states


def errors(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


async def has_ended(live):
    await asyncio.wait_for(asyncio.wait([live.task]), 10)


async def test_begun_twice_at_once_a_turn_runs_once(engine, turns, new_turn, visitor):
    turn = await new_turn()
    first, second = await asyncio.gather(*(turns.begin(turn, turns.places.take(SOMEBODY)) for _ in range(2)))
    assert first is second
    await eventually(lambda: engine.n_running == 2)
    first.break_off(AnswerState.STOPPED)
    await has_ended(first)
    assert engine.n_running == 0


async def test_text_is_saved_while_it_is_written(engine, turns, new_turn, visitor, in_thread):
    live = await turns.begin(await new_turn(), turns.places.take(SOMEBODY))

    async def is_saved():
        rows = await in_thread(lambda: list(Answer.objects.values_list("state", "text", "shown_text")))
        return all(state == "streaming" and len(text) > 50 and text.startswith(shown) for state, text, shown in rows)

    await eventually(is_saved)
    heard = await in_thread(lambda: Turn.objects.get().heartbeat_at)

    async def is_heard_of_again():
        return await in_thread(lambda: Turn.objects.get().heartbeat_at) > heard

    await eventually(is_heard_of_again)
    live.break_off(AnswerState.STOPPED)
    await has_ended(live)


@pytest.mark.parametrize("trouble", [DatabaseError, InterfaceError, ValueError])
async def test_a_save_that_fails_is_tried_again(
    trouble, engine, turns, new_turn, visitor, in_thread, monkeypatch, caplog
):
    flush, n_failures = transcripts.flush, iter(range(3))

    def fail_at_first(*arguments):
        if next(n_failures, None) is not None:
            raise trouble("the database is away")
        return flush(*arguments)

    monkeypatch.setattr(transcripts, "flush", fail_at_first)
    live = await turns.begin(await new_turn(), turns.places.take(SOMEBODY))

    async def is_saved():
        return await in_thread(lambda: all(Answer.objects.values_list("text", flat=True)))

    await eventually(is_saved)
    assert [error for error in errors(caplog) if "could not be saved; trying again" in error] != []
    live.break_off(AnswerState.STOPPED)
    await has_ended(live)


async def test_an_answer_whose_end_cannot_be_saved_at_once_is_complete_all_the_same(
    orion, lyra, turns, new_turn, visitor, monkeypatch, caplog, states
):
    monkeypatch.setattr(live_turns, "pool", Shelf(orion=ListeningEngine(), lyra=ListeningEngine()))
    complete, n_failures = transcripts.complete, iter(range(3))

    def fail_at_first(*arguments):
        if next(n_failures, None) is not None:
            raise InterfaceError("the database restarts")
        return complete(*arguments)

    monkeypatch.setattr(transcripts, "complete", fail_at_first)
    live = await turns.begin(await new_turn(), turns.places.take(SOMEBODY))
    await has_ended(live)
    assert await states() == ["complete", "complete"]
    assert len(errors(caplog)) == 3


async def test_an_end_that_cannot_be_saved_is_tried_again(
    engine, turns, new_turn, visitor, monkeypatch, caplog, states
):
    end_turn, n_failures = transcripts.end_turn, iter(range(3))

    def fail_at_first(turn_id):
        if next(n_failures, None) is not None:
            raise DatabaseError("the database is away")
        end_turn(turn_id)

    monkeypatch.setattr(transcripts, "end_turn", fail_at_first)
    live = await turns.begin(await new_turn(), turns.places.take(SOMEBODY))
    live.break_off(AnswerState.STOPPED)
    await has_ended(live)
    assert live.task.exception() is None
    assert await states() == ["stopped", "stopped"]
    assert len(errors(caplog)) == 3


async def test_nobody_waits_for_ever_for_an_end_that_is_never_saved(
    engine, turns, new_turn, visitor, monkeypatch, caplog
):
    monkeypatch.setattr(live_turns, "FLUSH_SECONDS", 0.001)

    def fail(*_):
        raise DatabaseError("the database is gone")

    monkeypatch.setattr(transcripts, "break_off", fail)
    live = await turns.begin(await new_turn(), turns.places.take(SOMEBODY))
    listener = live.listen()
    live.break_off(AnswerState.STOPPED)
    async with asyncio.timeout(5):
        while await listener.next() is not None:
            pass
    await eventually(lambda: turns.find(live.script.battle.pk) is None)
    assert "broke" in errors(caplog)[-1]


async def test_a_defect_leaves_no_answer_live(engine, turns, new_turn, visitor, monkeypatch, caplog, states):
    monkeypatch.setattr(live_turns.LiveTurn, "_show", lambda *_: 1 / 0)
    live = await turns.begin(await new_turn(), turns.places.take(SOMEBODY))
    await has_ended(live)
    assert await states() == ["cut_off", "cut_off"]
    assert engine.n_running == 0
    await eventually(lambda: errors(caplog))


async def test_a_task_that_is_cancelled_from_outside_leaves_no_answer_live(engine, turns, new_turn, visitor, states):
    live = await turns.begin(await new_turn(), turns.places.take(SOMEBODY))
    await eventually(lambda: engine.n_running == 2)
    live.task.cancel()
    await has_ended(live)
    assert await states() == ["cut_off", "cut_off"]
    assert engine.n_running == 0


async def test_the_next_turn_waits_for_the_last_word_of_the_one_before(
    turns, new_turn, visitor, in_thread, orion, lyra, monkeypatch
):
    engine = ListeningEngine()
    monkeypatch.setattr(live_turns, "pool", Shelf(orion=engine, lyra=engine))
    first_turn = await new_turn()
    first = await turns.begin(first_turn, turns.places.take(SOMEBODY))

    async def is_answered():
        return not await in_thread(Answer.objects.exclude(state="complete").exists)

    await eventually(is_answered)
    turn = await in_thread(lambda: battles.take_turn(first_turn.battle, visitor, key=uuid.uuid4(), prompt="And then?"))
    script = await in_thread(transcripts.script_of, turn.battle, visitor.user)
    second = await turns.begin(script, turns.places.take(SOMEBODY))
    assert first.task.done()
    await has_ended(second)
    assert len(engine.conversations) == 4


async def test_a_stop_that_comes_again_and_again_is_one_stop(engine, turns, new_turn, visitor, states):
    live = await turns.begin(await new_turn(), turns.places.take(SOMEBODY))
    for _ in range(200):
        live.break_off(AnswerState.STOPPED)
        live.break_off(AnswerState.CUT_OFF)
        await asyncio.sleep(0.001)
    await has_ended(live)
    assert await states() == ["stopped", "stopped"]


async def test_a_model_that_fails_after_the_stop_is_not_replaced(
    orion, lyra, pavo, turns, new_turn, visitor, states, monkeypatch
):
    shelf = Shelf()
    monkeypatch.setattr(live_turns, "pool", shelf)
    turn = await new_turn()
    live = await turns.begin(turn, turns.places.take(SOMEBODY))
    live._broken_off_as = AnswerState.STOPPED  # decided, and not yet acted upon
    await has_ended(live)
    assert await states() == ["failed", "failed"]


async def test_closing_with_nothing_to_close_is_no_trouble(turns):
    await turns.close()


async def test_the_one_who_tends_comes_and_goes(engine, turns, new_turn, visitor):
    for _ in range(2):
        live = await turns.begin(await new_turn(), turns.places.take(SOMEBODY))
        assert not turns._tender.done()
        live.break_off(AnswerState.STOPPED)
        await has_ended(live)
        await eventually(turns._tender.done)
