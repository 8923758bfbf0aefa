"""How much faster `stats` rates models than its peers do, measured in one run.

    python -m bench.ranking [--votes 1000000 ...] [--refits 1000000 ...] [--repeats 5] [--only ours arena_rank ...]
                            [--agreement]

Installs the peers once into an environment of their own, bench/.envs/peers, and runs every task there in a process of
its own, with one thread for all linear algebra. 200 models, 25 % ties, uneven pairs: strengths N(0, 0.75), lognormal
popularity, pairs rarer the further apart, two in five pairs never meet, five models with few votes, four covariates.
Prints Markdown tables of medians of the warm calls, in seconds and in processor time (a busy machine hurts it less),
and of the refit from stored counts, which are drawn as such and so can be those of any number of votes.

Ten million votes take about 10 GB of memory (the peers' copies) and, with --repeats 1, a quarter of an hour.
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
RATIOS = (  # what, peer, ours, asked for at so many votes
    ("ratings + intervals from strings", "arena_rank_strings", "ours_strings", {1_000_000: 40}),
    ("ratings from strings (ours with intervals)", "evalica_strings", "ours_strings", {1_000_000: 18}),
    ("from 64-bit codes, arena-rank from strings", "arena_rank_strings", "ours_codes", {1_000_000: 300}),
    ("from 8 and 16-bit codes, arena-rank from strings", "arena_rank_strings", "ours_small_codes", {1_000_000: 300}),
    ("from stored counts, arena-rank's data set ready", "arena_rank_ready", "ours_counts", {1_000_000: 200}),
    ("with style + intervals, both from strings", "arena_rank_style", "ours_style_strings", {1_000_000: 30}),
    ("with style + intervals, ours from codes", "arena_rank_style", "ours_style", {10_000_000: 45}),
    ("100 bootstrap replicates", "arenakit_bootstrap", "ours_bootstrap", {1_000_000: 9}),
    ("ratings from counts (ours with intervals)", "choix_counts", "ours_counts", {}),
)


def peers_python():
    folder = HERE / ".envs" / "peers"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
        (folder / ".ready").touch()
    return python


def board(rng):
    """Strengths, and left, right and probability of every pair."""
    strengths = rng.normal(0, 0.75, N_ITEMS)
    popularity = rng.lognormal(0, 0.7, N_ITEMS)
    popularity[:5] = popularity.sum() * 3e-5
    first, second = np.triu_indices(N_ITEMS, 1)
    gap = strengths[first] - strengths[second]
    rate = popularity[first] * popularity[second] * np.exp(-np.abs(gap)) * (rng.random(len(gap)) > 0.4)
    return strengths, first, second, rate / rate.sum()


def make_votes(folder, n_votes):
    """Votes whose expected score is that of the model exactly, with a quarter of ties."""
    if (folder / "votes.npz").exists():
        return
    rng = np.random.default_rng(4)
    strengths, first, second, rate = board(rng)
    pair = rng.choice(len(rate), n_votes, p=rate)
    turned = rng.random(n_votes) < 0.5
    left, right = np.where(turned, second[pair], first[pair]), np.where(turned, first[pair], second[pair])
    features = rng.normal(size=(n_votes, 4))
    features[:, 0] += 0.5 * (strengths[left] - strengths[right])
    features -= features.mean(axis=0)
    features /= features.std(axis=0)
    p = expit(strengths[left] - strengths[right] + features @ EFFECTS)
    tie = tie_rate(p)
    draw = rng.random(n_votes)
    outcome = np.where(draw < p - tie / 2, 0, np.where(draw < 1 - tie, 1, 2))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "votes.npz", left=left, right=right, outcome=outcome, features=features, n_items=N_ITEMS)


def tie_rate(p):
    return 1.3 * p * (1 - p)


def make_counts(folder, n_votes):
    """The sums of so many votes per pair and outcome, in the layout of `PairCounts`, drawn as such."""
    if (folder / "votes.npz").exists():
        return
    rng = np.random.default_rng(4)
    strengths, first, second, rate = board(rng)
    n = rng.multinomial(n_votes, rate)
    p = expit(strengths[first] - strengths[second])
    tie = tie_rate(p)
    shares = np.column_stack([p - tie / 2, 1 - p - tie / 2, tie, np.zeros(len(p))])
    totals = rng.multinomial(n, shares).astype(np.float64)
    met = n > 0
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "votes.npz", left=first[met], right=second[met], totals=totals[met], n_items=N_ITEMS)


def answered(module, *arguments):
    """What a module prints in the environment of the peers, with one thread; None if it fails, and says why."""
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(HERE.parent)}
    command = [peers_python(), "-m", module, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=HERE.parent)
    if done.returncode:
        sys.stderr.write(f"{module} {arguments[0]}: {done.stderr.splitlines()[-1] if done.stderr else 'no answer'}\n")
        return None
    return done.stdout


def measured(task, folder, repeats):
    printed = answered("bench.our_tasks" if task.startswith("ours") else "bench.peer_tasks", task, folder, str(repeats))
    return printed and json.loads(printed.splitlines()[-1])


def compared(n_votes, *, repeats, only):
    """Print what every task took on so many votes, and how many times faster ours were."""
    folder = HERE / ".data" / f"votes_{n_votes}"
    make_votes(folder, n_votes)
    tasks = [task for task in dict.fromkeys(t for _, *pair, _ in RATIOS for t in pair) if task.startswith(tuple(only))]
    found = {task: measured(task, folder, repeats) for task in tasks}
    print(f"\n{n_votes:,} votes, load average after the last task {os.getloadavg()[0]:.1f}\n")
    print("| task | first call, s | warm median, s | processor, s | peak over the data, MB |\n|---|---|---|---|---|")
    for task, result in found.items():
        if result:
            warm, cpu = np.median(result["warm"]), np.median(result["cpu"])
            print(f"| {task} | {result['cold']:.4f} | {warm:.4f} | {cpu:.4f} | {result['peak_mb']:.0f} |")
    print("\n| ratio | asked | measured | by processor time | memory |\n|---|---|---|---|---|")
    for what, peer, ours, goals in RATIOS:
        if found.get(peer) and found.get(ours):
            ratio, cpu = (np.median(found[peer][key]) / np.median(found[ours][key]) for key in ("warm", "cpu"))
            memory = found[peer]["peak_mb"] / max(found[ours]["peak_mb"], 1.0)
            goal = f"{goals[n_votes]} x" if n_votes in goals else "-"
            print(f"| {what} | {goal} | {ratio:.1f} x | {cpu:.1f} x | 1/{memory:.0f} |")


def refitted(numbers_of_votes, repeats):
    """Print what ratings and intervals take from the stored counts of so many votes."""
    print("\n| refit + intervals from the counts of | warm median, s | processor, s | peak over the data, MB |")
    print("|---|---|---|---|")
    for n_votes in numbers_of_votes:
        folder = HERE / ".data" / f"counts_{n_votes}"
        make_counts(folder, n_votes)
        if result := measured("ours_refit", folder, repeats):
            warm, cpu = np.median(result["warm"]), np.median(result["cpu"])
            print(f"| {n_votes:,} votes | {warm:.4f} | {cpu:.4f} | {result['peak_mb']:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--votes", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--refits", type=int, nargs="*", default=[1_000_000, 10_000_000, 100_000_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[""], help="beginnings of the names of tasks")
    parser.add_argument("--agreement", action="store_true", help="compare the numbers, too: a few minutes")
    asked = parser.parse_args()
    for n_votes in asked.votes:
        compared(n_votes, repeats=asked.repeats, only=asked.only)
        if asked.agreement:
            print(answered("bench.agreement", HERE / ".data" / f"votes_{n_votes}"))
    if asked.refits:
        refitted(asked.refits, max(asked.repeats, 20))


if __name__ == "__main__":
    main()
