import pytest

from stats.bradley_terry import fit, half_points
from stats.comparisons import Outcome, PairCounts
from stats.connectivity import ItemStatus, connectivity

RATED = ItemStatus.RATED


def statuses_of(counts, **options):
    return [status.value for status in fit(counts, **options).statuses]


@pytest.mark.parametrize("n_items", [0, 1, 3])
def test_without_votes_nobody_has_comparisons(board, n_items):
    assert statuses_of(board("", n_items=n_items)) == ["no_comparisons"] * n_items


def test_one_vote_between_two_items_rates_neither(board):
    assert statuses_of(board("A>B")) == ["only_won", "only_lost"]


def test_a_win_each_rates_both(board):
    assert statuses_of(board("A>B B>A")) == ["rated", "rated"]


@pytest.mark.parametrize("vote", ["A=B", "A~B"])
def test_a_tie_rates_both(board, vote):
    assert statuses_of(board(vote)) == ["rated", "rated"]


def test_a_circle_of_wins_rates_all(board):
    assert statuses_of(board("A>B B>C C>A")) == ["rated", "rated", "rated"]


def test_an_item_that_only_won_is_not_rated(board):
    assert statuses_of(board("15*A>B 15*A>C 6*B>C 4*C>B")) == ["only_won", "rated", "rated"]


def test_an_item_that_only_lost_is_not_rated(board):
    assert statuses_of(board("B>A C>A 6*B>C 4*C>B")) == ["only_lost", "rated", "rated"]


def test_an_item_that_nobody_compared_is_told_from_one_that_lost(board):
    assert statuses_of(board("A=B B>C", n_items=4)) == ["rated", "rated", "only_lost", "no_comparisons"]


def test_a_chain_of_wins_has_an_order_but_no_ratings(board):
    assert statuses_of(board("2*A>B B>C A>C")) == ["only_won", "separated", "only_lost"]


def test_the_smaller_of_two_groups_that_never_met_is_disconnected(board):
    counts = board("A=B C=D D=E E>F")

    assert statuses_of(counts) == ["disconnected", "disconnected", "rated", "rated", "rated", "only_lost"]
    assert fit(counts).connectivity.components.tolist() == [1, 1, 0, 0, 0, 0]


def test_a_pair_apart_from_the_rated_group_is_disconnected_even_if_it_only_won(board):
    assert statuses_of(board("A=B C>D")) == ["rated", "rated", "disconnected", "disconnected"]


def test_disconnected_pairs_have_their_own_reasons_while_nothing_is_rated(board):
    assert statuses_of(board("A>B C>D")) == ["only_won", "only_lost", "only_won", "only_lost"]


def test_groups_above_and_below_the_rated_one_are_told_apart(board):
    counts = board("A=B B>C C=D D=E E>F F=G")

    assert statuses_of(counts) == [
        "separated_above",
        "separated_above",
        "rated",
        "rated",
        "rated",
        "separated_below",
        "separated_below",
    ]
    assert fit(counts).connectivity.groups.tolist() == [1, 1, 0, 0, 0, 2, 2]
    assert set(fit(counts).connectivity.components) == {0}


def test_a_group_linked_only_through_a_common_loser_is_neither_above_nor_below(board):
    assert statuses_of(board("A=B B=C C>D E=F E>D")) == [
        "rated",
        "rated",
        "rated",
        "only_lost",
        "separated",
        "separated",
    ]


def test_a_single_item_between_two_groups_is_separated(board):
    assert statuses_of(board("A=B B=C C>D D>E E=F")) == [
        "rated",
        "rated",
        "rated",
        "separated_below",
        "separated_below",
        "separated_below",
    ]


def test_of_groups_of_one_size_the_one_with_more_votes_is_rated(board):
    assert statuses_of(board("A=B B>C 2*C=D")) == ["separated_above", "separated_above", "rated", "rated"]


def test_of_groups_alike_the_one_with_the_lowest_item_is_rated(board):
    assert statuses_of(board("C=D D>B B=A")) == ["rated", "rated", "separated_above", "separated_above"]


def test_more_items_count_for_more_than_more_votes(board):
    assert statuses_of(board("100*A=B B>C C=D D=E")) == [
        "separated_above",
        "separated_above",
        "rated",
        "rated",
        "rated",
    ]


def test_votes_between_groups_do_not_make_one_larger(board):
    assert statuses_of(board("A=B 50*B>E C=D 2*C=D 9*D>E")) == ["separated", "separated", "rated", "rated", "only_lost"]


def test_outcomes_left_out_link_nobody(board):
    counts = board("A=B A~B")

    assert statuses_of(counts, half_wins=[Outcome.TIE]) == ["rated", "rated"]
    assert statuses_of(counts, half_wins=[]) == ["no_comparisons", "no_comparisons"]


def test_components_are_numbered_from_the_rated_one_on(board):
    counts = board("A>B C=D D=E F=G", n_items=8)

    assert fit(counts).connectivity.components.tolist() == [2, 2, 0, 0, 0, 1, 1, 3]


@pytest.mark.parametrize("n_items", [12, 600])
def test_a_ring_is_rated_together_however_long(n_items):
    ring = PairCounts.from_cells([(i, (i + 1) % n_items, Outcome.LEFT, 1) for i in range(n_items)], n_items=n_items)

    assert set(connectivity(half_points(ring, [])).statuses) == {ItemStatus.RATED}


@pytest.mark.parametrize("n_items", [12, 600])
def test_a_chain_is_not_rated_however_long(n_items):
    chain = PairCounts.from_cells([(i, i + 1, Outcome.LEFT, 1) for i in range(n_items - 1)], n_items=n_items)

    assert ItemStatus.RATED not in connectivity(half_points(chain, [])).statuses


@pytest.mark.parametrize("far", [0, 5])
def test_one_item_that_only_won_or_lost_is_seen_among_many_that_met(far):
    cells = [(i, j, Outcome.TIE, 1) for i in range(6) for j in range(i) if far not in (i, j)]
    for outcome, status in ((Outcome.LEFT, ItemStatus.ONLY_WON), (Outcome.RIGHT, ItemStatus.ONLY_LOST)):
        board = PairCounts.from_cells([*cells, *((far, i, outcome, 1) for i in range(6) if i != far)], n_items=6)

        found = connectivity(half_points(board, [Outcome.TIE]))

        assert [found.statuses[far] is status, int(found.rated.sum())] == [True, 5]
