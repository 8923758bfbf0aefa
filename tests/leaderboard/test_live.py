"""The board that follows each vote."""

import datetime
import logging
from dataclasses import replace

import numpy as np
import pytest

from arena import battles, ledger
from arena.models import PairCount, Standing
from leaderboard import live, tasks
from leaderboard.models import LiveBoard, LiveRating
from leaderboard.sources import votes
from llms.models import LanguageModel, Visibility
from stats import bradley_terry
from stats.comparisons import Outcome, PairCounts
from stats.connectivity import ItemStatus
from stats.ranks import pairwise_rank_ranges
from stats.uncertainty import sandwich

pytestmark = pytest.mark.django_db

PUBLIC, INTERNAL = Visibility.PUBLIC, Visibility.INTERNAL


def board(audience=PUBLIC):
    return LiveBoard.objects.get(audience=audience)


def line_of(llm, audience=PUBLIC):
    return LiveRating.objects.get(board__audience=audience, llm=llm)


# --- following the ledger ----------------------------------------------------------------------------------------


def test_it_works_before_there_is_anything():
    assert live.refresh_all() == 2
    assert live.refresh_all() == 0
    assert (board().n_votes, board().converged, LiveRating.objects.count()) == (0, True, 0)


def test_it_follows_each_vote(orion, lyra, voted):
    for n in (1, 2, 3):
        voted("a")
        assert live.refresh(PUBLIC)
        assert board().n_votes == n
        assert not live.refresh(PUBLIC)


def test_without_news_nothing_is_computed_or_written(rated, django_assert_num_queries):
    before = list(LiveRating.objects.order_by("pk").values())
    with django_assert_num_queries(6):  # three for each audience: the board, the counts, the models
        assert live.refresh_all() == 0
    assert list(LiveRating.objects.order_by("pk").values()) == before


def test_the_task_may_run_twice(rated, orion, lyra, count):
    count(orion, lyra, day=2)
    tasks.refresh_live_board()
    before = list(LiveRating.objects.values())
    tasks.refresh_live_board()
    assert list(LiveRating.objects.values()) == before
    assert board().n_votes == 121


@pytest.mark.parametrize("change", ["name", "battle_weight"])
def test_what_does_not_change_the_numbers_computes_nothing(change, rated, orion):
    setattr(orion, change, 7)
    orion.save()
    assert live.refresh_all() == 0


def test_a_correction_of_the_counts_is_news(orion, lyra, voted):
    voted("a")
    live.refresh_all()
    PairCount.objects.update(n=7)
    assert live.refresh_all() == 2
    assert board().n_votes == 7
    ledger.rebuild()
    assert live.refresh_all() == 2
    assert board().n_votes == 1


def test_a_correction_that_leaves_the_total_is_news_too(orion, lyra, voted):
    voted("a")
    PairCount.objects.update(outcome="b")
    live.refresh_all()
    ledger.rebuild()
    assert live.refresh_all() == 2
    assert {line.points for line in LiveRating.objects.filter(board=board())} == {0, 1}


def test_a_new_model_is_news(rated, register):
    register("Newcomer")
    assert live.refresh_all() == 2


# --- two at once -------------------------------------------------------------------------------------------------


@pytest.fixture
def meanwhile(monkeypatch):
    """Run something between the moment that a refresh reads the votes and the moment that it writes."""
    read = votes.read

    def meanwhile(happens):
        def read_and_wait(audience):
            monkeypatch.setattr(votes, "read", read)
            source = read(audience)
            happens()
            return source

        monkeypatch.setattr(votes, "read", read_and_wait)

    return meanwhile


def test_of_two_at_once_one_writes(rated, orion, lyra, count, meanwhile):
    count(orion, lyra, day=2)
    meanwhile(lambda: live.refresh(PUBLIC))
    assert not live.refresh(PUBLIC)
    assert LiveRating.objects.filter(board=board()).count() == 3
    assert board().n_votes == 121


def test_an_old_computation_never_replaces_a_newer_one(rated, orion, lyra, count, meanwhile):
    count(orion, lyra, day=2)

    def one_more_vote():
        count(orion, lyra, "b", day=3)
        live.refresh(PUBLIC)

    meanwhile(one_more_vote)
    assert not live.refresh(PUBLIC)
    assert board().n_votes == 122
    assert line_of(orion).n_votes == 82


def test_a_vote_that_comes_meanwhile_is_news_for_the_next(rated, orion, lyra, count, meanwhile):
    count(orion, lyra, day=2)
    meanwhile(lambda: count(orion, lyra, day=3))
    assert live.refresh(PUBLIC)
    assert live.refresh(PUBLIC)
    assert board().n_votes == 122


def test_two_that_both_begin_make_one_board(orion, meanwhile):
    meanwhile(lambda: live.refresh(PUBLIC))
    assert not live.refresh(PUBLIC)
    assert LiveBoard.objects.filter(audience=PUBLIC).count() == 1


def test_a_refresh_that_breaks_leaves_the_board_as_it_was(rated, orion, lyra, count, monkeypatch):
    count(orion, lyra, day=2)
    before = list(LiveRating.objects.values())

    def broken(*arguments):
        raise RuntimeError

    monkeypatch.setattr(battles, "accept_standings", broken)
    with pytest.raises(RuntimeError):
        live.refresh(PUBLIC)
    assert list(LiveRating.objects.values()) == before
    monkeypatch.undo()
    assert live.refresh(PUBLIC)


# --- the numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_numbers_are_those_of_the_statistics(seed, register, count):
    rng = np.random.default_rng(seed)
    llms = [register(f"Model {letter}") for letter in "ABCDE"]
    cells = []
    for left, right in rng.permutation([(i, j) for i in range(5) for j in range(5) if i != j])[:14]:
        outcome = list(votes.OUTCOMES)[rng.integers(4)]
        n = int(rng.integers(1, 40))
        count(llms[left], llms[right], outcome, n)
        cells.append((int(left), int(right), votes.OUTCOMES[outcome], n))
    live.refresh_all()
    counts = PairCounts.from_cells(cells[::-1], n_items=5)
    fit = bradley_terry.fit(counts)
    uncertainty = sandwich(counts, fit)
    ranks = pairwise_rank_ranges(uncertainty).ranges
    for index, llm in enumerate(llms):
        line = line_of(llm)
        assert line.status == fit.statuses[index]
        assert line.n_votes == counts.comparisons_per_item()[index]
        assert line.points == counts.points_per_item()[index]
        numbers = [np.nan if x is None else x for x in (line.rating, line.lower, line.upper)]
        expected = [fit.ratings[index], uncertainty.lower[index], uncertainty.upper[index]]
        np.testing.assert_allclose(numbers, expected, rtol=1e-9)
        assert (line.rank_lower, line.rank_upper) == (ranks[index] or (None, None))
        assert (line.rating is None) == (line.lower is None) == (line.upper is None) == (line.rank_lower is None)


def test_sides_and_days_are_added_up(orion, lyra, count):
    count(orion, lyra, "a", 3, day=1)
    count(orion, lyra, "a", 2, day=2)
    count(lyra, orion, "b", 4)
    count(lyra, orion, "a", 1)
    count(orion, lyra, "tie", 2)
    count(lyra, orion, "both_bad", 2)
    live.refresh_all()
    assert (line_of(orion).n_votes, line_of(orion).points) == (14, 3 + 2 + 4 + 2)
    assert (line_of(lyra).n_votes, line_of(lyra).points) == (14, 1 + 2)


def test_other_categories_are_other_boards(orion, lyra, count):
    count(orion, lyra)
    PairCount.objects.create(
        category="code", day=datetime.date(2026, 1, 1), left=orion, right=lyra, outcome="b", n=1000
    )
    live.refresh_all()
    assert board().n_votes == 1


def test_every_outcome_of_a_vote_has_one_in_the_statistics():
    assert set(votes.OUTCOMES) == set(
        PairCount._meta.get_field("outcome").choices and dict(PairCount._meta.get_field("outcome").choices)
    )
    assert set(votes.OUTCOMES.values()) == set(Outcome)


@pytest.mark.parametrize(("limit", "preliminary"), [(80, False), (81, True)])
def test_few_votes_are_preliminary(limit, preliminary, orion, lyra, pavo, count, settings):
    settings.PRELIMINARY_VOTES = limit
    count(orion, lyra, "a", 40)
    count(orion, lyra, "b", 40)
    live.refresh_all()
    assert line_of(orion).preliminary is preliminary
    assert line_of(pavo).preliminary


def test_a_fit_that_does_not_converge_is_marked_logged_and_not_handed_down(
    rated, orion, lyra, count, monkeypatch, caplog
):
    before = list(Standing.objects.values())
    fit = bradley_terry.fit
    monkeypatch.setattr(bradley_terry, "fit", lambda counts: replace(fit(counts), converged=False))
    count(orion, lyra, "b", 500, day=2)
    with caplog.at_level(logging.ERROR):
        live.refresh(PUBLIC)
    assert not board().converged
    assert "the fit of the live board, public did not converge" in caplog.text
    assert list(Standing.objects.values()) == before


# --- who is on it ------------------------------------------------------------------------------------------------


def names(audience=PUBLIC):
    return set(LiveRating.objects.filter(board__audience=audience).values_list("llm__name", flat=True))


@pytest.mark.parametrize(
    ("status", "without_votes", "with_votes"),
    [("enabled", True, True), ("disabled", False, True), ("retired", False, True), ("listed", False, True)],
)
def test_a_model_stays_as_long_as_it_has_votes(status, without_votes, with_votes, orion, lyra, count, register):
    register("Other", status=status)
    llm = register("Model", status=status)
    count(orion, lyra)
    live.refresh_all()
    assert ("Model" in names(), "Other" in names()) == (without_votes, without_votes)
    count(llm, lyra)
    live.refresh_all()
    assert ("Model" in names(), "Other" in names()) == (with_votes, without_votes)


def test_retiring_a_model_keeps_its_line_and_its_rating(rated, orion):
    rating = line_of(orion).rating
    orion.status = LanguageModel.Status.RETIRED
    orion.save()
    live.refresh_all()
    assert line_of(orion).rating == rating


def test_a_model_without_votes_is_listed_without_a_rating(rated, register):
    newcomer = register("Newcomer")
    live.refresh_all()
    line = line_of(newcomer)
    assert (line.status, line.rating, line.n_votes, line.points) == (ItemStatus.NO_COMPARISONS, None, 0, 0)


# --- two audiences -----------------------------------------------------------------------------------------------


@pytest.fixture
def nova(register):
    return register("Nova 70B", visibility=INTERNAL)


def test_the_public_board_knows_nothing_of_internal_models(orion, lyra, nova, count):
    count(orion, lyra, "a", 6)
    count(orion, lyra, "b", 4)
    live.refresh_all()
    alone = list(LiveRating.objects.filter(board=board()).values("llm", "rating", "lower", "upper", "n_votes"))
    count(nova, orion, "a", 50)
    count(lyra, nova, "a", 50)
    assert not live.refresh(PUBLIC)
    assert live.refresh(INTERNAL)
    fields = ("llm", "rating", "lower", "upper", "n_votes")
    assert list(LiveRating.objects.filter(board=board()).values(*fields)) == alone
    assert (board(PUBLIC).n_votes, board(INTERNAL).n_votes) == (10, 110)
    assert names(PUBLIC) == {"Orion 7B", "Lyra 13B"}
    assert names(INTERNAL) == {"Orion 7B", "Lyra 13B", "Nova 70B"}


def test_a_link_through_an_internal_model_does_not_count_in_public(orion, lyra, nova, count):
    for one, other in ((orion, nova), (nova, lyra)):
        count(one, other, "a", 5)
        count(one, other, "b", 5)
    live.refresh_all()
    assert line_of(orion, INTERNAL).status == ItemStatus.RATED
    assert line_of(orion, PUBLIC).status == ItemStatus.NO_COMPARISONS


def test_a_change_of_visibility_moves_a_model_between_the_boards(rated, orion, nova):
    orion.visibility = INTERNAL
    orion.save()
    assert live.refresh(PUBLIC)
    assert "Orion 7B" not in names(PUBLIC)
    assert board().n_votes == 40
    orion.visibility = PUBLIC
    orion.save()
    live.refresh_all()
    assert board().n_votes == 120


# --- handing down ------------------------------------------------------------------------------------------------


def test_the_arena_gets_the_ratings_of_rated_models(rated, orion, lyra, pavo, register, count):
    winner = register("Winner")
    count(winner, pavo, "a", 5)
    live.refresh_all()
    assert set(Standing.objects.filter(audience=PUBLIC).values_list("llm", flat=True)) == {orion.pk, lyra.pk, pavo.pk}
    standing, line = Standing.objects.get(llm=orion, audience=PUBLIC), line_of(orion)
    for field in ("rating", "lower", "upper", "rank_lower", "rank_upper", "n_votes", "preliminary"):
        assert getattr(standing, field) == getattr(line, field)


def test_former_standings_are_replaced_for_their_own_audience_only(rated, orion, nova, count):
    internal = set(Standing.objects.filter(audience=INTERNAL).values_list("pk", flat=True))
    orion.visibility = INTERNAL
    orion.save()
    live.refresh(PUBLIC)
    assert not Standing.objects.filter(llm=orion, audience=PUBLIC).exists()
    assert set(Standing.objects.filter(audience=INTERNAL).values_list("pk", flat=True)) == internal


def test_rows_say_what_they_are(rated, orion):
    assert str(board()) == "live board, public"
    assert str(line_of(orion)) == f"{orion.pk} on {board().pk}"
