"""Scores rows with our engine, for bench.scoring."""

import json
import resource
import sys
import time
from pathlib import Path

from evaluation.benchmarks.base import Draw, Options
from evaluation.benchmarks.registry import benchmark
from evaluation.datasets import from_folder
from evaluation.fewshot import shots_of
from llms.engines.base import LoglikelihoodRequest
from llms.engines.registry import engine_class

OPTIONS = {"batching": "none", "threads": 1, "device": "cpu", "dtype": "float32"}


def main(name, n_shots, data, model, out):
    chosen = benchmark(name)
    rows = from_folder(chosen, Path(data), with_pool=n_shots > 0)
    engine = engine_class("huggingface").from_options(model, "", OPTIONS, cache_dir=Path(out).parent)
    method = engine.scoring_method()
    cpu, wall = time.process_time(), time.perf_counter()
    requests = requests_of(chosen, rows, Options(n_shots=n_shots, draw=Draw.FIRST))
    flat = [request for of_row in requests for request in of_row]
    found = dict(engine.loglikelihoods(flat))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    scores = iter(score.log_probability for index in range(len(flat)) for score in found[index])
    result = {
        "scores": [[next(scores) for request in of_row for _ in request.continuations] for of_row in requests],
        "cpu": cpu,
        "wall": wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "scheme": method.scheme,
    }
    engine.close()
    Path(out).write_text(json.dumps(result))


def requests_of(chosen, rows, options):
    """For each row one request, or one a choice where contexts differ."""
    samples = chosen.samples(rows.rows)
    pool = chosen.samples(rows.pool) if rows.pool else ()
    requests = []
    for sample, shots in zip(samples, shots_of(chosen, samples, pool, options), strict=True):
        contexts = [prompt.as_text() for prompt in chosen.prompts(sample, shots)]
        continuations = [sample.delimiter + choice for choice in sample.choices]
        if len(contexts) == 1:
            requests.append([LoglikelihoodRequest(contexts[0], tuple(continuations))])
        else:
            pairs = zip(contexts, continuations, strict=True)
            requests.append([LoglikelihoodRequest(context, (text,)) for context, text in pairs])
    return requests


if __name__ == "__main__":
    name, n_shots, _, data, model, out = sys.argv[1:]
    main(name, int(n_shots), data, model, out)
