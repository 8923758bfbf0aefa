"""Turns whose process died are ended by whoever notices, once; a process that wakes up too late changes nothing."""

from datetime import timedelta

import pytest
from django.utils import timezone

from arena import battles, tasks, transcripts
from arena.models import Answer, Turn
from arena.protocol import AnswerState, Phase
from arena.transcripts import Progress
from llms.engines.base import FinishReason, GenerationFailed, StreamEnd, Usage
from tests.helpers.waiting import eventually

pytestmark = pytest.mark.django_db

END = StreamEnd(FinishReason.STOP, Usage(1, 1))
TOO_LONG = battles.ABANDONED_AFTER.total_seconds() + 1


@pytest.fixture
def running(orion, lyra, begin):
    """A battle whose two answers have got as far as this."""

    def running(a="It was a dark night", b="I am Orion 7B and Ly", *, silent_for=0.0):
        battle = begin()
        heard = timezone.now() - timedelta(seconds=silent_for)
        Turn.objects.filter(battle=battle).update(heartbeat_at=heard)
        for side, text in (("a", a), ("b", b)):
            Answer.objects.filter(turn__battle=battle, side=side).update(text=text, state=AnswerState.STREAMING)
        return battles.load(battle.pk)

    return running


def answers_of(battle):
    return {answer.side: answer for answer in Answer.objects.filter(turn__battle=battle).order_by("attempt")}


def progress_of(answer, text="written after all"):
    return Progress(answer.pk, text, text, timezone.now())


def test_an_abandoned_turn_is_cut_off_with_its_text_masked(running):
    battle = running(silent_for=31)
    assert battles.cut_off_abandoned() == 1
    answers = answers_of(battle)
    assert [answer.state for answer in answers.values()] == ["cut_off", "cut_off"]
    assert answers["a"].shown_text == "It was a dark night"
    assert answers["b"].shown_text == "I am █████ and "  # the end may be half a name
    assert answers["b"].text == "I am Orion 7B and Ly"
    assert battles.phase_of(battles.load(battle.pk)) == Phase.STUCK


def test_it_is_cut_off_only_once(running):
    running(silent_for=31)
    assert battles.cut_off_abandoned() == 1
    ended_at = Turn.objects.get().ended_at
    assert battles.cut_off_abandoned() == 0
    assert Turn.objects.get().ended_at == ended_at


def test_two_who_notice_at_once_cut_it_off_once(running, monkeypatch):
    running(silent_for=31)
    names = battles.names_to_hide

    def somebody_else_is_faster():
        monkeypatch.setattr(battles, "names_to_hide", names)
        assert battles.cut_off_abandoned() == 1
        return names()

    monkeypatch.setattr(battles, "names_to_hide", somebody_else_is_faster)
    assert battles.cut_off_abandoned() == 0


def test_a_live_turn_is_left_alone(running):
    battle = running(silent_for=29)
    assert battles.cut_off_abandoned() == 0
    assert battles.phase_of(battle) == Phase.ANSWERING


def test_a_turn_that_is_heard_of_again_is_left_alone(running, monkeypatch):
    """Between the look and the deed its process may show that it lives."""
    battle = running(silent_for=31)
    names = battles.names_to_hide

    def it_lives():
        transcripts.flush([], [battles.last_turn(battle).pk])
        return names()

    monkeypatch.setattr(battles, "names_to_hide", it_lives)
    assert battles.cut_off_abandoned() == 0
    assert battles.phase_of(battles.load(battle.pk)) == Phase.ANSWERING


def test_what_had_ended_before_stays_as_it_was(running):
    battle = running(silent_for=31)
    Answer.objects.filter(side="a").update(state=AnswerState.COMPLETE, shown_text="whole")
    battles.cut_off_abandoned()
    answers = answers_of(battle)
    assert (answers["a"].state, answers["a"].shown_text) == ("complete", "whole")
    assert answers["b"].state == "cut_off"


def test_the_task_does_it_too(running):
    running(silent_for=31)
    tasks.cut_off_abandoned_turns()
    assert Turn.objects.get().ended_at


def test_at_the_start_of_the_only_process_everything_that_runs_is_abandoned(running):
    running(silent_for=0.01)
    assert battles.cut_off_abandoned(silent_for=timedelta(0)) == 1


def test_a_cut_off_turn_can_be_retried_and_voted(running, visitor, finish):
    battle = running(silent_for=31)
    battles.cut_off_abandoned()
    battles.retry(battles.load(battle.pk), visitor)
    battle = finish(battle)
    battles.cast_vote(battle, visitor, outcome="a")
    assert Answer.objects.filter(state=AnswerState.CUT_OFF).count() == 2


# --- a process that was taken for dead, and wakes up


def test_it_cannot_overwrite_what_was_cut_off(running):
    battle = running(silent_for=31)
    before = answers_of(battle)
    battles.cut_off_abandoned()
    for write in (
        lambda progress: transcripts.complete(progress, END),
        lambda progress: transcripts.fail(progress, GenerationFailed("late")),
        lambda progress: transcripts.break_off(progress, AnswerState.STOPPED),
    ):
        assert write(progress_of(before["a"])) is False
    turn = battles.last_turn(battle)
    orders = transcripts.flush([progress_of(before["a"])], [turn.pk])
    assert orders.give_up == {turn.pk}
    answer = answers_of(battle)["a"]
    assert (answer.state, answer.text) == ("cut_off", "It was a dark night")


def test_it_cannot_end_the_retry_that_another_process_runs(running, visitor):
    battle = running(silent_for=31)
    old = answers_of(battle)["a"]
    battles.cut_off_abandoned()
    turn = battles.retry(battles.load(battle.pk), visitor)
    assert transcripts.flush([progress_of(old)], [turn.pk]).give_up == {turn.pk}
    transcripts.end_turn(turn.pk)
    assert Turn.objects.running().filter(pk=turn.pk).exists()
    assert answers_of(battle)["a"].text == ""


@pytest.mark.django_db(transaction=True)
async def test_a_running_process_notices_that_it_was_given_up(enrol, visits, processes, in_thread):
    for name in ("Cygnus 1B", "Draco 1B"):
        await enrol(name, reply="tick tock " * 500, delay=0.005)
    page = await visits.open()
    await page.start()
    await page.until(lambda page: all(page.texts().values()))
    assert await in_thread(battles.cut_off_abandoned, silent_for=timedelta(seconds=-60)) == 1
    await page.until_phase("stuck")
    assert page.states() == {"a": "cut_off", "b": "cut_off"}
    await eventually(lambda: not processes.of("one")._by_battle)
