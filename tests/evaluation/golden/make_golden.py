"""Golden prompts, draws and metrics, from lm-evaluation-harness itself.

    python -m venv /tmp/lm_eval; /tmp/lm_eval/bin/pip install lm_eval==0.4.13
    /tmp/lm_eval/bin/python tests/evaluation/golden/make_golden.py [folder of the public rows]

writes `golden.json`: for rows that are invented here, every request (context, continuation, target) and the metrics of a
model that is a hash; for the public rows, if they are there, only how many requests there are and their SHA-256.
"""

import hashlib
import json
import os
import sys
from functools import cache
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import datasets
from lm_eval.api import metrics
from lm_eval.tasks import TaskManager

HERE = Path(__file__).parent
SPLITS = {
    "mmlu": ("test", "dev"),
    "hellaswag": ("validation", "train"),
    "arc_challenge": ("test", "train"),
    "winogrande": ("validation", "train"),
    "piqa": ("validation", "train"),
}
PATHS = {
    "cais/mmlu": "mmlu",
    "Rowan/hellaswag": "hellaswag",
    "allenai/ai2_arc": "arc_challenge",
    "allenai/winogrande": "winogrande",
    "baber/piqa": "piqa",
}
SETTINGS = {  # benchmark: (shots, chat template)
    "mmlu": [(0, False), (2, False), (2, True)],
    "hellaswag": [(0, False), (3, False), (2, True)],
    "arc_challenge": [(0, False), (3, False), (2, True)],
    "winogrande": [(0, False), (3, False)],
    "piqa": [(0, False), (3, False), (1, True)],
}
PUBLIC_SETTINGS = {
    "mmlu": [(5, False)],
    "hellaswag": [(0, False)],
    "arc_challenge": [(0, False), (25, False)],
    "winogrande": [(0, False), (5, False)],
    "piqa": [(0, False), (2, False)],
}
SUBJECTS = ("anatomy", "formal_logic", "sociology", "virology")


def mmlu_row(subject, number, *, answer):
    choices = [f"{subject} option {letter}{number}" for letter in "wxyz"]
    return {
        "question": f"  What is number {number} of {subject}? ",
        "subject": subject,
        "choices": choices,
        "answer": answer,
    }


def arc_row(number, choices, labels, answer):
    row = {"id": f"own_{number}", "question": f"Which tool suits job {number}?"}
    return {**row, "choices": {"text": choices, "label": labels}, "answerKey": answer}


def arc_rows(first, n):
    return [
        arc_row(i, [f"saw {i}", "hammer", "a long ladder", "çivi"], list("ABCD"), "ABCD"[i % 4])
        for i in range(first, first + n)
    ]


def hellaswag_row(number, ctx_a, ctx_b, endings, label):
    return {
        "ind": number,
        "activity_label": "Mending a bicycle",
        "ctx_a": ctx_a,
        "ctx_b": ctx_b,
        "ctx": f"{ctx_a} {ctx_b}",
        "endings": endings,
        "source_id": f"own~{number}",
        "split": "val",
        "split_type": "indomain",
        "label": str(label),
    }


def hellaswag_rows(first, n):
    endings = [
        "pumps air into the tyre.",
        "eats the [substep] wheel slowly.",
        "  sings.   Loudly.",
        "[title] Paint it. [step] Let it dry.",
    ]
    plain = ("A girl kneels by her bike.", "she McGee")
    marked = ("[header] How to mend a tyre [title] Find the hole. [step] Put the tube into   water.", "")
    rows = []
    for number in range(first, first + n):
        ctx_a, ctx_b = marked if number % 2 else plain
        rows.append(hellaswag_row(number, ctx_a, ctx_b, [f"{ending}{number}" for ending in endings], number % 4))
    return rows


def winogrande_rows(first, n):
    patterns = (
        "The cup {0} did not fit into the box because the _ was too large.",
        "_ thanked the neighbour {0} for the cake.",
        "Ada lent Bo the ladder {0}.  _ got it back, (the _ was dry).",
    )
    return [
        {"sentence": patterns[i % 3].format(i), "option1": "Ada", "option2": "the box", "answer": str(1 + i % 2)}
        for i in range(first, first + n)
    ]


def piqa_rows(first, n):
    return [
        {
            "goal": f"To dry {i} wet shoes",
            "sol1": "fill them with paper.",
            "sol2": "fill them with wet paper, naïvely.",
            "label": i % 2,
        }
        for i in range(first, first + n)
    ]


def invented():
    odd = [
        arc_row(90, ["one", "two", "three"], list("ABC"), "C"),
        arc_row(91, ["red", "green", "blue", "grey", "a somewhat longer choice"], list("ABCDE"), "E"),
        arc_row(92, ["north", "south", "east", "west"], list("1234"), "2"),
    ]
    twice = [*winogrande_rows(0, 1) * 2, *winogrande_rows(3, 4)]  # the first row stands twice, and is scored as well
    return {
        "mmlu": {
            "test": [
                mmlu_row(subject, i, answer=(i + len(subject)) % 4)
                for subject in SUBJECTS
                for i in range(3 + len(subject) % 3)
            ],
            "dev": [mmlu_row(subject, 10 + i, answer=i) for subject in SUBJECTS for i in range(3)],
        },
        "hellaswag": {"validation": hellaswag_rows(0, 8), "train": hellaswag_rows(20, 7)},
        "arc_challenge": {"test": [*arc_rows(0, 5), *odd], "train": arc_rows(20, 9)},
        "winogrande": {"validation": winogrande_rows(0, 7), "train": twice},
        "piqa": {"validation": piqa_rows(0, 9), "train": [*piqa_rows(30, 4), *piqa_rows(2, 2)]},
    }


def public(folder):
    names = {
        "mmlu": ("test", "dev"),
        "hellaswag": ("validation", None),
        "arc_challenge": ("test", "train"),
        "winogrande": ("validation", "train_first2000"),
        "piqa": ("validation", "train_first2000"),
    }
    found = {}
    for name, (scored, pool) in names.items():
        splits = {SPLITS[name][0]: scored}
        # Without a train split nothing is drawn, and the task only wants to see one.
        splits[SPLITS[name][1]] = pool or scored
        found[name] = {split: lines(folder / name / f"{file}.jsonl") for split, file in splits.items()}
    return found


def lines(path):
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def load_from(rows):
    def load_dataset(path, name=None, **kwargs):
        splits = rows[PATHS[path]]
        wanted = {
            split: [row for row in part if PATHS[path] != "mmlu" or row["subject"] == name]
            for split, part in splits.items()
        }
        return datasets.DatasetDict({split: datasets.Dataset.from_list(part) for split, part in wanted.items() if part})

    datasets.load_dataset = load_dataset


def tasks_of(name, rows):
    load_from(rows)
    subjects = sorted({row["subject"] for row in rows["mmlu"]["test"]}) if name == "mmlu" else []
    wanted = [f"mmlu_{subject}" for subject in subjects] or [name]
    return list(manager().load(wanted)["tasks"].values())


@cache
def manager():
    return TaskManager()


def render(messages, add_generation_prompt=True):
    written = "".join(f"<{message['role']}>{message['content']}</>" for message in messages)
    return written + ("<assistant>" if add_generation_prompt else "")


def requests_of(name, rows, n_shots, is_chat):
    built = []
    for task in tasks_of(name, rows):
        task.set_config("num_fewshot", n_shots)
        task.set_fewshot_seed(1234)
        task.build_all_requests(
            apply_chat_template=is_chat, fewshot_as_multiturn=is_chat, chat_template=render if is_chat else None
        )
        built.append((task, list(task.instances)))
    return built


def as_rows(built):
    found = []
    for task, instances in built:
        for instance in instances:
            gold = task.doc_to_text(instance.doc) if task.multiple_input else task.doc_to_target(instance.doc)
            found.append([*instance.args, int(gold)])
    return found


def log_probability(context, continuation):
    """A model that is a hash: a number from -20 to 0 that any process can compute again."""
    digest = hashlib.sha256(f"{context}\0{continuation}".encode()).digest()
    return -int.from_bytes(digest[:4]) / 2**32 * 20


def metrics_of(built):
    found, leaves = {}, []
    for task, instances in built:
        by_doc = {}
        for instance in instances:
            by_doc.setdefault(instance.doc_id, []).append(instance)
        names = ["acc"] if task.multiple_input or "mmlu" in task.config.task else ["acc", "acc_norm", "acc_bytes"]
        task._metric_fn_list.update(dict.fromkeys(names))
        values = {name: [] for name in names}
        for group in by_doc.values():
            results = [(log_probability(*instance.args), False) for instance in group]
            scored = task.process_results(group[0].doc, results)
            for name in names:
                values[name].append(scored[name])
        leaves.append((task.config.task, values))
    for name in leaves[0][1]:
        shares = [metrics.mean(values[name]) for _, values in leaves]
        errors = [metrics.mean_stderr(values[name]) for _, values in leaves]
        sizes = [len(values[name]) for _, values in leaves]
        found[name] = {
            "by_task": {
                task: [share, error, size]
                for (task, _), share, error, size in zip(leaves, shares, errors, sizes, strict=True)
            },
            "micro": [
                metrics.aggregate_subtask_metrics(shares, sizes, True),
                float(metrics.pooled_sample_stderr(errors, sizes)),
            ],
            "macro": [
                metrics.aggregate_subtask_metrics(shares, sizes, False),
                float(metrics.unweighted_mean_stderr(errors)),
            ],
        }
    return found


def digest_of(requests):
    digest = hashlib.sha256()
    for request in requests:
        digest.update(json.dumps(request).encode() + b"\n")
    return digest.hexdigest()


def main():
    rows = invented()
    golden = {"rows": rows, "settings": [], "public": []}
    for name, settings in SETTINGS.items():
        for n_shots, is_chat in settings:
            built = requests_of(name, rows, n_shots, is_chat)
            entry = {"benchmark": name, "n_shots": n_shots, "chat": is_chat, "requests": as_rows(built)}
            golden["settings"].append({**entry, "metrics": metrics_of(built)})
    documents = [[-310.5, 400, 71], [-20.25, 31, 6], [-95.0, 120, 20]]
    golden["perplexity"] = {
        "documents": documents,
        "word_perplexity": metrics.weighted_perplexity([(ll, words) for ll, _, words in documents]),
        "byte_perplexity": metrics.weighted_perplexity([(ll, size) for ll, size, _ in documents]),
        "bits_per_byte": metrics.bits_per_byte([(ll, size) for ll, size, _ in documents]),
    }
    if len(sys.argv) > 1:
        rows = public(Path(sys.argv[1]))
        for name, settings in PUBLIC_SETTINGS.items():
            for n_shots, is_chat in settings:
                requests = as_rows(requests_of(name, rows, n_shots, is_chat))
                entry = {
                    "benchmark": name,
                    "n_shots": n_shots,
                    "n_requests": len(requests),
                    "sha256": digest_of(requests),
                }
                golden["public"].append(entry)
    (HERE / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
