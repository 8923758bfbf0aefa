"""What a reader is told of a battle, before the vote and after it."""

import json

import pytest
from django.contrib.auth.models import AnonymousUser

from arena import battles
from arena.models import Answer, Battle, PairCount, Standing
from arena.presentation import Meetings, battle_view, meetings, message_of, size_of
from arena.protocol import AnswerState
from llms.models import LanguageModel, Visibility

pytestmark = pytest.mark.django_db


@pytest.fixture
def view(visitor):
    def view(battle, who=visitor):
        return battle_view(battles.load(battle.pk), who.voter, who.user)

    return view


@pytest.fixture
def stand(db):
    def stand(llm, rating, audience=Visibility.PUBLIC, **fields):
        defaults = {"lower": rating - 10, "upper": rating + 10, "rank_lower": 1, "rank_upper": 2, "n_votes": 12}
        return Standing.objects.create(
            llm=llm, rating=rating, audience=audience, **{**defaults, "preliminary": True, **fields}
        )

    return stand


# --- before the vote


def test_before_the_vote_it_holds_no_name_and_no_number_of_a_model(orion, lyra, begin, finish, view, stand):
    for llm in (orion, lyra):
        stand(llm, 1234.5)
    battle = finish(begin())
    Answer.objects.update(shown_text="masked", text="I am Orion 7B", completion_tokens=4321, seconds=87.6)
    told = json.dumps(view(battle))
    for secret in ("Orion", "orion", "Lyra", "lyra", "Northlab", "1234", "1235", "4321", "87.6", "probability"):
        assert secret not in told
    assert "masked" in told


def test_somebody_else_may_do_nothing(orion, lyra, voted, view, stranger):
    told = view(voted("a"), stranger)
    assert (told["is_mine"], told["can_vote"], told["can_continue"], told["can_retry"]) == (False,) * 4


def test_somebody_unknown_may_do_nothing(orion, lyra, begin, finish):
    told = battle_view(finish(begin()), None, AnonymousUser())
    assert (told["is_mine"], told["can_vote"]) == (False, False)


@pytest.mark.parametrize(
    ("state", "can"),
    [
        ("complete", "can_vote"),
        ("stopped", "can_vote"),
        ("failed", "can_retry"),
        ("cut_off", "can_retry"),
        ("waiting", ""),
        ("streaming", ""),
    ],
)
def test_what_can_be_done_depends_on_how_the_answers_ended(state, can, orion, lyra, begin, finish, view):
    told = view(finish(begin(), b=AnswerState(state)))
    assert [name for name in ("can_vote", "can_retry") if told[name]] == ([can] if can else [])
    assert told["can_continue"] == told["can_vote"]


def test_only_the_last_attempt_of_each_side_is_shown(orion, lyra, begin, finish, view, visitor):
    battle = finish(begin(), b=AnswerState.FAILED)
    battles.retry(battle, visitor)
    answers = view(battle)["turns"][0]["answers"]
    assert {side: answer["attempt"] for side, answer in answers.items()} == {"a": 1, "b": 2}


def test_that_a_model_was_replaced_is_told_as_long_as_the_battle_lasts(orion, lyra, pavo, begin, finish, view):
    """And not which one it was."""
    battle = finish(begin(), b=AnswerState.FAILED)
    assert view(battle)["turns"][0]["replaced"] == []
    battles.replace(Answer.objects.get(side="b"), AnonymousUser(), already_tried=[])
    told = view(finish(battle))
    assert told["turns"][0]["replaced"] == ["b"]
    assert not [name for name in ("Orion", "Lyra", "Pavo") if name in json.dumps(told)]


def test_a_failure_is_told_in_words_that_name_nobody():
    assert message_of("failed", "stalled") == "The model stopped in the middle of its answer. Try again."
    assert message_of("failed", "an error of a later version").startswith("The model could not answer.")
    assert message_of("complete", "stalled") == message_of("cut_off", "") == ""


# --- after it


def test_after_the_vote_the_text_is_shown_as_it_was_written(orion, lyra, voted, view):
    battle = voted("a")
    Answer.objects.update(shown_text="masked", text="I am Orion 7B")
    assert view(battle)["turns"][0]["answers"]["a"]["text"] == "I am Orion 7B"


def test_of_a_stopped_answer_no_more_is_shown_than_was_judged(orion, lyra, begin, finish, visitor, view):
    battle = finish(begin(), a=AnswerState.STOPPED)
    Answer.objects.filter(side="a").update(shown_text="so far", text="so far and further")
    battles.cast_vote(battles.load(battle.pk), visitor, outcome="a")
    assert view(battle)["turns"][0]["answers"]["a"]["text"] == "so far"


def test_the_reveal_tells_standings_and_what_was_expected(orion, lyra, voted, view, stand):
    stand(orion, 1100.4)
    stand(lyra, 1000)
    battle = voted("a")
    reveal = view(battle)["reveal"]
    contender = reveal["a" if battle.llm_a == orion else "b"]
    assert (contender["name"], contender["slug"], contender["organisation"]) == ("Orion 7B", "orion-7b", "Northlab")
    assert contender["standing"] == {
        "rating": 1100,
        "lower": 1090,
        "upper": 1110,
        "rank_lower": 1,
        "rank_upper": 2,
        "n_votes": 12,
        "preliminary": True,
    }
    assert contender["standing_note"] == ""
    expected = 0.6406 if battle.llm_a == orion else 0.3594
    assert reveal["expected_a"] == pytest.approx(expected, abs=1e-3)


def test_where_a_standing_is_missing_nothing_was_expected_and_words_say_why(orion, lyra, voted, view, stand):
    stand(orion, 1100)
    battle = voted("a")
    reveal = view(battle)["reveal"]
    assert reveal["expected_a"] is None
    unknown = reveal["b" if battle.llm_a == orion else "a"]
    assert unknown["standing"] is None
    assert "too few comparisons" in unknown["standing_note"]


def test_each_reader_gets_the_standings_of_their_audience(orion, lyra, voted, stand, rana, visitor):
    for llm in (orion, lyra):
        stand(llm, 1000)
        stand(llm, 2000, Visibility.INTERNAL)
    battle = battles.load(voted("a").pk)
    for user, rating in ((visitor.user, 1000), (rana, 2000)):
        assert battle_view(battle, None, user)["reveal"]["a"]["standing"]["rating"] == rating


def test_time_and_tokens_are_summed_over_the_turns_of_the_model_that_stayed(orion, lyra, begin, finish, view, visitor):
    import uuid

    battle = finish(begin())
    Answer.objects.update(seconds=1.24, completion_tokens=10)
    battles.take_turn(battle, visitor, key=uuid.uuid4(), prompt="And?")
    battle = finish(battle)
    Answer.objects.filter(turn__index=1).update(seconds=2.0, completion_tokens=5)
    battles.cast_vote(battle, visitor, outcome="a")
    reveal = view(battle)["reveal"]
    assert (reveal["a"]["seconds"], reveal["a"]["tokens"]) == (3.2, 15)


def test_what_was_never_measured_is_left_out(orion, lyra, voted, view):
    reveal = view(voted("a"))["reveal"]
    assert (reveal["a"]["seconds"], reveal["a"]["tokens"]) == (None, None)


def test_the_name_of_an_internal_model_that_was_replaced_is_for_insiders(orion, lyra, voted, visitor, rana, register):
    battle = voted("a")
    secret = register("Secret 1B", visibility="internal")
    failed = Answer.objects.get(side="a")
    Answer.objects.filter(pk=failed.pk).update(attempt=2)
    Answer.objects.create(turn=failed.turn, side="a", llm=secret, attempt=1, state=AnswerState.REPLACED)
    battle = battles.load(battle.pk)
    assert battle_view(battle, visitor.voter, visitor.user)["reveal"]["a"]["replaced"] == []
    assert battle_view(battle, None, rana)["reveal"]["a"]["replaced"] == ["Secret 1B"]


def test_meetings_are_counted_for_each_side_wherever_the_two_stood(orion, lyra, pavo):
    for left, right, outcome, n in [
        (orion, lyra, "a", 5),
        (orion, lyra, "b", 3),
        (lyra, orion, "a", 2),
        (lyra, orion, "b", 1),
        (orion, lyra, "tie", 1),
        (lyra, orion, "both_bad", 4),
        (orion, pavo, "a", 99),
    ]:
        PairCount.objects.create(day="2026-11-22", left=left, right=right, outcome=outcome, n=n)
    assert meetings(orion.pk, lyra.pk) == Meetings(6, 5, 5)
    assert meetings(lyra.pk, orion.pk) == Meetings(5, 6, 5)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (None, ""),
        (0, ""),
        (135_000_000, "135M"),
        (360_500_000, "360M"),
        (7_000_000_000, "7B"),
        (7_241_000_000, "7.24B"),
        (999_900_000, "1B"),
        (671_000_000_000, "671B"),
        (1_000_000_000_000, "1000B"),
        (500_000, "0.5M"),
    ],
)
def test_sizes_read_as_people_say_them(parameters, words):
    assert size_of(LanguageModel(parameters=parameters)) == words


def test_looking_at_a_battle_asks_the_database_a_fixed_number_of_times(
    orion, lyra, voted, visitor, django_assert_max_num_queries
):
    battle = voted("a")
    with django_assert_max_num_queries(8):
        battle_view(Battle.objects.with_everything().get(pk=battle.pk), visitor.voter, visitor.user)
