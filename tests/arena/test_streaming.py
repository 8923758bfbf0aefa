"""Two streams shown as a pair: what may be seen of either tells nothing of how fast it was written."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena import streaming
from arena.masking import MASK, Names
from arena.streaming import Duel, Ended, Shown
from llms.engines.base import (
    GenerationFailed,
    PromptTooLong,
    TextDelta,
)
from llms.engines.deadlines import Deadlines, within_deadlines
from tests.helpers.duels import END, NOBODY, STEP, Writer, ends, pace, play, steps, texts, watch, while_both_write
from tests.helpers.virtual_time import run


@pytest.mark.parametrize("late", ["a", "b"])
@pytest.mark.parametrize("delay", [0.0, 0.01, 1.0, 40.0])
def test_both_sides_begin_at_the_same_moment(late, delay):
    prompt, tardy = pace("x" * 90, 0.01), pace("y" * 90, 0.01, first=delay)
    seen = play(tardy, prompt) if late == "a" else play(prompt, tardy)
    firsts = {side: next(time for time, event in seen if event.side == side) for side in ("a", "b")}
    assert firsts["a"] == firsts["b"] >= delay


@pytest.mark.parametrize("fast", ["a", "b"])
@pytest.mark.parametrize("seconds", [0.0001, 0.02, 0.3, 2.0])
def test_while_both_write_both_get_the_same_at_each_step(fast, seconds):
    quick, slow = pace("x" * 600, 0.0001, size=17), pace("y" * 600, seconds, size=2)
    seen = play(quick, slow) if fast == "a" else play(slow, quick)
    together = while_both_write(seen)
    assert len(together) > 10
    assert all(lengths.get("a") == lengths.get("b") for lengths in together.values())


def test_speed_is_no_tell_over_many_battles():
    """Somebody who sees nothing but when how much appears on which side cannot say which one is faster."""
    rng = random.Random(7)
    for _ in range(40):
        fast = Writer(*mixed(rng, 0.005))
        slow = Writer(*mixed(rng, 0.05))
        turned = [Writer(*slow.script), Writer(*fast.script)]
        straight, swapped = play(fast, slow), play(*turned)
        assert steps(straight) == {
            time: {{"a": "b", "b": "a"}[side]: n for side, n in lengths.items()}
            for time, lengths in steps(swapped).items()
        }
        assert all(lengths.get("a") == lengths.get("b") for lengths in while_both_write(straight).values())


def mixed(rng, seconds):
    for _ in range(rng.randint(20, 60)):
        yield rng.expovariate(1 / seconds)
        yield "z" * rng.randint(1, 9)


@pytest.mark.parametrize("speeds", [(0.001, 0.2), (0.2, 0.001)])
def test_the_shorter_answer_ends_first_whoever_is_faster(speeds):
    seen = play(pace("x" * 60, speeds[0]), pace("y" * 90, speeds[1]))
    assert [event.side for _, event in seen if isinstance(event, Ended)] == ["a", "b"]


def test_a_burst_does_not_betray_a_fast_server():
    seen = play(Writer("x" * 5_000), Writer("y" * 5_000))
    assert all(lengths == {"a": 30, "b": 30} for lengths in list(steps(seen).values())[:-1])
    assert seen[-1].time == pytest.approx(5_000 / 30 * STEP, abs=2 * STEP)


def test_what_is_left_of_the_longer_answer_flows_on():
    seen = play(Writer("x"), Writer("y" * 1_000))
    assert texts(seen) == {"a": "x", "b": "y" * 1_000}
    assert seen[-1].time <= 1_000 / streaming.ALONE_CHARACTERS_PER_TICK * STEP + 1


def test_a_side_that_stalls_holds_the_other_one_back():
    seen = play(pace("x" * 300, 0.01), Writer("yyy", 15.0, "zzz"))
    early = [event for time, event in seen if time < 14 and isinstance(event, Shown)]
    assert {event.side: len(event.text) for event in early} == {"a": 3, "b": 3}


# --- everything arrives


@settings(max_examples=120, deadline=None, database=None, derandomize=True)
@given(*[st.lists(st.one_of(st.text(min_size=1, max_size=90), st.sampled_from([0.001, 0.06, 3.0])), max_size=14)] * 2)
def test_all_of_both_answers_is_shown_in_order_and_once(script_a, script_b):
    seen = play(Writer(*script_a), Writer(*script_b))
    written = ["".join(step for step in script if isinstance(step, str)) for script in (script_a, script_b)]
    assert texts(seen) == dict(zip("ab", (text.replace("\x00", "\ufffd") for text in written), strict=True))
    assert all(end.end == END and end.error is None for end in ends(seen).values())
    assert set(ends(seen)) == {"a", "b"}
    for side in ("a", "b"):
        assert isinstance([event for _, event in seen if event.side == side][-1], Ended)


def test_empty_answers_end_well():
    seen = play(Writer(), Writer())
    assert texts(seen) == {"a": "", "b": ""}
    assert all(end.end == END for end in ends(seen).values())


@pytest.mark.parametrize("empty", ["a", "b"])
def test_an_empty_answer_leaves_the_other_one_alone(empty):
    writers = [Writer(), pace("x" * 200, 0.01, first=2.0)]
    seen = play(*(writers if empty == "a" else reversed(writers)))
    assert sorted(texts(seen).values()) == ["", "x" * 200]


def test_an_empty_answer_is_not_reported_before_the_other_side_begins():
    seen = play(Writer(), pace("x" * 30, 0.01, first=5.0))
    assert min(time for time, _ in seen) >= 5.0


def test_what_no_database_can_store_is_replaced():
    seen = play(Writer("a\x00b"), Writer("\ud83d oh \udfff"))
    assert texts(seen) == {"a": "a\ufffdb", "b": "\ufffd oh \ufffd"}


def test_one_side_alone_flows_by_itself():
    async def alone():
        duel = Duel(NOBODY)
        duel.open("b", pace("x" * 50, 0.01).stream())
        assert duel.written("a") == ""
        return await watch(duel)

    assert texts(run(alone())) == {"a": "", "b": "x" * 50}


# --- names


def test_a_name_is_never_shown_not_even_in_part_and_not_for_a_moment():
    names = Names(["Orion 7B"])
    spoken = ["I am ", "Or", 1.0, "ion", 1.0, " ", "7", 1.0, "B", ", hello ", "Or", 1.0, "leans"]
    seen = play(Writer(*spoken), Writer(*spoken), names)
    assert texts(seen)["a"] == f"I am {MASK}, hello Orleans"
    so_far = ""
    for _, event in seen:
        if isinstance(event, Shown) and event.side == "a":
            so_far += event.text
            assert "Ori" not in so_far
    assert not [time for time, event in seen if isinstance(event, Shown) and "O" in event.text and time < 3.9]


def test_a_side_that_says_a_name_first_does_not_begin_before_the_other():
    seen = play(Writer("Ori", 2.0, "on 7B is my name"), Writer("Hello"), Names(["Orion 7B"]))
    assert min(time for time, _ in seen) >= 2.0


def test_the_original_is_kept_beside_what_is_shown():
    async def both():
        duel = Duel(Names(["Orion 7B"]))
        duel.open("a", Writer("I am Orion", " 7B").stream())
        duel.open("b", Writer("Hi").stream())
        return texts(await watch(duel)), duel.written("a")

    shown, written = run(both())
    assert (shown["a"], written) == (f"I am {MASK}", "I am Orion 7B")


# --- failures


@pytest.mark.parametrize("failing", ["a", "b"])
def test_a_side_that_fails_before_its_first_word_is_reported_at_once(failing):
    writers = {"a": pace("x" * 30, 0.01, first=5.0), "b": pace("x" * 30, 0.01, first=5.0)}
    writers[failing] = Writer(0.5, PromptTooLong("no"))
    seen = play(writers["a"], writers["b"])
    assert seen[0].event.side == failing
    assert seen[0].time == pytest.approx(0.5, abs=0.01)
    assert isinstance(ends(seen)[failing].error, PromptTooLong)
    assert sorted(texts(seen).values()) == ["", "x" * 30]


def test_a_side_that_fails_in_the_middle_shows_what_it_wrote():
    seen = play(Writer("so far ", "so good", GenerationFailed("oom")), pace("x" * 300, 0.01))
    assert texts(seen) == {"a": "so far so good", "b": "x" * 300}
    assert isinstance(ends(seen)["a"].error, GenerationFailed)
    assert ends(seen)["a"].end is None


def test_half_a_name_stays_back_when_a_side_fails():
    seen = play(Writer("I am Orion", GenerationFailed("oom")), Writer("Hi"), Names(["Orion 7B"]))
    assert texts(seen)["a"] == "I am "


def test_both_sides_may_fail():
    seen = play(Writer(GenerationFailed("one")), Writer("x", GenerationFailed("two")))
    assert [str(end.error) for end in ends(seen).values()] == ["one", "two"]


def test_a_stream_that_ends_without_saying_so_has_failed():
    seen = play(Writer("half a sen", end=None), Writer("whole"))
    assert isinstance(ends(seen)["a"].error, GenerationFailed)
    assert texts(seen)["a"] == "half a sen"


def test_another_stream_takes_a_failed_side_over():
    async def with_successor():
        duel = Duel(NOBODY)
        duel.open("a", Writer("old", GenerationFailed("oom")).stream())
        duel.open("b", pace("y" * 200, 0.01).stream())

        def succeed(event):
            if isinstance(event, Ended) and event.error:
                duel.open("a", pace("new" * 40, 0.01, first=1.0).stream())

        return await watch(duel, succeed), duel.written("a")

    seen, written = run(with_successor())
    assert texts(seen) == {"a": "old" + "new" * 40, "b": "y" * 200}
    assert written == "new" * 40
    assert [event.error is None for _, event in seen if isinstance(event, Ended)] == [False, True, True]


def test_a_successor_is_found_even_when_its_failure_was_the_last_event():
    async def with_successor():
        duel = Duel(NOBODY)
        duel.open("a", Writer(3.0, GenerationFailed("oom")).stream())
        duel.open("b", Writer("y").stream())

        def succeed(event):
            if isinstance(event, Ended) and event.error:
                duel.open("a", Writer("new").stream())

        return await watch(duel, succeed)

    assert texts(run(with_successor())) == {"a": "new", "b": "y"}


def test_a_defect_is_not_taken_for_a_slow_model():
    a, b = Writer("x", 1.0, RuntimeError("a bug")), pace("y" * 900, 0.1)
    with pytest.raises(RuntimeError, match="a bug"):
        play(a, b)
    assert a.is_closed
    assert b.is_closed


# --- stopping


def test_closing_stops_both_streams_and_lets_them_clean_up():
    a, b = pace("x" * 900, 0.1), pace("y" * 900, 0.1)

    async def leave_early():
        duel = Duel(NOBODY)
        duel.open("a", a.stream())
        duel.open("b", b.stream())
        async for _ in duel.events():
            break
        await duel.close()

    run(leave_early())
    assert a.is_closed
    assert b.is_closed
    assert a.n_written + b.n_written < 20


def test_a_duel_that_is_stopped_shows_no_more():
    async def stop_soon():
        duel = Duel(NOBODY)
        duel.open("a", pace("x" * 900, 0.1).stream())
        duel.open("b", pace("y" * 900, 0.1).stream())
        asyncio.get_running_loop().call_later(1.0, duel.stop)
        return await watch(duel)

    seen = run(stop_soon())
    assert max(time for time, _ in seen) <= 1.0 + STEP
    assert 0 < len(texts(seen)["a"]) < 60


def test_a_duel_that_waits_for_its_first_word_can_be_stopped():
    async def stop_soon():
        duel = Duel(NOBODY)
        duel.open("a", Writer(900.0, "x").stream())
        duel.open("b", Writer(900.0, "y").stream())
        asyncio.get_running_loop().call_later(1.0, duel.stop)
        seen = await watch(duel)
        return seen, asyncio.get_running_loop().time()

    seen, ended_at = run(stop_soon())
    assert (seen, ended_at) == ([], pytest.approx(1.0))


@pytest.mark.parametrize("n_steps", range(12))
def test_a_fast_stream_behind_a_deadline_cannot_escape_its_cancellation(n_steps):
    """`wait_for` swallows a cancellation that meets its result; the stream would then run on for ever."""

    class Eager(Writer):
        async def stream(self):
            try:
                while True:
                    self.n_written += 1
                    yield TextDelta("x")
                    await asyncio.sleep(0)
            finally:
                self.is_closed = True

    writers = [Eager(), Eager()]

    async def close_soon():
        duel = Duel(NOBODY)
        for side, writer in zip(("a", "b"), writers, strict=True):
            duel.open(side, within_deadlines(writer.stream(), Deadlines()))
        for _ in range(n_steps):
            await asyncio.sleep(0)
        await asyncio.wait_for(duel.close(), 5)
        return [writer.is_closed or not writer.n_written for writer in writers]

    assert run(close_soon()) == [True, True]


def test_a_stream_that_runs_far_ahead_has_to_wait(monkeypatch):
    monkeypatch.setattr(streaming, "BACKLOG_CHARACTERS", 500)
    fast, slow = Writer(*["x" * 100] * 100), pace("y" * 300, 0.5)
    furthest = 0

    async def both():
        nonlocal furthest
        duel = Duel(NOBODY)
        duel.open("a", fast.stream())
        duel.open("b", slow.stream())
        n_shown = 0
        async for event in duel.events():
            n_shown += len(event.text) if isinstance(event, Shown) and event.side == "a" else 0
            furthest = max(furthest, len(duel.written("a")) - n_shown)
        await duel.close()
        return n_shown

    assert run(both()) == 10_000
    assert furthest <= 700
