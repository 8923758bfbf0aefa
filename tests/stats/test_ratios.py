import numpy as np
import pytest

from stats.errors import StatsError
from stats.ratios import Ratio, ratio_of_sums


def test_one_thing_in_each_cluster_is_a_plain_mean():
    values = np.random.default_rng(1).normal(size=50)
    found = ratio_of_sums(list(values), [1] * 50)

    assert found == pytest.approx((values.mean(), values.std(ddof=1) / 50**0.5, 50))


def test_what_stands_together_counts_once():
    once, thrice = ratio_of_sums([1, 0, 1], [1, 1, 1]), ratio_of_sums([3, 0, 3], [3, 3, 3])

    assert thrice[:2] == pytest.approx(once[:2])


def test_the_standard_error_is_that_of_many_draws():
    """Of clusters of different sizes, against what the ratio does when it is drawn anew."""
    rng = np.random.default_rng(2)

    def draw():
        sizes = rng.integers(1, 4, size=300)
        rates = rng.beta(2, 2, size=300)
        return rng.binomial(sizes, rates), sizes

    ratios = [ratio_of_sums(list(above), list(below)) for above, below in (draw() for _ in range(800))]
    assert np.mean([ratio.standard_error for ratio in ratios]) == pytest.approx(
        np.std([r.value for r in ratios]), rel=0.08
    )


def test_a_single_cluster_has_no_standard_error():
    assert ratio_of_sums([1], [2]) == Ratio(0.5, None, 2)


@pytest.mark.parametrize(
    ("above", "below", "words"), [([], [], "Nothing is below"), ([1], [0], "Nothing"), ([1], [1, 2], "1 sums")]
)
def test_what_cannot_be_divided_is_refused(above, below, words):
    with pytest.raises(StatsError, match=words):
        ratio_of_sums(above, below)
