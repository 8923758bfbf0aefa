import numpy as np
import pytest
from scipy.special import expit

from stats.both_bad import bar_sandwich, fit_against_bar
from stats.bradley_terry import RATING_PER_STRENGTH, fit
from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.connectivity import ItemStatus
from stats.covariate_passes import ControlledComparisons
from stats.covariate_uncertainty import covariate_sandwich
from stats.covariates import fit_with_covariates
from stats.elo import elo
from stats.errors import InvalidLevelError, UnratedItemError
from stats.ranks import pairwise_rank_ranges
from stats.rating_methods import METHODS, STATUS_WORDS, NamedAnchor, RatingOptions, UnsupportedOptionError
from stats.rating_tables import UnknownAnchorError, rate
from stats.style import Style, style_of
from stats.uncertainty import sandwich

NAMES = ("a", "b", "c", "d")
L, R, T, B = Outcome


def votes(*rows):
    left, right, outcome = zip(*(row for row, n in rows for _ in range(n)), strict=True)
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=len(NAMES))


BOARD = votes(((1, 0, L), 30), ((0, 1, L), 10), ((0, 1, T), 8), ((1, 2, L), 12), ((2, 1, L), 9), ((0, 2, B), 5))


def test_a_row_holds_what_fit_and_sandwich_say():
    table = rate(NAMES, BOARD, method="bradley-terry")

    counts = PairCounts.from_comparisons(BOARD)
    fitted = fit(counts)
    uncertainty = sandwich(counts, fitted)
    ranges = pairwise_rank_ranges(uncertainty).ranges
    assert [row.name for row in table.rows] == ["b", "c", "a", "d"]
    for row in table.rated:
        item = NAMES.index(row.name)
        assert row.rating == fitted.ratings[item]
        assert (row.lower, row.upper) == (uncertainty.lower[item], uncertainty.upper[item])
        assert (row.rank_lower, row.rank_upper) == ranges[item]
    assert [row.n_battles for row in table.rows] == [69, 26, 53, 0]
    assert table.rows[-1][1:6] == (None,) * 5
    assert table.rows[-1].status == "no votes that count"
    assert (table.method, table.confidence_level, table.notes) == ("bradley-terry", 0.95, ())


@pytest.mark.parametrize("method", METHODS)
def test_every_method_holds_the_anchor_and_orders_the_rows(method):
    table = rate(NAMES, BOARD, method=method, options=RatingOptions(anchor=NamedAnchor("c", 1200)))

    ratings = [row.rating for row in table.rated]
    assert next(row.rating for row in table.rows if row.name == "c") == pytest.approx(1200)
    assert ratings == sorted(ratings, reverse=True)
    assert [row.name for row in table.rows if row.rating is None] == ["d"]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_dropped_neither_counts_nor_moves_anything(method):
    dropped = frozenset({T}) if method in ("rao-kupper", "davidson") else frozenset()
    decided = votes(((1, 0, L), 30), ((0, 1, L), 10), ((0, 1, T), 8 * len(dropped)), ((1, 2, L), 12), ((2, 1, L), 9))

    table = rate(NAMES, BOARD, method=method, options=RatingOptions(undecided=dropped))

    assert table.rows == rate(NAMES, decided, method=method).rows


@pytest.mark.parametrize("method", ["rao-kupper", "davidson"])
def test_a_model_of_ties_cannot_drop_them(method):
    with pytest.raises(UnsupportedOptionError, match=f"{method} is a model of ties and cannot drop them"):
        rate(NAMES, BOARD, method=method, options=RatingOptions(undecided=frozenset({B})))


@pytest.mark.parametrize("method", ["bradley-terry", "rao-kupper", "davidson"])
@pytest.mark.parametrize("loses", [False, True])
def test_counts_say_as_much_as_the_votes(method, loses):
    if loses and method != "bradley-terry":
        return
    options = RatingOptions(both_bad_loses=loses, undecided=frozenset({T}) if loses else frozenset({T, B}))

    from_counts = rate(NAMES, PairCounts.from_comparisons(BOARD), method=method, options=options)

    assert from_counts == rate(NAMES, BOARD, method=method, options=options)


def test_elo_and_style_need_the_votes_one_by_one():
    counts = PairCounts.from_comparisons(BOARD)
    style = style_of(np.ones((74, 4)), np.ones((74, 4)))

    for method, options in (("elo", RatingOptions()), ("bradley-terry", RatingOptions(style=style))):
        with pytest.raises(UnsupportedOptionError, match="one by one, not their counts"):
            rate(NAMES, counts, method=method, options=options)


def test_elo_has_no_interval_and_says_what_it_is():
    table = rate(NAMES, BOARD, method="elo")

    assert table.rows[0].rating == elo(BOARD).ratings.max()
    assert {row[2:6] for row in table.rows} == {(None,) * 4}
    assert "order of the votes" in table.notes[0]


def test_the_tie_models_tell_how_often_equals_tie():
    for method in ("rao-kupper", "davidson"):
        assert rate(NAMES, BOARD, method=method).notes[0].startswith("Equal models tie with probability 0.")
    decided = votes(((1, 0, L), 30), ((0, 1, L), 10))
    assert rate(NAMES, decided, method="davidson").notes == ()


def test_a_fit_that_did_not_converge_is_pointed_out(monkeypatch):
    monkeypatch.setattr("stats.rating_methods.fit", lambda counts, **options: fit(counts, max_iterations=1, **options))

    assert rate(NAMES, BOARD, method="bradley-terry").notes[0].startswith("The fit did not converge")


def test_both_bad_may_be_a_loss_of_both_against_a_bar():
    board = votes(((0, 1, L), 30), ((1, 0, L), 20), ((0, 1, T), 8), ((0, 1, B), 9), ((0, 2, L), 4), ((2, 0, L), 3))
    counts = PairCounts.from_comparisons(board)
    fitted = fit_against_bar(counts)
    uncertainty = bar_sandwich(counts, fitted)
    options = RatingOptions(frozenset({Outcome.TIE}), both_bad_loses=True)

    table = rate(NAMES, board, method="bradley-terry", options=options)

    assert [row.name for row in table.rows] == ["c", "a", "b", "d"]
    assert table.rows[1].rating == fitted.ratings[0]
    assert (table.rows[1].lower, table.rows[1].upper) == (uncertainty.lower[0], uncertainty.upper[0])
    assert max(row.rank_upper for row in table.rated) == 3
    assert table.rows[1].n_battles == 74
    assert table.notes == (
        f"The bar below which both are bad stands at {fitted.ratings[3 + 1]:.1f} "
        f"({uncertainty.lower[-1]:.1f} … {uncertainty.upper[-1]:.1f}).",
    )
    without_ties = votes(((0, 1, L), 30), ((1, 0, L), 20), ((0, 1, B), 9), ((0, 2, L), 4), ((2, 0, L), 3))
    dropped = rate(NAMES, board, method="bradley-terry", options=options._replace(undecided=frozenset()))
    assert dropped == rate(NAMES, without_ties, method="bradley-terry", options=options)


def test_without_both_bad_there_is_no_bar():
    decided = votes(((1, 0, L), 30), ((0, 1, L), 10), ((1, 2, L), 12), ((2, 1, L), 9))

    table = rate(NAMES, decided, method="bradley-terry", options=RatingOptions(both_bad_loses=True))

    assert table.notes == ()
    assert [row.rating for row in table.rows] == [
        row.rating for row in rate(NAMES, decided, method="bradley-terry").rows
    ]


@pytest.mark.parametrize("method", ["rao-kupper", "davidson", "elo"])
def test_only_bradley_terry_knows_the_bar(method):
    with pytest.raises(UnsupportedOptionError, match=f"not {method}"):
        rate(NAMES, BOARD, method=method, options=RatingOptions(both_bad_loses=True))


def test_style_is_controlled_for_and_its_worth_is_noted():
    rng = np.random.default_rng(0)
    left = rng.integers(0, 3, 900)
    right = (left + rng.integers(1, 3, 900)) % 3
    x = rng.normal(size=(900, 1))
    won = rng.random(900) < expit((left - right) / 2 + x[:, 0])
    outcome = np.where(rng.random(900) < 0.1, T, np.where(won, L, R))
    board = Comparisons.from_arrays(left, right, outcome=outcome, n_items=4)
    style = Style(("length", "bold"), np.column_stack([3 + 2 * x, np.zeros(900)]))

    table = rate(NAMES, board, method="bradley-terry", options=RatingOptions(frozenset(), style=style))

    decided = outcome != T
    z = (x[decided] - x[decided].mean()) / x[decided].std()
    part = Comparisons.from_arrays(left[decided], right[decided], outcome=outcome[decided], n_items=4)
    fitted = fit_with_covariates(ControlledComparisons(comparisons=part, covariates=z))
    assert [row.name for row in table.rows] == ["c", "b", "a", "d"]
    assert table.rows[0].rating == pytest.approx(fitted.ratings[2])
    assert sum(row.n_battles for row in table.rows) == 2 * decided.sum()
    points = fitted.coefficients[0] * RATING_PER_STRENGTH
    assert table.notes[0].startswith(f"One standard deviation of length is worth {points:.1f} points (")
    assert table.notes[1] == "No two answers differ in bold, which cannot be controlled for."
    assert table.rows[0].upper - table.rows[0].rating == pytest.approx(
        covariate_sandwich(fitted).ratings.upper[2] - fitted.ratings[2]
    )


def test_style_keeps_the_weights_of_the_comparisons():
    board = Comparisons.from_arrays([0, 1, 0], [1, 0, 1], outcome=[0, 0, 2], n_items=2, weight=[2.0, 1.0, 1.0])
    style = style_of(np.ones((3, 4)), np.ones((3, 4)))

    plain = rate(("a", "b"), board, method="bradley-terry")
    controlled = rate(("a", "b"), board, method="bradley-terry", options=RatingOptions(style=style))

    assert controlled.rows[0].rating == pytest.approx(plain.rows[0].rating)


@pytest.mark.parametrize(("method", "loses"), [("elo", False), ("bradley-terry", True)])
def test_style_goes_only_with_plain_bradley_terry(method, loses):
    style = Style((), np.empty((len(BOARD.left), 0)))

    with pytest.raises(UnsupportedOptionError, match="Style can be controlled for"):
        rate(NAMES, BOARD, method=method, options=RatingOptions(both_bad_loses=loses, style=style))


def test_an_anchor_must_be_a_model_with_a_rating():
    with pytest.raises(UnknownAnchorError, match=r"'e' is the name of no model in these votes\.$"):
        rate(NAMES, BOARD, method="elo", options=RatingOptions(anchor=NamedAnchor("e", 1)))
    with pytest.raises(UnknownAnchorError, match=r"There is 'gpt-4'\."):
        rate(("gpt-4", "x", "y", "z"), BOARD, method="elo", options=RatingOptions(anchor=NamedAnchor("gpt 4", 1)))


@pytest.mark.parametrize("method", METHODS)
def test_an_anchor_needs_a_rating(method):
    with pytest.raises(UnratedItemError, match="give 'd' no rating"):
        rate(NAMES, BOARD, method=method, options=RatingOptions(anchor=NamedAnchor("d", 1)))


def test_a_level_must_be_one():
    with pytest.raises(InvalidLevelError):
        rate(NAMES, BOARD, method="bradley-terry", options=RatingOptions(confidence_level=1.0))


def test_a_wider_level_gives_wider_intervals():
    narrow, wide = (
        rate(NAMES, BOARD, method="bradley-terry", options=RatingOptions(confidence_level=level)).rated[0]
        for level in (0.9, 0.99)
    )

    assert wide.upper - wide.lower > narrow.upper - narrow.lower


def test_every_status_has_words():
    assert set(STATUS_WORDS) == set(ItemStatus)
