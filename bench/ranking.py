"""How much faster `stats` rates models than its peers do, measured in one run.

python -m bench.ranking [--votes 1000000 ...] [--repeats 5] [--only ours arena_rank ...]

Installs the peers once into an environment of their own, bench/.envs/peers, and runs every task there in a process of
its own, with one thread for all linear algebra. 200 models, 25 % ties, uneven pairs: strengths N(0, 0.75), lognormal
popularity, pairs rarer the further apart, two in five pairs never meet, five models with few votes, four covariates.
Prints a Markdown table of medians of the warm calls, in seconds and in processor time (a busy machine hurts it less).
"""

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
from scipy.special import expit

HERE = Path(__file__).parent
PEERS = ("arena-rank==0.1.1", "evalica==0.4.2", "choix==0.4.1", "arenakit==0.1.1", "scipy==1.17.1")
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}
N_ITEMS = 200
EFFECTS = np.array([0.25, 0.03, 0.02, 0.02])
RATIOS = (  # what, peer, ours, asked for
    ("ratings + intervals from strings", "arena_rank_strings", "ours_strings", 40),
    ("ratings from strings (ours with intervals)", "evalica_strings", "ours_strings", 18),
    ("from integer codes, arena-rank from strings", "arena_rank_strings", "ours_codes", 300),
    ("from stored counts, arena-rank's data set ready", "arena_rank_ready", "ours_counts", 200),
    ("with style + intervals", "arena_rank_style", "ours_style", 30),
    ("100 bootstrap replicates", "arenakit_bootstrap", "ours_bootstrap", 9),
    ("ratings from counts (ours with intervals)", "choix_counts", "ours_counts", None),
)


def peers_python():
    folder = HERE / ".envs" / "peers"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
        (folder / ".ready").touch()
    return python


def make_votes(folder, n_votes):
    """Uneven pairs and votes whose expected score is that of the model exactly, with a quarter of ties."""
    if (folder / "votes.npz").exists():
        return
    rng = np.random.default_rng(4)
    strengths = rng.normal(0, 0.75, N_ITEMS)
    popularity = rng.lognormal(0, 0.7, N_ITEMS)
    popularity[:5] = popularity.sum() * 3e-5
    first, second = np.triu_indices(N_ITEMS, 1)
    gap = strengths[first] - strengths[second]
    rate = popularity[first] * popularity[second] * np.exp(-np.abs(gap)) * (rng.random(len(gap)) > 0.4)
    pair = rng.choice(len(rate), n_votes, p=rate / rate.sum())
    turned = rng.random(n_votes) < 0.5
    left, right = np.where(turned, second[pair], first[pair]), np.where(turned, first[pair], second[pair])
    features = rng.normal(size=(n_votes, 4))
    features[:, 0] += 0.5 * (strengths[left] - strengths[right])
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    p = expit(strengths[left] - strengths[right] + features @ EFFECTS)
    tie = 1.3 * p * (1 - p)
    draw = rng.random(n_votes)
    outcome = np.where(draw < p - tie / 2, 0, np.where(draw < 1 - tie, 1, 2))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "votes.npz", left=left, right=right, outcome=outcome, features=features, n_items=N_ITEMS)


def measured(task, folder, repeats):
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(HERE.parent)}
    module = "bench.our_tasks" if task.startswith("ours") else "bench.peer_tasks"
    command = [peers_python(), "-m", module, task, folder, str(repeats)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=HERE.parent)
    if done.returncode:
        sys.stderr.write(f"{task}: {done.stderr.splitlines()[-1] if done.stderr else 'no answer'}\n")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--votes", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[""], help="beginnings of the names of tasks")
    asked = parser.parse_args()
    for n_votes in asked.votes:
        folder = HERE / ".data" / f"votes_{n_votes}"
        make_votes(folder, n_votes)
        tasks = [t for t in dict.fromkeys(t for _, *pair, _ in RATIOS for t in pair) if t.startswith(tuple(asked.only))]
        found = {task: measured(task, folder, asked.repeats) for task in [*tasks]}
        print(f"\n{n_votes:,} votes, load average before the table {os.getloadavg()[0]:.1f}\n")
        print(
            "| task | first call, s | warm median, s | processor, s | peak over the data, MB |\n|---|---|---|---|---|"
        )
        for task, result in found.items():
            if result:
                warm, cpu = np.median(result["warm"]), np.median(result["cpu"])
                print(f"| {task} | {result['cold']:.4f} | {warm:.4f} | {cpu:.4f} | {result['peak_mb']:.0f} |")
        print("\n| ratio | asked | measured | by processor time | memory |\n|---|---|---|---|---|")
        for what, peer, ours, goal in RATIOS:
            if found.get(peer) and found.get(ours):
                ratio, cpu = (np.median(found[peer][key]) / np.median(found[ours][key]) for key in ("warm", "cpu"))
                memory = found[peer]["peak_mb"] / max(found[ours]["peak_mb"], 1.0)
                print(f"| {what} | {f'{goal} x' if goal else '-'} | {ratio:.1f} x | {cpu:.1f} x | 1/{memory:.0f} |")


if __name__ == "__main__":
    main()
