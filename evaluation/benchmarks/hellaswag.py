"""HellaSwag: which of four endings a scene really had. A row, in our own words:

    {"ind": 0, "activity_label": "Baking bread", "ctx_a": "A baker kneads the dough.", "ctx_b": "he",
     "endings": ["puts it into the oven.", "puts the oven into it.", …], "source_id": "…", "label": "0"}

Prompt: "{activity_label}: {ctx_a} {Ctx_b}", continuations: the endings, all of them cleaned of the marks that the
instructions among the sources carry.
"""

import re
from typing import Final

from evaluation.benchmarks.base import Benchmark, Capability, Card, HubFiles, Sample
from evaluation.benchmarks.rows import Row, one_of, text, text_or_empty, texts
from evaluation.errors import BadRow
from llms.sentences import filled, mark

BRACKETS: Final = re.compile(r"\[.*?\]")


class HellaSwag(Benchmark):
    name = "hellaswag"
    version = 1
    card = Card(
        title="HellaSwag",
        measures=mark("Common sense: which of four endings a described scene or an instruction really had."),
        licence="MIT",
        paper="Zellers et al. 2019, “HellaSwag: Can a machine really finish your sentence?”, arXiv:1905.07830",
        known_faults=(
            mark("The wrong endings were written by an old model; many of them are not even grammatical."),
            mark("A good part of the right endings is ungrammatical or ambiguous too: perfect scores mean nothing."),
            mark("The answers of the test split are secret, so everybody reports the validation split."),
        ),
    )
    capability = Capability.REASONING
    prompt_form = mark("activity: context + ending, cleaned")
    metrics = ("acc", "acc_norm", "acc_bytes")
    headline = "acc_norm"
    hub = HubFiles(
        repository="Rowan/hellaswag",
        revision="218ec52e09a7e7462a5400043bb9a69a41d06b76",
        files={split: f"data/{split}-00000-of-00001.parquet" for split in ("train", "validation")},
    )
    fields = ("ind", "activity_label", "ctx_a", "ctx_b", "endings", "source_id", "label")
    scored_split = "validation"
    n_rows = {"train": 39_905, "validation": 10_042}
    excludes_own_row = True

    def parse(self, row: Row, variant: str) -> Sample:
        # str.capitalize, which also writes the rest in lower case: the published scores have it so
        context = f"{text(row, 'ctx_a')} {text_or_empty(row, 'ctx_b').capitalize()}"
        endings = tuple(cleaned(ending) for ending in texts(row, "endings", at_least=4, at_most=4))
        if not all(endings):
            raise BadRow(filled(mark("an ending holds nothing but marks in brackets")))
        return Sample(
            questions=(cleaned(f"{text(row, 'activity_label')}: {context}"),),
            choices=endings,
            target=one_of(row, "label", ("0", "1", "2", "3")),
        )


def cleaned(raw: str) -> str:
    """lm-evaluation-harness' cleaning: double spaces are replaced in one pass, so that three become two."""
    without_titles = raw.strip().replace(" [title]", ". ")
    return BRACKETS.sub("", without_titles).replace("  ", " ")
