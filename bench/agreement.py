"""Whether `stats` and its peers find the same: `python -m bench.ranking --agreement`, which runs this where they are.

Prints Markdown tables of the largest differences over all models, each library run to convergence as far as it can be
told to: in rating points, both sides centred; and of the bootstrap's standard errors over the sandwich's.
"""

import sys
import warnings
from pathlib import Path

import choix
import evalica
import numpy as np
from arena_rank.models.bradley_terry import BradleyTerry
from arena_rank.models.contextual_bradley_terry import ContextualBradleyTerry
from arena_rank.utils.data_utils import ContextualPairDataset, PairDataset
from arenakit import fit_rao_kupper
from arenakit.schema import PairCounts as TheirCounts

from bench.timing import FEATURES, frame
from stats.bootstrap import poisson_bootstrap
from stats.bradley_terry import RATING_PER_STRENGTH, Gauge, fit
from stats.comparisons import Comparisons, PairCounts
from stats.covariate_passes import ControlledComparisons
from stats.covariates import fit_with_covariates
from stats.ties import TieModel, fit_with_ties
from stats.uncertainty import sandwich

CONVERGED = {"ftol": 1e-16, "gtol": 1e-12, "max_iter": 20_000}
MANY_VOTES = 1000


def table(folder: Path) -> str:
    with np.load(folder / "votes.npz") as stored:
        data = dict(stored)
    votes = Comparisons.from_arrays(data["left"], data["right"], outcome=data["outcome"], n_items=int(data["n_items"]))
    counts = PairCounts.from_comparisons(votes)
    strings = frame(data)
    styled = fit_with_covariates(ControlledComparisons(comparisons=votes, covariates=data["features"]))
    pairs = [
        ("Bradley-Terry, evalica", fit(counts), evalica_plain(strings)),
        ("Bradley-Terry, choix", fit(counts), choix_plain(counts)),
        ("Bradley-Terry, arena-rank", fit(counts), arena_rank_plain(strings)),
        ("four covariates, arena-rank", styled, arena_rank_style(strings)),
        ("Rao-Kupper, arenakit", fit_with_ties(counts, tie_model=TieModel.RAO_KUPPER), arenakit_ties(counts)),
        ("Davidson, evalica's newman", fit_with_ties(counts, tie_model=TieModel.DAVIDSON), evalica_newman(strings)),
    ]
    lines = [f"| on {counts.n_comparisons:,.0f} votes | largest difference, points |", "|---|---|"]
    for what, ours, theirs in pairs:
        assert ours.converged
        apart = np.abs(centred(ours.strengths) - centred(theirs)).max() * RATING_PER_STRENGTH
        lines.append(f"| {what} | {apart:.2g} |")
    return "\n".join([*lines, *bootstrap_lines(counts)])


def bootstrap_lines(counts):
    fitted = fit(counts, gauge=Gauge.MEAN)
    drawn = poisson_bootstrap(counts, fitted, rng=np.random.default_rng(0), n_resamples=1000).standard_error
    share = drawn / sandwich(counts, fitted).standard_error
    often = counts.comparisons_per_item() >= MANY_VOTES
    many, few = share[often], share[~often]
    return [
        "",
        "| standard errors, 1,000 bootstrap refits / sandwich | |",
        "|---|---|",
        f"| median of all models | {np.median(share):.4f} |",
        f"| models with {MANY_VOTES:,} votes or more | {many.min():.3f} - {many.max():.3f} |",
        f"| the others | {few.min(initial=np.inf):.3f} - {few.max(initial=0.0):.3f} |",
    ]


def centred(strengths):
    return strengths - strengths.mean()


def by_number(names, values):
    """Names end in the number of the item."""
    found = np.empty(len(values))
    found[[int(name.rpartition("-")[2]) for name in names]] = values
    return found


def evalica_votes(strings):
    words = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    return strings["model_a"], strings["model_b"], strings["winner"].map(words)


def evalica_plain(strings):
    scores = evalica.bradley_terry(*evalica_votes(strings), tolerance=1e-13, limit=10_000).scores
    return by_number(scores.index, np.log(scores.to_numpy()))


def evalica_newman(strings):
    scores = evalica.newman(*evalica_votes(strings), tolerance=1e-13, limit=10_000).scores
    return by_number(scores.index, np.log(scores.to_numpy()))


def choix_plain(counts):
    wins = np.zeros((counts.n_items, counts.n_items))
    halves = (counts.ties + counts.both_bad) / 2
    wins[counts.left, counts.right] = counts.wins_left + halves
    wins[counts.right, counts.left] = counts.wins_right + halves
    return choix.ilsr_pairwise_dense(wins)


def arena_rank_plain(strings):
    pairs = PairDataset.from_pandas(strings)
    result = BradleyTerry(n_competitors=pairs.n_competitors, **CONVERGED).compute_ratings_and_cis(pairs)
    return by_number(result["competitors"], np.asarray(result["ratings"]) / RATING_PER_STRENGTH)


def arena_rank_style(strings):
    pairs = ContextualPairDataset.from_pandas(strings, FEATURES, reweighted=False, normalize_features=False)
    shape = {"n_competitors": pairs.n_competitors, "n_features": pairs.n_features}
    result = ContextualBradleyTerry(**shape, reg=0.0, **CONVERGED).compute_ratings_and_cis(pairs)
    return by_number(result["competitors"], np.asarray(result["ratings"]) / RATING_PER_STRENGTH)


def arenakit_ties(counts):
    tables = [np.zeros((counts.n_items, counts.n_items), dtype=np.int64) for _ in range(3)]
    for its, column in zip(tables, (counts.wins_left, counts.wins_right, counts.ties), strict=True):
        its[counts.left, counts.right] = column
    return fit_rao_kupper(TheirCounts(*tables), prior=0.0).scores


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(table(Path(sys.argv[1])))
