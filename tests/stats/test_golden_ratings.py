"""Ratings of public votes as evalica, an independent library, computed them (column `algorithm` names the method)."""

import csv
from pathlib import Path

import numpy as np
import pytest

from stats.bradley_terry import Gauge, fit
from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.uncertainty import sandwich

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


def test_it_agrees_with_arena_rank_run_to_convergence():
    tables = {}
    for name in ("votes", "plain"):
        with (Path(__file__).parent / "golden" / f"{name}.csv").open(encoding="utf-8") as file:
            next(file)  # the origin
            tables[name] = list(csv.DictReader(file))
    left, right, outcome = ([int(row[side]) for row in tables["votes"]] for side in ("left", "right", "outcome"))
    counts = PairCounts.from_comparisons(Comparisons.from_arrays(left, right, outcome=outcome, n_items=12))

    result = fit(counts, gauge=Gauge.MEAN)

    np.testing.assert_allclose(result.ratings, [float(row["rating"]) for row in tables["plain"]], atol=1e-4)
    errors = [float(row["standard_error"]) for row in tables["plain"]]
    np.testing.assert_allclose(sandwich(counts, result, prior_votes=0).standard_error, errors, rtol=2e-4)
