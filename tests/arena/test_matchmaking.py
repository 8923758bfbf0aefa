"""The probability that is stored with a pair is the probability with which it is drawn."""

import itertools
import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.matchmaking import Draw, TooFewContenders, draw, draw_replacement

N = 20_000
WEIGHTS = {1: 1.0, 2: 1.0, 3: 2.0, 4: 0.5, 5: 0.0, 9: 7.5}


def enumerated(weights, never=()):
    """Every pair's probability, worked out from the definition."""
    products = {
        frozenset(pair): weights[pair[0]] * weights[pair[1]]
        for pair in itertools.combinations([id_ for id_ in weights if weights[id_] > 0], 2)
        if frozenset(pair) not in never
    }
    return {pair: product / math.fsum(products.values()) for pair, product in products.items()}


def sample(weights, never=(), n=N):
    rng = random.Random(20261122)
    return [draw(weights, rng, never=never) for _ in range(n)]


def pair_of(drawn):
    return frozenset((drawn.llm_a, drawn.llm_b))


def is_close(n_hits, probability, n=N):
    """Within five standard deviations."""
    return abs(n_hits - n * probability) <= 5 * math.sqrt(n * probability * (1 - probability)) + 1


@pytest.mark.parametrize("never", [[], [frozenset((3, 9))], [frozenset((1, 2)), frozenset((1, 9)), frozenset((7, 8))]])
def test_the_probability_is_exact_and_is_how_often_the_pair_comes(never):
    expected = enumerated(WEIGHTS, never)
    drawn = sample(WEIGHTS, never)
    assert all(one.probability == pytest.approx(expected[pair_of(one)], rel=1e-12) for one in drawn)
    counts = Counter(map(pair_of, drawn))
    assert counts.keys() == expected.keys()
    assert all(is_close(counts[pair], probability) for pair, probability in expected.items())


def test_weighing_by_the_inverse_probability_undoes_the_draw():
    """Summed over many draws, each pair gets the same weight: what weighted fits rely on."""
    sums = Counter()
    for one in sample(WEIGHTS):
        sums[pair_of(one)] += 1 / one.probability
    assert all(total == pytest.approx(N, rel=0.25) for total in sums.values())


def test_the_sides_are_a_fair_coin_for_every_pair():
    drawn = sample(WEIGHTS)
    for pair, n_pair in Counter(map(pair_of, drawn)).items():
        n_low_on_a = sum(1 for one in drawn if pair_of(one) == pair and one.llm_a == min(pair))
        assert is_close(n_low_on_a, 0.5, n_pair)


def test_equal_weights_make_all_pairs_equally_likely():
    assert {one.probability for one in sample(dict.fromkeys(range(6), 3.0), n=200)} == {1 / 15}


def test_a_model_of_weight_zero_is_never_drawn():
    assert all(5 not in pair_of(one) for one in sample(WEIGHTS, n=2_000))


@settings(deadline=None, max_examples=150, database=None, derandomize=True)
@given(
    st.dictionaries(st.integers(1, 50), st.just(0.0) | st.floats(1e-6, 1e6), max_size=7),
    st.lists(st.frozensets(st.integers(1, 50), min_size=2, max_size=2), max_size=5),
    st.integers(),
)
def test_whatever_the_weights_a_draw_is_allowed_and_its_probability_right(weights, never, seed):
    expected = enumerated(weights, never)
    if not expected:
        with pytest.raises(TooFewContenders):
            draw(weights, random.Random(seed), never=never)
        return
    drawn = draw(weights, random.Random(seed), never=never)
    assert drawn.llm_a != drawn.llm_b
    assert 0 < drawn.probability <= 1
    assert drawn.probability == pytest.approx(expected[pair_of(drawn)])


@pytest.mark.parametrize(
    ("weights", "never"),
    [({}, []), ({1: 1.0}, []), ({1: 0.0, 2: 0.0}, []), ({1: 1.0, 2: 0.0}, []), ({1: 1.0, 2: 1.0}, [frozenset((1, 2))])],
)
def test_where_no_pair_remains_it_says_so(weights, never):
    with pytest.raises(TooFewContenders):
        draw(weights, random.Random(1), never=never)


@pytest.mark.parametrize("size", [1e-300, 1e-20, 1e300])
def test_the_size_of_the_weights_does_not_matter(size):
    weights = {1: size, 2: size, 3: 2 * size}
    expected = enumerated({1: 1.0, 2: 1.0, 3: 2.0})
    drawn = sample(weights, n=50)
    assert all(one.probability == pytest.approx(expected[pair_of(one)]) for one in drawn)


def test_two_models_always_meet():
    (pair,) = {pair_of(one) for one in sample({4: 0.1, 8: 1e9}, n=50)}
    assert pair == {4, 8}
    assert draw({4: 0.1, 8: 1e9}, random.Random(1)) in {Draw(4, 8, 1.0), Draw(8, 4, 1.0)}


def test_a_replacement_is_drawn_by_weight_among_those_who_are_left():
    rng = random.Random(7)
    counts = Counter(draw_replacement(WEIGHTS, rng, not_these={9, 1}) for _ in range(N))
    assert counts.keys() == {2, 3, 4}
    for id_, n in counts.items():
        assert is_close(n, WEIGHTS[id_] / 3.5)


def test_nobody_is_left_to_replace_a_model():
    assert draw_replacement({1: 1.0, 2: 1.0, 3: 0.0}, random.Random(1), not_these={1, 2}) is None
