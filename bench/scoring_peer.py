"""Scores the same rows with lm_eval, in its environment: its own tasks, with files in place of the hub."""

import json
import resource
import sys
import time
from pathlib import Path

from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks.hellaswag import utils as hellaswag
from lm_eval.tasks.winogrande import preprocess_winogrande as winogrande

QUESTION = "Question: {{question}}\nAnswer:"
MMLU = "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:"
SUBJECT = "The following are multiple choice questions (with answers) about {}.\n\n"
TASKS = {
    "mmlu": {
        "test_split": "test",
        "fewshot_split": "dev",
        "fewshot_config": {"sampler": "first_n"},
        "doc_to_text": MMLU,
        "doc_to_choice": ["A", "B", "C", "D"],
        "doc_to_target": "answer",
    },
    "arc_challenge": {
        "test_split": "test",
        "fewshot_split": "train",
        "fewshot_config": {"sampler": "first_n"},
        "doc_to_text": QUESTION,
        "doc_to_choice": "{{choices.text}}",
        "doc_to_target": "{{choices.label.index(answerKey)}}",
    },
    "hellaswag": {
        "validation_split": "validation",
        "process_docs": hellaswag.process_docs,
        "doc_to_text": "{{query}}",
        "doc_to_choice": "choices",
        "doc_to_target": "{{label}}",
    },
    "winogrande": {
        "validation_split": "validation",
        "doc_to_text": winogrande.doc_to_text,
        "doc_to_choice": winogrande.doc_to_choice,
        "doc_to_target": winogrande.doc_to_target,
    },
    "piqa": {
        "validation_split": "validation",
        "doc_to_text": "Question: {{goal}}\nAnswer:",
        "doc_to_choice": "{{[sol1, sol2]}}",
        "doc_to_target": "label",
    },
}


def task_of(name, n_shots, subject, data):
    settings = TASKS[name]
    if not n_shots:
        settings = {key: value for key, value in settings.items() if not key.startswith("fewshot")}
    splits = [value for key, value in settings.items() if key.endswith("_split")]
    return ConfigurableTask(
        config={
            **settings,
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {split: str(Path(data) / name / f"{split}.jsonl") for split in splits}},
            "output_type": "multiple_choice",
            "num_fewshot": n_shots,
            "description": SUBJECT.format(subject.replace("_", " ")) if subject else "",
            "metric_list": [{"metric": "acc"}],
        }
    )


def main(task, model, out):
    llm = HFLM(pretrained=model, dtype="float32", device="cpu", batch_size=8)
    cpu, wall = time.process_time(), time.perf_counter()
    found = evaluate(llm, {task.config.task: task}, bootstrap_iters=0, log_samples=True)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    samples = sorted(found["samples"][task.config.task], key=lambda sample: sample["doc_id"])
    result = {
        "scores": [[float(response[0][0]) for response in sample["resps"]] for sample in samples],
        "cpu": cpu,
        "wall": wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    Path(out).write_text(json.dumps(result))


if __name__ == "__main__":
    name, n_shots, subject, data, model, out = sys.argv[1:]
    main(task_of(name, int(n_shots), subject, data), model, out)
