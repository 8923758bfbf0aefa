"""One order from several signals: as sure as it is right, surer with more of them, and no surer by a copy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import consensus as bench
from stats.consensus import consensus
from stats.errors import InvalidLevelError, InvalidWeightError, LengthMismatchError
from stats.ranks import RankRange

every_table = settings(deadline=None, max_examples=25, database=None, derandomize=True)
N_WORLDS = 60


def found_in(table, errors=None, **options):
    table = np.asarray(table, dtype=float)
    return consensus(
        table, np.full(table.shape, 0.1) if errors is None else errors, rng=np.random.default_rng(0), **options
    )


def drawn_table(seed, k=3, n=9):
    rng = np.random.default_rng(seed)
    return rng.normal(size=n) + 0.7 * rng.normal(size=(k, n))


@every_table
@given(st.integers(0, 10_000), st.lists(st.tuples(st.floats(0.01, 100), st.floats(-50, 50)), min_size=3, max_size=3))
def test_scales_and_levels_of_the_signals_do_not_matter(seed, maps):
    table = drawn_table(seed)
    scale, level = np.array(maps).T[:, :, np.newaxis]

    first, second = found_in(table), found_in(scale * table + level, 0.1 * scale * np.ones(table.shape))

    np.testing.assert_allclose(second.above, first.above, atol=1e-3)
    assert second.certainty == pytest.approx(first.certainty, abs=1e-3)


@every_table
@given(st.integers(0, 10_000), st.permutations(range(9)), st.permutations(range(3)))
def test_the_numbering_of_models_and_signals_does_not_matter(seed, models, signals):
    table = drawn_table(seed)

    first, second = found_in(table), found_in(table[signals][:, models])

    np.testing.assert_allclose(second.above, first.above[np.ix_(models, models)], atol=1e-3)
    np.testing.assert_allclose(second.mean_ranks, first.mean_ranks[models], atol=1e-2)


@every_table
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_what_is_stated_hangs_together(seed, k):
    table = drawn_table(seed, k)
    table[0, 0] = math.nan

    found, turned = found_in(table), found_in(-table)

    above = found.above[~np.eye(9, dtype=bool)]
    rated = ~np.isnan(found.mean_ranks)
    assert ((above > 0) & (above < 1) | np.isnan(above)).all()
    off = ~np.eye(9, dtype=bool)
    np.testing.assert_allclose((found.above + found.above.T)[off & np.outer(rated, rated)], 1.0)
    np.testing.assert_allclose(turned.above, found.above.T, atol=1e-3)
    assert list(found.order) == sorted(np.nonzero(rated)[0].tolist(), key=lambda model: found.mean_ranks[model])
    assert np.nansum(found.mean_ranks) == pytest.approx(rated.sum() * (rated.sum() + 1) / 2)
    assert found.share_lower <= found.share <= found.share_upper
    for model in found.order:
        # a mean may leave the quantiles where nearly all is on one rank, but not by a whole one
        assert found.ranks[model].lower - 1 < found.mean_ranks[model] < found.ranks[model].upper + 1


def test_a_model_that_no_signal_knows_is_not_ranked():
    table = drawn_table(1)
    table[:, 4] = math.nan

    found = found_in(table)

    assert found.ranks[4] is None
    assert 4 not in found.order
    assert len(found.order) == 8
    assert np.isnan(found.above[4]).all()
    assert math.isnan(found.mean_ranks[4])
    rest = found_in(np.delete(table, 4, axis=1))
    assert [each for each in found.ranks if each] == list(rest.ranks)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_a_copy_adds_no_confidence(k):
    table = drawn_table(7, k)
    errors = np.full(table.shape, 0.2)

    once, copied = (
        found_in(table, errors),
        found_in(np.vstack([table, 5 * table[0] - 3, table[0]]), np.vstack([errors, 5 * errors[0], errors[0]])),
    )

    assert copied.duplicates == ((k, 0), (k + 1, 0))
    assert (copied.n_signals, once.duplicates) == (k, ())
    np.testing.assert_allclose(copied.above, once.above, atol=1e-9)
    assert (copied.certainty, copied.ranks) == (pytest.approx(once.certainty), once.ranks)


def test_a_copy_that_knows_more_fills_in_what_the_first_does_not_know():
    whole = drawn_table(3, k=2)
    part = whole[0].copy()
    extremes = [whole[0].argmin(), whole[0].argmax()]
    part[extremes] = math.nan
    errors = np.full((3, 9), 0.2)
    errors[:, extremes] = 0.8

    found = found_in([part, whole[1], 2 * whole[0] + 1], errors * [[1], [1], [2]])

    assert found.duplicates == ((2, 0),)
    np.testing.assert_allclose(found.above, found_in(whole, errors[:2]).above, atol=1e-3)


def test_few_models_in_common_are_no_copy_by_chance():
    near = [[0, 1, 2.0, math.nan, math.nan], [0, 1, 2.05, 9, -4]]

    assert found_in(near).duplicates == ()
    near[1][2] = 2.0
    assert found_in(near).duplicates == ((1, 0),)


def test_near_copies_add_next_to_nothing_and_others_do():
    change = {"near": [], "new": []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        quality = rng.normal(size=12)
        table = quality + 0.65 * rng.normal(size=(2, 12))
        near = table[0] + 0.1 * rng.normal(size=12)
        new = quality + 0.65 * rng.normal(size=12)
        two = found_in(table).certainty
        for what, third in (("near", near), ("new", new)):
            change[what].append(found_in(np.vstack([table, third])).certainty - two)

    assert abs(np.mean(change["near"])) < 0.01
    assert np.mean(change["new"]) > np.mean(change["near"]) + 0.005


def test_it_is_surer_of_more_signals_and_less_sure_of_a_conflict():
    certainty, width = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        table = rng.normal(size=12) + 0.65 * rng.normal(size=(6, 12))
        tables = [table[:1], table[:2], table[:3], table, np.vstack([table[:2], -table[2]])]
        each = [found_in(some) for some in tables]
        certainty.append([one.certainty for one in each])
        width.append([np.mean([r.upper - r.lower for r in one.ranks]) for one in each])

    one, two, three, six, conflict = np.mean(certainty, axis=0)
    assert one + 0.02 < two < three < six
    assert conflict < two - 0.1
    one, two, three, six, conflict = np.mean(width, axis=0)
    assert one > two > three > six
    assert conflict > one


def test_many_exact_signals_of_one_quality_find_its_order():
    rng = np.random.default_rng(2)
    quality = np.arange(10.0)
    found = found_in(quality + 0.5 * rng.normal(size=(6, 10)))

    assert found.order == tuple(range(9, -1, -1))
    assert found.certainty > 0.97
    assert found.ranks[9].upper <= 3


def test_noise_that_drowns_a_signal_leaves_everything_open():
    found = found_in(drawn_table(1), np.full((3, 9), 1e300))

    assert found.certainty < 0.55
    assert set(found.ranks) == {RankRange(1, 9)}
    # nine ranks, all alike: a quarter of the draws lies within the first 2.25 of them
    half = found_in(drawn_table(1), np.full((3, 9), 1e300), confidence_level=0.5)
    assert set(half.ranks) == {RankRange(3, 7)}


def test_another_level_of_confidence_is_kept():
    found = found_in([[1, 2, 3.5]], confidence_level=0.5)

    assert found.order == (2, 1, 0)
    assert found.confidence_level == 0.5
    wide = found_in([[1, 2, 3.5]], confidence_level=0.99)
    assert all(a.upper - a.lower <= b.upper - b.lower for a, b in zip(found.ranks, wide.ranks, strict=True))
    assert found.ranks != wide.ranks


@pytest.mark.parametrize(
    "name",
    [
        *(f"as the prior says, k = {k}" for k in range(1, 7)),
        "the same, 40 % missing, k = 4",
        "70 % quality, the first half one family, k = 4",
        "70 % quality, independent, k = 3",
    ],
)
def test_it_is_as_right_as_it_says(name):
    # A small run of bench/consensus.py, in a band that chance leaves once in many hundred runs.
    seen = bench.simulate(name, N_WORLDS)

    assert seen.held.mean() > 0.93
    assert abs(seen.stated.mean() - seen.right.mean()) < 0.045
    assert bench.largest_difference(seen) < 0.12


def test_the_bench_prints_tables(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["consensus.py", "--worlds", "10", "--only", "heavy tails"])
    bench.main()
    lines = capsys.readouterr().out.splitlines()

    assert lines[2].startswith("| deviations with heavy tails (t, 4), k = 5 | 5 | ")
    assert (
        next(line for line in lines if line.startswith("| two |"))[7:]
        == next(line for line in lines if line.startswith("| and a copy |"))[14:]
    )


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (LengthMismatchError, lambda: found_in([1.0, 2.0])),
        (LengthMismatchError, lambda: found_in(np.empty((0, 3)))),
        (LengthMismatchError, lambda: found_in([[1, 2, 3]], np.zeros((1, 2)))),
        (InvalidWeightError, lambda: found_in([[1, 2, math.inf]])),
        (InvalidWeightError, lambda: found_in([[1, 2, 3]], [[0.1, -0.1, 0]])),
        (InvalidWeightError, lambda: found_in([[1, 2, 3]], [[0.1, math.nan, 0]])),
        (InvalidWeightError, lambda: found_in([[1, 2, 3], [1, math.nan, 3]])),
        (InvalidWeightError, lambda: found_in([[2, 2, 2]])),
        (InvalidLevelError, lambda: found_in([[1, 2, 3]], confidence_level=1.0)),
        (InvalidLevelError, lambda: found_in([[1, 2, 3]], n_draws=0)),
    ],
    ids=range(10),
)
def test_it_refuses_what_says_nothing_of_an_order(error, asked):
    with pytest.raises(error):
        asked()
