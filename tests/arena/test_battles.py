"""The verbs of a battle."""

import uuid

import pytest
from django.db import IntegrityError

from arena import battles, ledger
from arena.errors import AlreadyVoted, ArenaError, BadPrompt, NotEnoughModels, NotNow, NotYourBattle
from arena.models import Answer, Battle, PairCount, Vote
from arena.protocol import AnswerState, Phase

pytestmark = pytest.mark.django_db


def test_it_begins_with_two_different_models_and_one_turn(orion, lyra, begin):
    battle = battles.load(begin("Hello").pk)
    assert {battle.llm_a, battle.llm_b} == {orion, lyra}
    assert battle.probability == 1
    assert [turn.prompt for turn in battle.turns.all()] == ["Hello"]
    assert battles.phase_of(battle) == Phase.ANSWERING


def test_it_needs_two_models(orion, begin):
    with pytest.raises(NotEnoughModels):
        begin()


@pytest.mark.parametrize("status", ["disabled", "retired", "listed"])
def test_it_never_draws_a_model_that_is_not_enabled(status, orion, lyra, register, begin):
    resting = register("Resting", status=status)
    drawn = {llm for _ in range(30) for llm in (lambda b: (b.llm_a_id, b.llm_b_id))(begin())}
    assert resting.pk not in drawn


def test_it_stores_the_probability_of_the_pair(orion, lyra, pavo, begin):
    assert begin().probability == pytest.approx(1 / 3)


def test_asking_twice_with_one_key_is_one_battle(orion, lyra, visitor):
    key = uuid.uuid4()
    first = battles.start(visitor, key=key, prompt="Hello")
    second = battles.start(visitor, key=key, prompt="Hello")
    assert first == second
    assert Battle.objects.count() == 1


def test_two_people_may_use_one_key(orion, lyra, visitor, stranger):
    key = uuid.uuid4()
    assert battles.start(visitor, key=key, prompt="Hi") != battles.start(stranger, key=key, prompt="Hi")


@pytest.mark.parametrize("prompt", ["", "   ", "\x00", "x" * 8001])
def test_it_refuses_a_prompt_that_is_empty_or_too_long(prompt, orion, lyra, begin):
    with pytest.raises(BadPrompt):
        begin(prompt)
    assert not Battle.objects.exists()


def test_a_rematch_never_meets_the_same_pair_again(orion, lyra, pavo, visitor, voted):
    former = voted()
    for _ in range(20):
        again = battles.start(visitor, key=uuid.uuid4(), prompt="Hello", rematch_of=former.pk)
        assert {again.llm_a_id, again.llm_b_id} != {former.llm_a_id, former.llm_b_id}
        assert again.rematch_of == former
        assert again.probability == pytest.approx(1 / 2)


def test_a_vote_waits_for_both_answers(orion, lyra, begin, visitor):
    with pytest.raises(NotNow):
        battles.cast_vote(begin(), visitor, outcome="a")


@pytest.mark.parametrize("state", [AnswerState.FAILED, AnswerState.CUT_OFF, AnswerState.WAITING, AnswerState.STREAMING])
def test_a_vote_waits_while_one_answer_is_missing(state, orion, lyra, begin, finish, visitor):
    battle = finish(begin(), b=state)
    with pytest.raises(NotNow):
        battles.cast_vote(battle, visitor, outcome="tie")


@pytest.mark.parametrize("outcome", ["a", "b", "tie", "both_bad"])
def test_a_vote_is_stored_and_counted_once(outcome, orion, lyra, begin, finish, visitor):
    battle = finish(begin())
    battles.cast_vote(battle, visitor, outcome=outcome)
    assert Vote.objects.get().outcome == outcome
    cell = PairCount.objects.get()
    assert (cell.left, cell.right, cell.outcome, cell.n) == (battle.llm_a, battle.llm_b, outcome, 1)
    assert cell.sum_inverse_probability == 1
    assert ledger.differences() == []


def test_a_second_vote_is_refused_and_changes_nothing(orion, lyra, voted, visitor):
    battle = voted("a")
    with pytest.raises(AlreadyVoted):
        battles.cast_vote(battle, visitor, outcome="b")
    assert Vote.objects.get().outcome == "a"
    assert PairCount.objects.get().n == 1


def test_the_database_itself_refuses_a_second_vote(orion, lyra, voted, visitor):
    battle = voted("a")
    with pytest.raises(IntegrityError):
        Vote.objects.create(battle=battle, voter=visitor.voter, outcome="b")


def test_the_database_refuses_a_battle_of_a_model_with_itself(orion, visitor):
    with pytest.raises(IntegrityError):
        Battle.objects.create(voter=visitor.voter, key=uuid.uuid4(), llm_a=orion, llm_b=orion)


def test_nobody_else_may_act_in_a_battle(orion, lyra, begin, finish, stranger):
    battle = finish(begin())
    for act in (
        lambda: battles.cast_vote(battle, stranger, outcome="a"),
        lambda: battles.abstain(battle, stranger),
        lambda: battles.retry(battle, stranger),
        lambda: battles.take_turn(battle, stranger, key=uuid.uuid4(), prompt="Hi"),
        lambda: battles.give_feedback(battle, stranger, reasons=[], comment="x"),
        lambda: battles.request_stop(battle, stranger),
    ):
        with pytest.raises(NotYourBattle):
            act()


def test_an_unknown_outcome_is_refused(orion, lyra, begin, finish, visitor):
    with pytest.raises(ArenaError):
        battles.cast_vote(finish(begin()), visitor, outcome="c")


def test_abstaining_ends_the_battle_without_a_vote(orion, lyra, begin, finish, visitor):
    battle = finish(begin())
    battles.abstain(battle, visitor)
    battle = battles.load(battle.pk)
    assert battles.phase_of(battle) == Phase.ABSTAINED
    with pytest.raises(NotNow):
        battles.cast_vote(battle, visitor, outcome="a")
    assert not PairCount.objects.exists()


def test_it_goes_on_until_the_last_turn(orion, lyra, begin, finish, visitor, settings):
    settings.TURN_LIMIT = 2
    battle = finish(begin())
    key = uuid.uuid4()
    turn = battles.take_turn(battle, visitor, key=key, prompt="And Italy?")
    assert battles.take_turn(battle, visitor, key=key, prompt="And Italy?") == turn
    with pytest.raises(NotNow):
        battles.take_turn(battle, visitor, key=uuid.uuid4(), prompt="Too soon")
    battle = finish(battle)
    with pytest.raises(NotNow):
        battles.take_turn(battle, visitor, key=uuid.uuid4(), prompt="Too many")


def test_a_retry_asks_only_the_side_that_failed(orion, lyra, begin, finish, visitor):
    battle = finish(begin(), b=AnswerState.FAILED)
    battles.retry(battle, visitor)
    assert list(Answer.objects.order_by("side", "attempt").values_list("side", "attempt", "state")) == [
        ("a", 1, "complete"),
        ("b", 1, "failed"),
        ("b", 2, "waiting"),
    ]
    with pytest.raises(NotNow):
        battles.retry(battles.load(battle.pk), visitor)


def test_a_failed_model_is_replaced_and_the_pair_loses_its_probability(orion, lyra, pavo, begin, finish, visitor):
    battle = finish(begin(), a=AnswerState.FAILED)
    failed = Answer.objects.get(side="a")
    (third,) = {orion, lyra, pavo} - {battle.llm_a, battle.llm_b}
    successor = battles.replace(failed, visitor.user, already_tried=[failed.llm_id])
    assert successor.llm == third
    assert (successor.side, successor.attempt) == ("a", 2)
    battle = battles.load(battle.pk)
    assert (battle.llm_a, battle.probability) == (third, None)
    assert Answer.objects.get(pk=failed.pk).state == AnswerState.REPLACED


def test_there_is_no_replacement_among_two_models(orion, lyra, begin, finish, visitor):
    finish(begin(), a=AnswerState.FAILED)
    assert battles.replace(Answer.objects.get(side="a"), visitor.user, already_tried=[]) is None


def test_feedback_may_change_but_the_outcome_stays(orion, lyra, voted, visitor):
    battle = voted("b")
    battles.give_feedback(battle, visitor, reasons=["useful", "made up"], comment="First")
    battles.give_feedback(battle, visitor, reasons=["creative"], comment="Second")
    vote = Vote.objects.get()
    assert (vote.outcome, vote.reasons, vote.comment) == ("b", ["creative"], "Second")


def test_a_vote_on_a_replaced_pair_counts_without_a_probability(orion, lyra, begin, finish, visitor):
    battle = finish(begin())
    Battle.objects.filter(pk=battle.pk).update(probability=None)
    battles.cast_vote(battles.load(battle.pk), visitor, outcome="a")
    cell = PairCount.objects.get()
    assert (cell.n, cell.sum_inverse_probability) == (1, 0)
    assert ledger.differences() == []


def test_a_broken_count_is_found_and_mended(orion, lyra, voted):
    voted("a")
    PairCount.objects.update(n=7)
    assert len(ledger.differences()) == 1
    ledger.rebuild()
    assert ledger.differences() == []
    assert PairCount.objects.get().n == 1
