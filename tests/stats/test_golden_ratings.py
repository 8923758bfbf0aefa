"""Ratings of public votes as evalica, an independent library, computed them (column `algorithm` names the method)."""

import csv

import numpy as np
import pytest

from stats.bradley_terry import Gauge, fit
from stats.comparisons import Comparisons, Outcome, PairCounts

OUTCOMES = {"left": Outcome.LEFT, "right": Outcome.RIGHT, "tie": Outcome.TIE}


def read_rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("votes", "golden", "n_votes"),
    [
        ("llmfao_crowd.csv", "llmfao_golden_evalica.csv", 8931),
        ("arena.evalica_food.csv", "arena.evalica_food_golden.csv", 30),
        ("arena.evalica_simple.csv", "arena.evalica_simple_golden.csv", 16),
    ],
)
def test_it_agrees_with_evalica(votes_folder, votes, golden, n_votes):
    strength_of = {
        row["item"]: np.log(float(row["score"]))
        for row in read_rows(votes_folder / golden)
        if row["algorithm"] == "bradley_terry"
    }
    number = {item: index for index, item in enumerate(strength_of)}
    rows = read_rows(votes_folder / votes)
    comparisons = Comparisons.from_arrays(
        [number[row["left"]] for row in rows],
        [number[row["right"]] for row in rows],
        outcome=[OUTCOMES[row["winner"]] for row in rows],
        n_items=len(number),
    )

    result = fit(PairCounts.from_comparisons(comparisons), gauge=Gauge.MEAN)

    expected = np.array(list(strength_of.values()))
    assert len(rows) == n_votes
    assert result.converged
    np.testing.assert_allclose(result.strengths, expected - expected.mean(), atol=1e-6)
