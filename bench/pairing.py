"""Battles that `stats.pairing` saves, against drawing pairs evenly and against the best design there can be.

python -m bench.pairing [--boards 6] [--simulations 400]

Whole board and top 5: 20 models with strengths N(0, spread) and 12,000 battles, pairs drawn anew every 100 from what
the votes so far tell. The variance asked about is computed with the true strengths. An even design needs 1 / (1 -
saved) times as many battles for the same variance; the best design is the optimum over all designs (multiplicative
algorithm at the true strengths), which nobody can play without knowing them.
Newcomer: 30 models with 1,000 votes each and one without; battles until its half-width is 20 points.
"""

import argparse
import time

import numpy as np
from scipy.special import expit

from stats.bradley_terry import RATING_PER_STRENGTH, Gauge, fit
from stats.comparisons import Comparisons, PairCounts
from stats.pairing import Newcomer, PairingRules, TopItems, WholeBoard, pair_table
from stats.uncertainty import sandwich

N_ITEMS = 20
N_TOP = 5
N_BATTLES = 12_000
BATCH = 100
TIES = 1.2  # tie probability over p(1 - p): 30 % between equals
HALF_WIDTH = 20.0
OUTCOMES = (0, 1, 2)


class Board:
    """True strengths, and the votes cast so far per pair and outcome."""

    def __init__(self, rng, strengths):
        self.rng = rng
        self.n_items = len(strengths)
        self.first, self.second = np.triu_indices(self.n_items, 1)
        p = expit(strengths[self.first] - strengths[self.second])
        self.information = p * (1 - p)
        ties = TIES * self.information
        self.chances = np.column_stack([p - ties / 2, 1 - p - ties / 2, ties])
        self.votes = np.zeros((len(p), 3))
        self.weights = np.zeros((len(p), 3))

    def play(self, pairs, weights=1.0):
        drawn = np.bincount(pairs, minlength=len(self.first))
        votes = self.rng.multinomial(drawn, self.chances)
        self.votes += votes
        self.weights += votes * np.reshape(weights, (-1, 1))

    def counts(self, totals=None):
        totals = self.votes if totals is None else totals
        return PairCounts.from_comparisons(
            Comparisons.from_arrays(
                np.tile(self.first, 3),
                np.tile(self.second, 3),
                outcome=np.repeat(OUTCOMES, len(self.first)),
                weight=totals.T.ravel(),
                n_items=self.n_items,
            )
        )

    def plain_counts(self):
        cells = zip(self.first.tolist(), self.second.tolist(), self.votes.tolist(), strict=False)
        rows = [(i, j, k, n) for i, j, row in cells for k, n in enumerate(row)]
        return PairCounts.from_cells(rows, n_items=self.n_items)

    def variance(self, asked, battles):
        """tr(AC) where `battles` (n_pairs,) were played."""
        return np.trace(asked @ np.linalg.inv(self._grounded(battles)))

    def best(self, asked, n_iterations=2000):
        """The least variance of one battle, spread over the pairs in the best way."""
        share = np.full(len(self.first), 1 / len(self.first))
        for _ in range(n_iterations):
            covariance = np.linalg.inv(self._grounded(share))
            spread = covariance @ asked @ covariance
            gain = (
                np.diagonal(spread)[self.first] + np.diagonal(spread)[self.second] - 2 * spread[self.first, self.second]
            )
            share = share * np.sqrt(np.maximum(gain, 0) * self.information)
            share /= share.sum()
        return self.variance(asked, share)

    def _grounded(self, battles):
        information = np.zeros((self.n_items, self.n_items))
        information[self.first, self.second] = information[self.second, self.first] = -battles * self.information
        np.fill_diagonal(information, -information.sum(axis=1))
        return information + 1 / self.n_items + 1e-8 * np.eye(self.n_items)


def centred(chosen):
    chosen = chosen.astype(float)
    return np.diag(chosen) / chosen.sum() - np.outer(chosen, chosen) / chosen.sum() ** 2


def savings(n_boards):
    print(f"Battles saved, mean of {n_boards} boards of {N_ITEMS} models")
    print(f"{'purpose':14}{'spread':>8}{'best possible':>15}{'ours':>8}{'ours / best':>13}")
    for spread in (0.75, 1.5, 2.5):
        for name, purpose in (("whole board", WholeBoard()), (f"top {N_TOP}", TopItems(N_TOP))):
            rows = []
            for seed in range(n_boards):
                rng = np.random.default_rng(seed)
                strengths = rng.normal(0, spread, N_ITEMS)
                best_ones = strengths >= np.sort(strengths)[-N_TOP]
                asked = centred(best_ones if isinstance(purpose, TopItems) else np.ones(N_ITEMS))
                board = Board(rng, strengths)
                for _ in range(N_BATTLES // BATCH):
                    board.play(pair_table(board.counts(), purpose=purpose).draw(rng, BATCH))
                even = board.variance(asked, np.full(len(board.first), 1 / len(board.first)))
                ours = board.variance(asked, board.votes.sum(axis=1)) * N_BATTLES
                rows.append((1 - board.best(asked) / even, 1 - ours / even))
            best, ours = np.mean(rows, axis=0)
            print(f"{name:14}{spread:8}{best:15.3f}{ours:8.3f}{ours / best:13.2f}")


def newcomers(n_boards):
    print(f"\nBattles on the whole board until a newcomer's half-width is {HALF_WIDTH:g} points, mean of {n_boards}")
    heads = (
        ("all pairs even", 16),
        ("even opponents", 16),
        ("ours", 8),
        ("best", 8),
        ("saved", 8),
        ("ours / best", 13),
    )
    print(f"{'spread':>8}" + "".join(f"{head:>{width}}" for head, width in heads))
    for spread in (0.75, 1.5, 2.5):
        needed = np.mean([newcomer(np.random.default_rng(seed), spread) for seed in range(n_boards)], axis=0)
        even, opponents, ours, best = needed
        share = (even - ours) / (even - best)
        print(f"{spread:8}{even:16.0f}{opponents:16.0f}{ours:8.0f}{best:8.0f}{1 - ours / even:8.3f}{share:13.2f}")


def newcomer(rng, spread, n_items=31, n_before=1000):
    strengths = rng.normal(0, spread, n_items)
    contrast = np.full(n_items, -1 / (n_items - 1))
    contrast[0] = 1.0
    asked = np.outer(contrast, contrast)
    limit = (HALF_WIDTH / 1.96 / RATING_PER_STRENGTH) ** 2
    start = Board(rng, strengths)
    is_new = start.first == 0
    start.play(rng.choice(np.flatnonzero(~is_new), n_before * (n_items - 1) // 2))
    before = start.votes.copy()

    def until(choose):
        board = Board(rng, strengths)
        board.votes[:] = before
        n = 0
        while board.variance(asked, board.votes.sum(axis=1)) > limit:
            board.play(choose(board))
            n += 20
        return n

    pairs = len(start.first)
    even = until(lambda board: rng.integers(0, pairs, 20))
    opponents = until(lambda board: rng.choice(np.flatnonzero(is_new), 20))
    ours = until(lambda board: pair_table(board.counts(), purpose=Newcomer(0)).draw(rng, 20))
    best = until(lambda board: np.repeat(greediest(board, asked), 20))
    return even, opponents, ours, best


def greediest(board, asked):
    """The pair that takes most off the variance, by the true strengths."""
    covariance = np.linalg.inv(board._grounded(board.votes.sum(axis=1)))
    spread = covariance @ asked @ covariance
    gain = np.diagonal(spread)[board.first] + np.diagonal(spread)[board.second] - 2 * spread[board.first, board.second]
    return np.argmax(gain * board.information)


def honest_fits(n_simulations):
    """Is the unweighted interval valid, is the inverse-propensity fit unbiased, if the votes decide who meets?"""
    print(f"\n{n_simulations} boards of 8 models, 9,600 battles drawn adaptively (floor 0.2), strengths N(0, 1)")
    strengths = np.random.default_rng(1).normal(0, 1.0, 8)
    truth = (strengths - strengths.mean()) * RATING_PER_STRENGTH
    rules = PairingRules(floor_share=0.2)
    covered, plain, weighted = [], [], []
    for seed in range(n_simulations):
        board = Board(np.random.default_rng(seed), strengths)
        for _ in range(96):
            table = pair_table(board.counts(), purpose=WholeBoard(), rules=rules)
            board.play(table.draw(board.rng, BATCH), 1 / table.probabilities)
        counts = board.plain_counts()
        fitted = fit(counts, gauge=Gauge.MEAN)
        uncertainty = sandwich(counts, fitted)
        covered.append((uncertainty.lower - 1000 <= truth) & (truth <= uncertainty.upper - 1000))
        plain.append(fitted.ratings - 1000)
        weighted.append(fit(board.counts(board.weights), gauge=Gauge.MEAN).ratings - 1000)
    print(f"unweighted 95 % intervals that hold the truth: {np.mean(covered):.3f}")
    for name, ratings in (("unweighted", plain), ("by 1 / probability", weighted)):
        error = np.mean(ratings, axis=0) - truth
        noise = np.std(ratings, axis=0)
        relative, simulation = np.abs(error / noise).max(), noise.max() / np.sqrt(n_simulations)
        print(
            f"{name:20} largest bias {np.abs(error).max():5.2f} points ({relative:.2f} of a standard deviation; "
            f"simulation error {simulation:.2f}), standard deviation {noise.mean():.1f}"
        )


def speed():
    rng = np.random.default_rng(0)
    board = Board(rng, rng.normal(0, 1, 300))
    board.play(rng.integers(0, len(board.first), 100_000))
    counts = board.counts()
    for purpose in (WholeBoard(), TopItems(10), Newcomer(0)):
        seconds = []
        for _ in range(5):
            start = time.process_time()
            pair_table(counts, purpose=purpose)
            seconds.append(time.process_time() - start)
        print(f"table of 44,850 pairs for {purpose}: {np.median(seconds) * 1000:.0f} ms of a processor")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boards", type=int, default=6)
    parser.add_argument("--simulations", type=int, default=400)
    asked = parser.parse_args()
    savings(asked.boards)
    newcomers(asked.boards)
    honest_fits(asked.simulations)
    print()
    speed()


if __name__ == "__main__":
    main()
