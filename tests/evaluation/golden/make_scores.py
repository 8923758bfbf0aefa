"""Golden log-likelihoods and shares of right answers, from lm-evaluation-harness itself on a real small model.

    bench/.envs/lm_eval/bin/python tests/evaluation/golden/make_scores.py MODEL [folder of the public rows]

(`python -m bench.scoring` makes that environment; MODEL is the folder with SmolLM2-135M-Instruct, converted to float32)
writes `scores.json`: of the built-in samples, and of the first public rows, the log-likelihood of every choice and the
metrics. Of the public rows it keeps numbers and a digest of the requests, and no text.
"""

import json
import sys
from pathlib import Path

from lm_eval.api import metrics
from lm_eval.models.huggingface import HFLM
from make_golden import SPLITS, digest_of, lines, public, requests_of

HERE = Path(__file__).parent
SAMPLES = HERE.parents[2] / "evaluation" / "benchmarks" / "samples"
DIGITS = 5
SHOTS = {"mmlu": 5}
LIMITS = {"piqa": 10, "winogrande": 10, "arc_challenge": 10, "hellaswag": 10, "mmlu": 5}
"""Public rows; of MMLU for each of its 57 subjects."""
SCORED_SUBJECTS = 4
"""Of MMLU, by the alphabet: what the rest is asked is in the digest all the same."""


def built_in():
    return {
        name: {split: lines(file) for split in SPLITS[name] if (file := SAMPLES / name / f"{split}.jsonl").exists()}
        for name in SPLITS
    }


def first(rows):
    found = {}
    for name, splits in rows.items():
        scored = SPLITS[name][0]
        n_seen, kept = {}, []
        for row in splits[scored]:
            subject = row.get("subject", "") if name == "mmlu" else ""
            n_seen[subject] = n_seen.get(subject, 0) + 1
            if n_seen[subject] <= LIMITS[name]:
                kept.append(row)
        found[name] = splits | {scored: kept}
    return found


def scored(llm, name, rows):
    built = requests_of(name, rows, SHOTS.get(name, 0), False)
    asked = [list(instance.args) for _, instances in built for instance in instances]
    built = built[:SCORED_SUBJECTS]
    found = iter(llm.loglikelihood([instance for _, instances in built for instance in instances], disable_tqdm=True))
    values, samples = {}, []
    for task, instances in built:
        by_doc = {}
        for instance in instances:
            by_doc.setdefault(instance.doc_id, []).append((instance, next(found)))
        for group in by_doc.values():
            samples.append([round(log_likelihood, DIGITS) for _, (log_likelihood, _) in group])
            for metric, value in task.process_results(group[0][0].doc, [result for _, result in group]).items():
                values.setdefault(metric, []).append(value)
    shares = {metric: [metrics.mean(found), metrics.mean_stderr(found)] for metric, found in values.items()}
    return {"n_shots": SHOTS.get(name, 0), "requests": digest_of(asked), "log_likelihoods": samples, "metrics": shares}


def main(model, folder=None, *names):
    """`names`: only these, and the others as they were."""
    out = HERE / "scores.json"
    llm = HFLM(pretrained=model, dtype="float32", device="cpu", batch_size=8)
    golden = json.loads(out.read_text()) if names else {"built_in": {}, "public": {}}
    sources = {"built_in": built_in()} | ({"public": first(public(Path(folder)))} if folder else {})
    for kind, rows in sources.items():
        for name in names or LIMITS:
            golden[kind][name] = {"limit": LIMITS[name]} if kind == "public" else {}
            golden[kind][name] |= scored(llm, name, rows)
            out.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
