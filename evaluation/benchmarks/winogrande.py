"""WinoGrande: which of two names fills the blank. A row, in our own words:

    {"sentence": "The cup did not fit into the box because the _ was too large.", "option1": "cup", "option2": "box",
     "answer": "1"}

*Partial* scoring, the usual one (Trinh and Le 2018, "A simple method for commonsense reasoning"): two contexts with the
blank filled, and what follows is scored, which is the same for both. *Full* scoring, as lighteval does it: one context
up to the blank, and option and rest are scored; three to five points lower.
"""

from evaluation.benchmarks.base import Benchmark, Capability, Card, HubFiles, Sample
from evaluation.benchmarks.rows import Row, one_of, text
from evaluation.errors import BadRow
from evaluation.prompts import DELIMITER, Template
from llms.sentences import filled, mark

PARTIAL, FULL = "partial", "full"


class WinoGrande(Benchmark):
    name = "winogrande"
    version = 1
    card = Card(
        title="WinoGrande",
        measures=mark("Common sense: which of two people or things a word in a sentence stands for."),
        licence="CC BY",
        paper="Sakaguchi et al. 2019, “WinoGrande: An adversarial Winograd schema challenge”, arXiv:1907.10641",
        known_faults=(
            mark("Partial and full scoring differ by three to five points, and papers seldom say which one they used."),
            mark("Many sentences come in pairs that differ in one word, so samples are not independent."),
        ),
    )
    capability = Capability.REASONING
    prompt_form = mark("sentence with the blank filled")
    metrics = ("acc",)
    headline = "acc"
    templates = (Template.OFF,)  # a sentence that is broken off is no turn of a conversation
    variants = (PARTIAL, FULL)
    hub = HubFiles(
        repository="allenai/winogrande",
        revision="01e74176c63542e6b0bcb004dcdea22d94fb67b5",
        files={split: f"winogrande_xl/{split}-00000-of-00001.parquet" for split in ("train", "validation")},
    )
    fields = ("sentence", "option1", "option2", "answer")
    scored_split = "validation"
    n_rows = {"train": 40_398, "validation": 1267}
    excludes_own_row = True

    def parse(self, row: Row, variant: str) -> Sample:
        sentence, options = text(row, "sentence"), (text(row, "option1"), text(row, "option2"))
        before, blank, after = sentence.partition("_")
        rest = after.strip()
        if not blank or not rest:
            raise BadRow(filled(mark("“sentence” must have a blank “_” with words behind it")))
        target = one_of(row, "answer", ("1", "2"))
        if variant == PARTIAL:
            return Sample(questions=(before + options[0], before + options[1]), choices=(rest, rest), target=target)
        return Sample(
            questions=(before.rstrip(),),
            choices=(f"{options[0]} {rest}", f"{options[1]} {rest}"),
            target=target,
            delimiter=DELIMITER if before != before.rstrip() else "",
        )
