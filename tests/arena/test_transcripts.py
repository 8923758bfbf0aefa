"""What models write is saved beside the state that it had, and given back to them in the next turn."""

import uuid

import pytest
from django.utils import timezone

from arena import battles, transcripts
from arena.models import Answer, Turn
from arena.protocol import AnswerState
from arena.transcripts import Progress
from llms.chat import Message, Role
from llms.engines.base import FinishReason, GenerationFailed, PromptTooLong, StreamEnd, Usage

pytestmark = pytest.mark.django_db


@pytest.fixture
def battle(orion, lyra, begin):
    return begin("One?")


@pytest.fixture
def answer(battle):
    return Answer.objects.get(side="a")


def progress_of(answer, text="# Title\n\nIt **was** night", shown="# Title\n\nIt **was**"):
    return Progress(answer.pk, text, shown, timezone.now())


def script_of(battle, visitor):
    return transcripts.script_of(battles.load(battle.pk), visitor.user)


def test_while_it_runs_text_and_state_are_saved(battle, answer):
    turn = battles.last_turn(battle)
    transcripts.flush([progress_of(answer)], [turn.pk])
    answer.refresh_from_db()
    assert (answer.state, answer.text, answer.shown_text) == (
        "streaming",
        "# Title\n\nIt **was** night",
        "# Title\n\nIt **was**",
    )
    assert answer.first_token_at


def test_as_long_as_nothing_is_shown_it_is_waited_for(battle, answer):
    transcripts.flush([progress_of(answer, "I am Ori", "")], [battles.last_turn(battle).pk])
    answer.refresh_from_db()
    assert (answer.state, answer.text) == ("waiting", "I am Ori")


def test_flushing_says_which_turns_their_voters_stopped(battle, visitor):
    turn = battles.last_turn(battle)
    assert transcripts.flush([], [turn.pk]) == transcripts.Orders(set(), set())
    battles.request_stop(battle, visitor)
    assert transcripts.flush([], [turn.pk]) == transcripts.Orders({turn.pk}, set())


def test_a_turn_that_has_ended_is_neither_touched_nor_stopped(battle, visitor, finish):
    turn = battles.last_turn(finish(battle))
    transcripts.end_turn(turn.pk)
    heard = Turn.objects.get().heartbeat_at
    Turn.objects.update(stop_requested=True)
    assert transcripts.flush([], [turn.pk]) == transcripts.Orders(set(), set())
    assert Turn.objects.get().heartbeat_at == heard


def test_a_complete_answer_has_its_usage_and_its_style(answer):
    assert transcripts.complete(progress_of(answer), StreamEnd(FinishReason.LENGTH, Usage(7, 9)))
    answer.refresh_from_db()
    assert (answer.state, answer.finish_reason, answer.prompt_tokens, answer.completion_tokens) == (
        "complete",
        "length",
        7,
        9,
    )
    assert answer.style["n_headers"] == answer.style["n_bold"] == 1
    assert answer.ended_at


def test_a_failed_answer_keeps_its_text_and_the_reason_for_administrators(answer):
    assert transcripts.fail(progress_of(answer), PromptTooLong("x" * 9_000))
    answer.refresh_from_db()
    assert (answer.state, answer.error_code, len(answer.error_detail)) == ("failed", "prompt_too_long", 2_000)
    assert answer.text.startswith("# Title")


def test_what_no_database_takes_does_not_cost_an_answer_its_end(answer):
    assert transcripts.fail(progress_of(answer), GenerationFailed("broke\x00 off: \ud83d"))
    answer.refresh_from_db()
    assert (answer.state, answer.error_detail) == ("failed", "broke\ufffd off: \ufffd")


def test_an_answer_ends_once(answer):
    assert transcripts.fail(progress_of(answer), GenerationFailed("first"))
    assert not transcripts.complete(progress_of(answer), StreamEnd(FinishReason.STOP, Usage(1, 1)))
    assert not transcripts.break_off(progress_of(answer), AnswerState.STOPPED)
    answer.refresh_from_db()
    assert answer.state == "failed"


@pytest.mark.parametrize("shown", ["", "Some **words**"])
def test_a_stopped_answer_is_measured_if_there_is_anything_to_measure(shown, answer):
    assert transcripts.break_off(progress_of(answer, shown, shown), AnswerState.STOPPED)
    answer.refresh_from_db()
    assert bool(answer.style) == bool(shown)


def test_a_turn_does_not_end_while_an_answer_is_live(battle, finish):
    turn = battles.last_turn(battle)
    transcripts.end_turn(turn.pk)
    assert Turn.objects.running().exists()
    finish(battle)
    transcripts.end_turn(turn.pk)
    assert not Turn.objects.running().exists()


def test_the_script_holds_each_side_its_own_history(battle, visitor, finish):
    finish(battle)
    battles.take_turn(battle, visitor, key=uuid.uuid4(), prompt="Two?")
    script = script_of(battle, visitor)
    assert script.turn.prompt == "Two?"
    for side in ("a", "b"):
        assert script.histories[side] == [
            Message(Role.USER, "One?"),
            Message(Role.ASSISTANT, f"Answer {side}"),
            Message(Role.USER, "Two?"),
        ]


def test_the_history_holds_the_last_attempt_only(battle, visitor, finish):
    finish(battle, b=AnswerState.CUT_OFF)
    battles.retry(battle, visitor)
    finish(battle)
    Answer.objects.filter(side="b", attempt=1).update(text="half an ans")
    battles.take_turn(battles.load(battle.pk), visitor, key=uuid.uuid4(), prompt="Two?")
    assert script_of(battle, visitor).histories["b"][1].content == "Answer b"


def test_a_model_that_was_stopped_goes_on_from_what_was_seen(battle, visitor, finish):
    finish(battle, a=AnswerState.STOPPED)
    Answer.objects.filter(side="a").update(text="seen and unseen", shown_text="seen")
    battles.take_turn(battles.load(battle.pk), visitor, key=uuid.uuid4(), prompt="Two?")
    assert script_of(battle, visitor).histories["a"][1].content == "seen"


def test_the_script_hides_the_names_of_all_models_not_only_of_the_two(battle, visitor, register):
    from arena.masking import MASK, mask

    register("Hydra 9B", visibility="internal", status="retired")
    assert mask("I am Hydra 9B", script_of(battle, visitor).names) == f"I am {MASK}"
