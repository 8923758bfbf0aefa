"""PIQA: which of two ways to reach an everyday goal would work. A row, in our own words:

    {"goal": "To keep a door from slamming,", "sol1": "wedge folded paper under it.",
     "sol2": "wedge folded water under it.", "label": 0}

Prompt: "Question: {goal}\\nAnswer:", continuations: the two solutions.
"""

from evaluation.benchmarks.base import Benchmark, Capability, Card, HubFiles, Sample
from evaluation.benchmarks.rows import Row, one_of, text
from llms.sentences import mark


class Piqa(Benchmark):
    name = "piqa"
    version = 1
    card = Card(
        title="PIQA",
        measures=mark("Everyday physics: which of two ways to do something would work."),
        licence="AFL 3.0",
        paper="Bisk et al. 2020, “PIQA: Reasoning about physical commonsense in natural language”, arXiv:1911.11641",
        known_faults=(
            mark("Some pairs differ in one word only, and some in spelling more than in sense."),
            mark("Papers give plain accuracy or accuracy per character; the second is slightly higher."),
        ),
    )
    capability = Capability.REASONING
    prompt_form = mark("Question: … / Answer: + text of the solution")
    metrics = ("acc", "acc_norm", "acc_bytes")
    headline = "acc"
    hub = HubFiles(
        repository="baber/piqa",  # ybisk/piqa is a loading script, which nobody should run
        revision="142f6d7367fd9877f0fb3b5734ea6a545f54cdd1",
        files={"train": "piqa_train.parquet", "validation": "piqa_validation.parquet"},
    )
    fields = ("goal", "sol1", "sol2", "label")
    scored_split = "validation"
    n_rows = {"train": 16_113, "validation": 1838}
    excludes_own_row = True

    def parse(self, row: Row, variant: str) -> Sample:
        return Sample(
            questions=(f"Question: {text(row, 'goal')}\nAnswer:",),
            choices=(text(row, "sol1"), text(row, "sol2")),
            target=one_of(row, "label", ("0", "1")),
        )
