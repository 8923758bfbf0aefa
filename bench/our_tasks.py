"""What `bench.ranking` times of ours: `python -m bench.our_tasks TASK FOLDER REPEATS`."""

import numpy as np
import pandas as pd

from bench.timing import N_RESAMPLES, OUTCOMES, frame, main
from stats.bootstrap import poisson_bootstrap
from stats.bradley_terry import fit
from stats.comparisons import Comparisons, PairCounts
from stats.covariate_passes import ControlledComparisons
from stats.covariate_uncertainty import covariate_sandwich
from stats.covariates import fit_with_covariates
from stats.uncertainty import sandwich


def comparisons(data):
    return Comparisons.from_arrays(data["left"], data["right"], outcome=data["outcome"], n_items=int(data["n_items"]))


def coded(votes):
    """From a frame of strings: the frame's own dictionary encoding, then our arrays."""

    left, left_names = pd.factorize(votes["model_a"])
    right, right_names = pd.factorize(votes["model_b"])
    outcome, words = pd.factorize(votes["winner"])
    names = sorted({*left_names, *right_names})
    number = {name: i for i, name in enumerate(names)}
    return Comparisons.from_arrays(
        np.array([number[name] for name in left_names])[left],
        np.array([number[name] for name in right_names])[right],
        outcome=np.array([OUTCOMES.index(word) for word in words])[outcome],
        n_items=len(names),
    )


def rated(counts):
    fitted = fit(counts)
    assert fitted.converged
    uncertainty = sandwich(counts, fitted)
    return uncertainty.lower, uncertainty.upper


def ours_strings(data):
    votes = frame(data)
    return lambda: rated(PairCounts.from_comparisons(coded(votes)))


def ours_codes(data):
    return lambda: rated(PairCounts.from_comparisons(comparisons(data)))


def ours_counts(data):
    counts = PairCounts.from_comparisons(comparisons(data))
    return lambda: rated(counts)


def ours_style(data):
    return lambda: covariate_sandwich(
        fit_with_covariates(ControlledComparisons(comparisons=comparisons(data), covariates=data["features"]))
    )


def ours_bootstrap(data):
    counts = PairCounts.from_comparisons(comparisons(data))

    def run():
        return poisson_bootstrap(counts, fit(counts), rng=np.random.default_rng(0), n_resamples=N_RESAMPLES)

    return run


TASKS = {
    task.__name__: task
    for task in (
        ours_strings,
        ours_codes,
        ours_counts,
        ours_style,
        ours_bootstrap,
    )
}

if __name__ == "__main__":
    main(TASKS)
