import numpy as np

from stats.odds import chances


def test_both_chances_keep_their_digits_where_one_is_tiny():
    log_odds = np.array([-800.0, -700.0, -40.0, -1.0, 0.0, 1.0, 40.0, 700.0, 800.0])

    left, right = chances(log_odds)

    with np.errstate(over="ignore", under="ignore"):
        np.testing.assert_allclose(left[1:-1], 1 / (1 + np.exp(-log_odds[1:-1])), rtol=1e-15)
    np.testing.assert_array_equal(right, left[::-1])
    np.testing.assert_allclose(left[2], np.exp(-40.0), rtol=1e-15)
    assert left[0] < 1e-300
    assert left[-1] == 1.0
    assert left[4] == right[4] == 0.5


def test_an_unrated_item_has_no_chances():
    assert np.isnan(chances(np.array([np.nan]))).all()
