"""What `bench.ranking` times of others: `python -m bench.peer_tasks TASK FOLDER REPEATS`, in the peers' environment."""

import choix
import evalica
import numpy as np
from arena_rank.models.bradley_terry import BradleyTerry
from arena_rank.models.contextual_bradley_terry import ContextualBradleyTerry
from arena_rank.utils.data_utils import ContextualPairDataset, PairDataset
from arenakit import boot
from arenakit.schema import Arena

from bench.timing import FEATURES, N_RESAMPLES, frame, main


def arena_rank_strings(data):
    votes = frame(data)

    def run():
        pairs = PairDataset.from_pandas(votes)
        return BradleyTerry(n_competitors=pairs.n_competitors).compute_ratings_and_cis(pairs)

    return run


def arena_rank_ready(data):
    pairs = PairDataset.from_pandas(frame(data))
    return lambda: BradleyTerry(n_competitors=pairs.n_competitors).compute_ratings_and_cis(pairs)


def arena_rank_style(data):
    votes = frame(data)

    def run():
        pairs = ContextualPairDataset.from_pandas(votes, FEATURES, reweighted=False, normalize_features=False)
        shape = {"n_competitors": pairs.n_competitors, "n_features": pairs.n_features}
        return ContextualBradleyTerry(**shape, reg=1e-12).compute_ratings_and_cis(pairs)

    return run


def evalica_strings(data):
    votes = frame(data)
    words = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    return lambda: evalica.bradley_terry(votes["model_a"], votes["model_b"], votes["winner"].map(words))


def choix_counts(data):
    n_items = int(data["n_items"])
    wins = np.zeros((n_items, n_items))
    for winner, loser, outcome in (("left", "right", 0), ("right", "left", 1)):
        at = data["outcome"] == outcome
        np.add.at(wins, (data[winner][at], data[loser][at]), 1.0)
    ties = data["outcome"] == 2
    np.add.at(wins, (data["left"][ties], data["right"][ties]), 0.5)
    np.add.at(wins, (data["right"][ties], data["left"][ties]), 0.5)
    return lambda: choix.ilsr_pairwise_dense(wins)


def arenakit_bootstrap(data):
    arena = Arena.__new__(Arena)  # its constructor wants a million objects, which are not what is timed
    arena.models = [str(i) for i in range(int(data["n_items"]))]
    arena.a, arena.b = data["left"].astype(np.int32), data["right"].astype(np.int32)
    arena.y = np.array([boot.A_WINS, boot.B_WINS, boot.TIE], dtype=np.int8)[data["outcome"]]
    arena.item = arena.voter = None
    return lambda: boot.bootstrap(arena, n_resamples=N_RESAMPLES, cluster="battle")


TASKS = {
    task.__name__: task
    for task in (
        arena_rank_strings,
        arena_rank_ready,
        arena_rank_style,
        evalica_strings,
        choix_counts,
        arenakit_bootstrap,
    )
}

if __name__ == "__main__":
    main(TASKS)
