"""What `bench.ranking` times of ours: `python -m bench.our_tasks TASK FOLDER REPEATS`."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from bench.timing import FEATURES, N_RESAMPLES, OUTCOMES, frame, main
from stats.bootstrap import poisson_bootstrap
from stats.bradley_terry import fit
from stats.comparisons import Comparisons, PairCounts
from stats.covariate_passes import ControlledComparisons
from stats.covariate_uncertainty import covariate_sandwich
from stats.covariates import fit_with_covariates
from stats.uncertainty import sandwich


def comparisons(data):
    return Comparisons.from_arrays(data["left"], data["right"], outcome=data["outcome"], n_items=int(data["n_items"]))


def counted(data):
    return PairCounts.from_arrays(data["left"], data["right"], outcome=data["outcome"], n_items=int(data["n_items"]))


def coded(votes):
    """From a frame of strings: the frame's own dictionary encoding, two columns at a time, then our numbers."""
    with ThreadPoolExecutor(2) as pool:
        columns = pool.map(lambda name: pd.factorize(votes[name]), ("winner", "model_a", "model_b"))
        (outcome, words), (left, left_names), (right, right_names) = columns
    names = sorted({*left_names, *right_names})
    number, small = {name: i for i, name in enumerate(names)}, np.min_scalar_type(len(names))
    return {
        "left": np.array([number[name] for name in left_names], dtype=small)[left],
        "right": np.array([number[name] for name in right_names], dtype=small)[right],
        "outcome": np.array([OUTCOMES.index(word) for word in words], dtype=small)[outcome],
        "n_items": len(names),
    }


def rated(counts):
    fitted = fit(counts)
    assert fitted.converged
    uncertainty = sandwich(counts, fitted)
    return uncertainty.lower, uncertainty.upper


def styled(data, features):
    votes = ControlledComparisons(comparisons=comparisons(data), covariates=features)
    fitted = fit_with_covariates(votes)
    assert fitted.converged
    return covariate_sandwich(fitted)


def ours_strings(data):
    votes = frame(data)
    return lambda: rated(counted(coded(votes)))


def ours_codes(data):
    return lambda: rated(counted(data))


def ours_small_codes(data):
    """The same codes in as many bytes as 200 models need, as a frame's categories are kept."""
    sides = {name: data[name].astype(np.int16) for name in ("left", "right")}
    small = {**data, **sides, "outcome": data["outcome"].astype(np.int8)}
    return lambda: rated(counted(small))


def ours_counts(data):
    counts = counted(data)
    return lambda: rated(counts)


def ours_refit(data):
    """Of counts that were never votes: as a ledger keeps them, for any number of votes."""
    counts = PairCounts(
        left=data["left"],
        right=data["right"],
        totals=data["totals"],
        squares=data["totals"],
        n_items=int(data["n_items"]),
    )
    return lambda: rated(counts)


def ours_style(data):
    return lambda: styled(data, data["features"])


def ours_style_strings(data):
    votes = frame(data)
    return lambda: styled(coded(votes), votes[FEATURES].to_numpy())


def ours_bootstrap(data):
    counts = counted(data)

    def run():
        return poisson_bootstrap(counts, fit(counts), rng=np.random.default_rng(0), n_resamples=N_RESAMPLES)

    return run


TASKS = {
    task.__name__: task
    for task in (
        ours_strings,
        ours_codes,
        ours_small_codes,
        ours_counts,
        ours_refit,
        ours_style,
        ours_style_strings,
        ours_bootstrap,
    )
}

if __name__ == "__main__":
    main(TASKS)
