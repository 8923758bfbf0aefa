"""One task of one library, timed in a process of its own: what `our_tasks` and `peer_tasks` share."""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

OUTCOMES = ("model_a", "model_b", "tie")
FEATURES = ["x0", "x1", "x2", "x3"]
N_RESAMPLES = 100


def frame(data):
    names = np.array([f"some-model-name-{i}" for i in range(int(data["n_items"]))], dtype=object)
    columns = {
        "model_a": names[data["left"]],
        "model_b": names[data["right"]],
        "winner": np.array(OUTCOMES, dtype=object)[data["outcome"]],
    }
    return pd.DataFrame(columns | {name: data["features"][:, i] for i, name in enumerate(FEATURES)})


def megabytes(what):
    """A line of the process's own status, as VmRSS (now) or VmHWM (the most so far)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    found = [line for line in lines if line.startswith(what)]
    return int(found[0].split()[1]) / 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(tasks):
    """TASK FOLDER REPEATS: print seconds of the first and of the later calls, and the peak above the loaded data."""
    task, folder, repeats = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    with np.load(folder / "votes.npz") as stored:
        data = dict(stored)
    run = tasks[task](data)
    before = megabytes("VmRSS")
    seconds, busy = [], []
    for _ in range(repeats + 1):
        start = time.perf_counter(), time.process_time()
        run()
        seconds.append(time.perf_counter() - start[0])
        busy.append(time.process_time() - start[1])
    peak = megabytes("VmHWM") - before
    print(json.dumps({"cold": seconds[0], "warm": seconds[1:], "cpu": busy[1:], "peak_mb": peak}))
