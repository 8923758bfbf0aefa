"""A benchmark of your own: questions that no model has been trained on. A line of the file is one of

    {"id": "q1", "question": "Who signs a travel request?", "choices": ["the desk", "the lead"], "answer": "B"}
    {"id": "q2", "question": "How many days of leave are there?", "answer": ["27", "27 days"]}

The first form is scored by log-likelihood, with the texts of the choices as continuations, the second by what the model
writes. `evaluation.private_sets` reads and checks the file. Items are never shown to the public.
"""

from collections.abc import Mapping
from typing import Final

from evaluation.benchmarks.base import Benchmark, Capability, Card, Draw, Method, Options, Sample
from evaluation.benchmarks.rows import Row, one_of, text, texts
from evaluation.prompts import Template
from evaluation.scoring.exact_match import DEFAULT_RULES, matches
from llms.sentences import mark

LETTERS: Final = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


class PrivateBenchmark(Benchmark):
    """`name` is unique among all benchmarks: whoever stores it sees to that, and counts uploads as versions."""

    fields = ("id", "question", "choices", "answer", "subject")
    draws = (Draw.FIRST, Draw.FIXED)
    shot_split = "test"

    def __init__(
        self, name: str, title: str, *, capability: Capability = Capability.KNOWLEDGE, version: int = 1
    ) -> None:
        self.name = name
        self.version = version
        self.capability = capability
        self.card = Card(
            title=title,
            measures=mark("What its authors asked: a private set, kept on this server."),
            licence="–",
            paper="–",
            known_faults=(),
        )

    def row_id(self, row: Row) -> str:
        return text(row, "id")


class PrivateMultipleChoice(PrivateBenchmark):
    prompt_form = mark("Question: … / Answer: + text of the choice")
    metrics = ("acc", "acc_norm", "acc_bytes")
    headline = "acc_norm"

    def parse(self, row: Row, variant: str) -> Sample:
        choices = texts(row, "choices")
        return Sample(
            subject=str(row.get("subject") or ""),
            questions=(f"Question: {text(row, 'question').strip()}\nAnswer:",),
            choices=choices,
            target=one_of(row, "answer", LETTERS[: len(choices)]),
        )


class PrivateExactMatch(PrivateBenchmark):
    method = Method.GENERATION
    prompt_form = f"the question as a message; compared by {', '.join(DEFAULT_RULES)}"
    metrics = ("exact_match",)
    headline = "exact_match"
    default_options = Options(template=Template.CHAT)
    templates = (Template.CHAT,)

    def parse(self, row: Row, variant: str) -> Sample:
        answers = (text(row, "answer"),) if isinstance(row.get("answer"), str) else texts(row, "answer", at_least=1)
        return Sample(
            subject=str(row.get("subject") or ""),
            questions=(text(row, "question").strip(),),
            target=answers,
        )

    def judged(self, sample: Sample, answer: str) -> Mapping[str, float]:
        targets = sample.target if isinstance(sample.target, tuple) else ()
        return {"exact_match": float(matches(answer, targets))}
