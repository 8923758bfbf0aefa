"""Compute the numbers in this folder with other libraries: run it where those of `ORIGIN` are installed.

    python make_golden.py

The tests read only the CSV files; nothing here is needed to run them.
"""

import csv
import warnings
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
ORIGIN = "arena-rank 0.1.1, arenakit 0.1.1, evalica 0.4.2, numpy 2.3.3"
N_ITEMS, N_VOTES = 12, 6000
LABELS = ["model_a", "model_b", "tie"]


def votes():
    """Left, right, outcome (0 left, 1 right, 2 tie) and two covariates of simulated votes on unevenly popular items."""
    rng = np.random.default_rng(2024)
    strengths = rng.normal(0, 0.9, N_ITEMS)
    popularity = rng.lognormal(0, 0.8, N_ITEMS)
    left = rng.choice(N_ITEMS, N_VOTES, p=popularity / popularity.sum())
    right = (left + rng.integers(1, N_ITEMS, N_VOTES)) % N_ITEMS
    covariates = rng.normal(size=(N_VOTES, 2)) + np.array([0.3, 0.0])
    covariates[:, 1] += 0.4 * (strengths[left] - strengths[right])
    p = 1 / (1 + np.exp(strengths[right] - strengths[left] - covariates @ [0.3, -0.1]))
    tie = 2 * 0.3 * np.minimum(p, 1 - p)
    draw = rng.random(N_VOTES)
    outcome = np.where(draw < p - tie / 2, 0, np.where(draw < p + tie / 2, 2, 1))
    return left, right, outcome, covariates


def write(name, head, rows):
    with (FOLDER / name).open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {ORIGIN}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)


def ties(left, right, outcome):
    import evalica
    from arenakit import fit_rao_kupper
    from arenakit.schema import PairCounts

    tables = [np.zeros((N_ITEMS, N_ITEMS), dtype=np.int64) for _ in range(3)]
    for code, table in enumerate(tables):
        np.add.at(table, (left[outcome == code], right[outcome == code]), 1)
    rao_kupper = fit_rao_kupper(PairCounts(*tables), prior=0.0)
    yield "rao_kupper", "arenakit", rao_kupper.tie_theta, rao_kupper.scores
    winners = [(evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw)[code] for code in outcome]
    names = [str(item) for item in range(N_ITEMS)]
    newman = evalica.newman(
        [names[item] for item in left], [names[item] for item in right], winners, tolerance=1e-13, limit=100_000
    )
    yield "davidson", "evalica newman", 2 * newman.v, np.log(newman.scores.loc[names].to_numpy())


def plain(left, right, outcome):
    import pandas as pd
    from arena_rank.models.bradley_terry import BradleyTerry
    from arena_rank.utils.data_utils import PairDataset

    names = [f"{item:02}" for item in range(N_ITEMS)]  # arena-rank sorts them
    frame = pd.DataFrame(
        {
            "model_a": [names[item] for item in left],
            "model_b": [names[item] for item in right],
            "winner": [LABELS[code] for code in outcome],
        }
    )
    options = {"hessian_reg": 1e-6, "ftol": 1e-16, "gtol": 1e-12, "max_iter": 20_000}
    result = BradleyTerry(N_ITEMS, **options).compute_ratings_and_cis(PairDataset.from_pandas(frame))
    return np.asarray(result["ratings"]), np.sqrt(np.asarray(result["variances"]))


def with_covariates(left, right, outcome, covariates):
    import jax.numpy as jnp
    from arena_rank.models.contextual_bradley_terry import ContextualBradleyTerry
    from arena_rank.utils.data_utils import ContextualPairDataset

    data = ContextualPairDataset(
        competitors=[str(item) for item in range(N_ITEMS)],
        pairs=jnp.array(np.column_stack([left, right]), dtype=jnp.int32),
        outcomes=jnp.array(np.array([1.0, 0.0, 0.5])[outcome]),
        features=jnp.array(covariates),
        weights=jnp.ones(N_VOTES),
    )
    options = {"reg": 0.0, "hessian_reg": 1e-6, "ftol": 1e-16, "gtol": 1e-12, "max_iter": 20_000}
    result = ContextualBradleyTerry(N_ITEMS, covariates.shape[1], **options).compute_ratings_and_cis(data)
    errors = np.sqrt(np.asarray(result["variances"]))
    return np.asarray(result["ratings"]), errors, np.asarray(result["coeffs"])


def main():
    warnings.simplefilter("ignore")
    left, right, outcome, covariates = votes()
    rows = zip(left, right, outcome, *covariates.T.round(6), strict=True)
    write("votes.csv", ["left", "right", "outcome", "x", "y"], rows)
    covariates = covariates.round(6)
    write(
        "ties.csv",
        ["tie_model", "library", "tie_parameter", *range(N_ITEMS)],
        [[*head, *(f"{score:.12f}" for score in scores)] for *head, scores in ties(left, right, outcome)],
    )
    ratings, errors = plain(left, right, outcome)
    write("plain.csv", ["item", "rating", "standard_error"], zip(range(N_ITEMS), ratings, errors, strict=True))
    ratings, errors, coefficients = with_covariates(left, right, outcome, covariates)
    write("covariates.csv", ["item", "rating", "standard_error"], zip(range(N_ITEMS), ratings, errors, strict=True))
    write("coefficients.csv", ["covariate", "coefficient"], zip("xy", coefficients, strict=True))


if __name__ == "__main__":
    main()
