"""What several signals, each on a scale of its own, say of one quality of the models: the model behind `consensus`.

    estimate[j, i] = level[j] + scale[j] * (sqrt(q) * quality[i] + sqrt(1 - q) * deviation[j, i]) + noise[j, i]

`q` is the share of what a signal measures that is the quality, of a signal without noise; no signal is trusted more
than another but for its noise. Deviations and noise of signals of one *family* are correlated by c, of different
families not, so that a copy of a signal is worth nothing. (A Thurstone model with random effects: Thurstone 1927, "A
law of comparative judgment"; the heterogeneity between signals as in DerSimonian and Laird 1986, "Meta-analysis in
clinical trials".) Given q, families and c everything is Gaussian; those three are averaged over by their posterior
probability on a grid (Hoeting, Madigan, Raftery and Volinsky 1999, "Bayesian model averaging"). Levels are integrated
out under a flat prior, scales are at their penalised maximum.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.optimize import minimize
from scipy.spatial.distance import squareform
from scipy.special import betaln, expit, logit, xlog1py, xlogy

from stats.number_checks import FloatArray
from stats.pair_tables import IntArray

SHARE_PRIOR: Final = (4.0, 2.0)
"""Beta distribution of q: two signals of different families correlate by 2/3 on average, by 0.34 to 0.92 in 90 %."""
ALL_DIFFERENT: Final = 0.5
"""Prior probability that each signal is a family of its own; otherwise families are those of a Chinese restaurant..."""
CONCENTRATION: Final = 2.0
"""... of this concentration (Ewens 1972, "The sampling theory of selectively neutral alleles")."""
SHARES: Final = np.arange(0.02, 1.0, 0.04)
APART: Final = 0.8 * 0.5 ** np.arange(10)
"""1 - c, all alike: on a logarithmic scale, so that near duplicates say nothing of q."""
SPREAD_OF_LOG_SCALE: Final = 1.0  # standard deviation of the log of a scale around that of the signal's numbers
LOG_NEGLIGIBLE: Final = float(np.log(1e-5))  # of the probability of a hypothesis over that of the best one
CELLS_AT_ONCE: Final = 2**20


@dataclass(frozen=True, kw_only=True, eq=False)
class Signals:
    """Shape (n_models, n_signals) each; `known` is 0 where a signal does not know a model, the others are 0 there."""

    estimates: FloatArray
    variances: FloatArray
    known: FloatArray


class Hypothesis(NamedTuple):
    """`families` has a number for each signal; `apart` is 1 - c. `log_prior` may miss a constant."""

    share: float
    families: IntArray
    apart: float
    log_prior: float


class Posterior(NamedTuple):
    """Of the qualities under each hypothesis: N(means, diag(variances) + gains @ level_covariance @ gains.T).

    Shapes (n_hypotheses,), (n_hypotheses, n_models) twice, (.., n_models, n_signals), (.., n_signals, n_signals).
    `probabilities` sum to 1 over the hypotheses that are kept.
    """

    probabilities: FloatArray
    means: FloatArray
    variances: FloatArray
    gains: FloatArray
    level_covariance: FloatArray

    def differences(self) -> Iterator[tuple[float, FloatArray, FloatArray]]:
        """Per hypothesis its probability, and mean and variance of quality[i] - quality[j], (n_models, n_models)."""
        for probability, mean, variance, gain, level in zip(*self, strict=True):
            covariance = np.diag(variance) + gain @ level @ gain.T
            diagonal = np.diagonal(covariance)
            yield probability, mean[:, np.newaxis] - mean, diagonal[:, np.newaxis] + diagonal - 2 * covariance

    def draws(self, n_draws: int, *, rng: np.random.Generator) -> FloatArray:
        """Qualities drawn from the mixture of all hypotheses, shape (n_draws, n_models)."""
        drawn = []
        for n, mean, variance, gain, level in zip(rng.multinomial(n_draws, self.probabilities), *self[1:], strict=True):
            moved = rng.standard_normal((n, len(level))) @ np.linalg.cholesky(level).T @ gain.T
            drawn.append(mean + moved + np.sqrt(variance) * rng.standard_normal((n, len(mean))))
        return np.concatenate(drawn)


class _Moments(NamedTuple):
    """As `Posterior`, before hypotheses are weighed against each other; `log_likelihood` (n_hypotheses,)."""

    log_likelihood: FloatArray
    means: FloatArray
    variances: FloatArray
    gains: FloatArray
    level_covariance: FloatArray


def posterior(signals: Signals) -> tuple[Posterior, list[Hypothesis]]:
    """Of all hypotheses that are not negligible, and which they are."""
    scales = fitted_scales(signals)
    candidates = hypotheses(signals)
    size = signals.estimates.size * signals.estimates.shape[1]
    best = -np.inf
    n_at_once = max(1, CELLS_AT_ONCE // size)
    found: list[tuple[float, Hypothesis, _Moments]] = []
    for start in range(0, len(candidates), n_at_once):
        several = candidates[start : start + n_at_once]
        moments = _moments(signals, scales, several)
        log_weights = moments.log_likelihood + [each.log_prior for each in several]
        best = max(best, float(log_weights.max()))
        found = [each for each in found if each[0] > best + LOG_NEGLIGIBLE]
        for row in np.nonzero(log_weights > best + LOG_NEGLIGIBLE)[0].tolist():
            found.append((float(log_weights[row]), several[row], _Moments(*(part[row] for part in moments))))
    weights = np.exp(np.array([weight - best for weight, _, _ in found]))
    parts = list(zip(*(moments for _, _, moments in found), strict=True))[1:]
    return Posterior(weights / weights.sum(), *(np.array(part) for part in parts)), [each for _, each, _ in found]


def hypotheses(signals: Signals) -> list[Hypothesis]:
    """Every q with every c for the families into which average linkage by correlation parts the signals."""
    log_share = _log_density(SHARES)
    n_signals = signals.estimates.shape[1]
    found = []
    for families, log_prior in zip(_partitions(signals), _log_prior_of_families(n_signals), strict=True):
        each_alone = families.max() + 1 == n_signals
        apart = np.ones(1) if each_alone else APART
        for share, log_of_share in zip(SHARES.tolist(), log_share.tolist(), strict=True):
            found += [
                Hypothesis(share, families, each, log_prior + log_of_share - float(np.log(len(apart))))
                for each in apart.tolist()
            ]
    return found


def correlations(signals: Signals) -> FloatArray:
    """Of each signal with each over the models both know; 0 where these are fewer than three, or all level."""
    n_signals = signals.estimates.shape[1]
    found = np.eye(n_signals)
    for row in range(n_signals):
        for column in range(row):
            both = (signals.known[:, row] * signals.known[:, column]) > 0
            pair = signals.estimates[both][:, [row, column]]
            if len(pair) > 2 and np.ptp(pair, axis=0).all():
                centred = pair - pair.mean(axis=0)
                left, right = (centred / np.sqrt((centred**2).sum(axis=0))).T
                found[row, column] = found[column, row] = left @ right
    return found


def fitted_scales(signals: Signals) -> FloatArray:
    """The scale of each signal at which its numbers are most probable, together with q, shape (n_signals,)."""
    n = signals.known.sum(axis=0)
    centred = (signals.estimates - signals.estimates.sum(axis=0) / n) * signals.known
    start = 0.5 * np.log((centred**2).sum(axis=0) / (n - 1))
    n_signals = len(start)
    alone = np.arange(n_signals, dtype=np.int64)

    def cost(moved: FloatArray) -> float:
        share = float(expit(moved[-1]))
        at = Hypothesis(share, alone, 1.0, float(_log_density(np.array(share))))
        log_likelihood = _moments(signals, np.exp(start + moved[:-1]), [at]).log_likelihood[0]
        penalty = ((moved[:-1] / SPREAD_OF_LOG_SCALE) ** 2).sum() / 2
        return float(penalty - log_likelihood - at.log_prior)

    first = np.append(np.zeros(n_signals), logit(SHARE_PRIOR[0] / sum(SHARE_PRIOR)))
    bounds = [(-4.0, 4.0)] * (n_signals + 1)
    best = minimize(cost, first, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-7})
    return np.asarray(np.exp(start + best.x[:-1]))


def _log_density(shares: FloatArray) -> FloatArray:
    """Of the prior of q."""
    a, b = SHARE_PRIOR
    return np.asarray(xlogy(a - 1, shares) + xlog1py(b - 1, -shares) - betaln(a, b))


def _moments(signals: Signals, scales: FloatArray, several: list[Hypothesis]) -> _Moments:
    share = np.array([each.share for each in several])[:, np.newaxis, np.newaxis]
    known, estimates = signals.known, signals.estimates
    loadings = np.sqrt(share) * scales * known
    covariance = _covariance(signals, scales, several) + loadings[..., :, np.newaxis] * loadings[..., np.newaxis, :]
    factor = np.linalg.cholesky(covariance)
    log_determinant = 2 * np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=(1, 2))
    inverse = np.linalg.inv(covariance)
    seen = inverse * known[:, :, np.newaxis] * known[:, np.newaxis, :]
    precision = seen.sum(axis=1)
    pulled = np.einsum("hijl,il->hij", seen, estimates)
    total = pulled.sum(axis=1)
    level_covariance = np.linalg.inv(precision)
    levels = np.einsum("hjl,hl->hj", level_covariance, total)
    quadratic = np.einsum("hij,ij->h", pulled, estimates) - (total * levels).sum(axis=1)
    log_likelihood = -0.5 * (log_determinant + quadratic + np.linalg.slogdet(precision)[1])
    gains = np.einsum("hijl,hil->hij", seen, loadings)
    means = np.einsum("hij,hij->hi", gains, estimates - levels[:, np.newaxis, :])
    variances = 1 - (gains * loadings).sum(axis=2)
    return _Moments(log_likelihood, means, variances, gains, level_covariance)


def _covariance(signals: Signals, scales: FloatArray, several: list[Hypothesis]) -> FloatArray:
    """Of deviations and noise, shape (n_hypotheses, n_models, n_signals, n_signals); 1 alone where nothing is known."""
    share = np.array([each.share for each in several])[:, np.newaxis, np.newaxis]
    families = np.array([each.families for each in several])
    apart = np.array([each.apart for each in several])[:, np.newaxis, np.newaxis]
    same = families[:, :, np.newaxis] == families[:, np.newaxis, :]
    correlation = np.where(np.eye(families.shape[1]) > 0, 1.0, (1 - apart) * same)
    known = signals.known
    spread = np.sqrt(scales**2 * (1 - share) + signals.variances) * known
    covariance = spread[..., :, np.newaxis] * spread[..., np.newaxis, :] * correlation[:, np.newaxis]
    return np.asarray(covariance + np.eye(len(scales)) * (1 - known)[:, :, np.newaxis])


def _partitions(signals: Signals) -> list[IntArray]:
    """From each signal alone to all in one family, shape (n_signals,) each."""
    n_signals = signals.estimates.shape[1]
    if n_signals == 1:
        return [np.zeros(1, dtype=np.int64)]
    distances = squareform(1 - correlations(signals), checks=False)
    return list(cut_tree(linkage(distances, "average")).T.astype(np.int64))


def _log_prior_of_families(n_signals: int) -> FloatArray:
    """That there are n_signals families, one less, .., one; shape (n_signals,).

    The number of a restaurant's tables is a sum of independent draws: a guest takes a new one by
    CONCENTRATION / (CONCENTRATION + guests before).
    """
    chances = np.ones(1)  # of 0, 1, .. families
    for before in range(n_signals):
        opens = CONCENTRATION / (CONCENTRATION + before)
        chances = np.append(chances * (1 - opens), 0.0) + np.append(0.0, chances * opens)
    of_number = (1 - ALL_DIFFERENT) * chances[:0:-1]
    of_number[0] += ALL_DIFFERENT
    return np.log(of_number)
