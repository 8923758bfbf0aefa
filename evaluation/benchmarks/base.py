"""What every benchmark says about itself, and how its rows become samples.

A benchmark is a file with a card, the form of its rows and its prompt. To add one: copy a file, change it, add a line
to `registry.BENCHMARKS`; the contract test runs over every entry.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from evaluation.benchmarks.rows import Row
from evaluation.errors import BadRow, BadRows, InvalidOptions
from evaluation.prompts import DELIMITER, Prompt, Shot, Template
from llms.chat import SamplingParams
from llms.sentences import filled, mark


class Capability(StrEnum):
    KNOWLEDGE = "knowledge"
    REASONING = "reasoning"
    INSTRUCTION = "instruction"
    CONVERSATION = "conversation"
    AGENTIC = "agentic"


class Method(StrEnum):
    """What an engine is asked for."""

    LOGLIKELIHOOD = "log-likelihood"
    GENERATION = "generation"
    TOKEN_STATISTICS = "token statistics"  # noqa: S105


class Draw(StrEnum):
    """Which rows of the pool are the shots. With the first two all samples share them, and a model reads them once."""

    FIRST = "first"
    """The first rows as they are stored."""
    FIXED = "fixed"
    """One draw with the seed."""
    LM_EVAL = "lm_eval"
    """Another draw for each sample, in lm-evaluation-harness' order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run may choose. Everything here is part of the protocol."""

    n_shots: int = 0
    draw: Draw = Draw.FIRST
    seed: int = 1234
    template: Template = Template.OFF
    variant: str = ""
    """One of the benchmark's variants; empty for the first of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """For whoever asks what a number means."""

    title: str
    measures: str
    licence: str
    paper: str
    known_faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFiles:
    """Where the rows are published: one Parquet file per split, at a revision that cannot change."""

    repository: str
    revision: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One scored row. With `choices`, these are scored after `questions`, of which there is one for all choices or one
    for each, and `target` is the place of the right one. Otherwise it holds the texts that count as right."""

    id: str = ""
    subject: str = ""
    digest: str = ""
    questions: tuple[str, ...]
    choices: tuple[str, ...] = ()
    target: int | tuple[str, ...]
    delimiter: str = DELIMITER
    instructions: tuple[tuple[str, str], ...] = ()
    """What an answer has to follow: kinds of instructions, each with its arguments as JSON."""

    def as_shot(self) -> Shot:
        if isinstance(self.target, tuple):
            return Shot(self.questions[0], self.target[0], self.delimiter)
        question = self.questions[self.target if len(self.questions) > 1 else 0]
        return Shot(question, self.choices[self.target], self.delimiter)


class Explained(NamedTuple):
    """One instruction of a sample, and why an answer follows it or does not."""

    kind: str
    words: str
    """What is asked for."""
    is_followed: bool
    """By the answer as it is."""
    reason: str
    is_followed_loosely: bool
    loose_reason: str


class Subjects(NamedTuple):
    """A benchmark in parts: which group each subject is in."""

    group_of: Mapping[str, str]

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.group_of.values()))


class Benchmark(ABC):
    name: str
    version: int
    """Raised whenever the same row would be asked or counted otherwise."""
    card: Card
    capability: Capability
    method: Method = Method.LOGLIKELIHOOD
    prompt_form: str
    """The prompt in a few words, for the protocol."""
    metrics: tuple[str, ...]
    headline: str
    default_options: Options = Options()
    draws: tuple[Draw, ...] = tuple(Draw)
    templates: tuple[Template, ...] = tuple(Template)
    variants: tuple[str, ...] = ()
    answer: SamplingParams = SamplingParams(temperature=0, max_new_tokens=512)
    """How an answer is generated. Greedy: the same answer every time."""
    ratios: Mapping[str, tuple[str, str]] = {}
    """Metrics that are no means over samples, but one of a sample's values summed up over another."""
    extras: tuple[tuple[str, str], ...] = ()
    """What else decides about a score, for the protocol."""

    hub: HubFiles | None = None
    fields: tuple[str, ...]
    """The columns that make up a row; others do not count."""
    scored_split: str = "test"
    shot_split: str = "train"
    n_rows: Mapping[str, int] = {}
    """What the published splits have."""
    excludes_own_row: bool = False
    """Whether lm-evaluation-harness draws one shot more, to drop the sample itself. It does so wherever its task names
    neither a test split nor a split of shots, even if the shots come from elsewhere."""
    subjects: Subjects | None = None

    @abstractmethod
    def parse(self, row: Row, variant: str) -> Sample:
        """The sample of one row, without `id` and `digest`. Raises BadRow."""

    def judged(self, sample: Sample, answer: str) -> Mapping[str, float]:
        """The values of an answer that was generated."""
        raise NotImplementedError(f"{self.name} is not scored by what a model writes")

    def explained(self, sample: Sample, answer: str) -> tuple[Explained, ...]:
        """What `judged` counts, instruction by instruction. Raises BadRow."""
        return ()

    def description(self, sample: Sample) -> str:
        """What stands before the shots."""
        return ""

    def row_id(self, row: Row) -> str:
        """What the row's authors call it; empty where its place is its name."""
        return ""

    def samples(self, rows: Sequence[Row], *, variant: str = "") -> tuple[Sample, ...]:
        """All rows, by subject and otherwise as they are stored. Without a name of its own a row is called by its place
        in its subject, as lm-evaluation-harness counts documents. Raises BadRows."""
        parsed, problems = [], []
        for number, row in enumerate(rows, start=1):
            try:
                sample = self.parse(row, variant or self.variant_of(self.default_options))
                parsed.append(replace(sample, id=self.row_id(row), digest=self.digest(row)))
            except BadRow as error:
                problems.append((number, error.user_message))
        if problems:
            number, reason = problems[0]
            words = mark("%(n)s rows of %(benchmark)s cannot be used; row %(row)s: %(why)s.")
            raise BadRows(filled(words, n=len(problems), benchmark=self.name, row=number, why=reason))
        return _with_ids(sorted(parsed, key=lambda sample: sample.subject))

    def digest(self, row: Row) -> str:
        """The same for the same row, wherever it was loaded from."""
        canonical = json.dumps({name: row.get(name) for name in self.fields}, ensure_ascii=True, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def prompts(self, sample: Sample, shots: Sequence[Sample]) -> tuple[Prompt, ...]:
        """One for all continuations, or one for each."""
        examples = tuple(shot.as_shot() for shot in shots)
        description = self.description(sample)
        return tuple(Prompt(description, examples, question) for question in sample.questions)

    def variant_of(self, options: Options) -> str:
        return options.variant or (self.variants[0] if self.variants else "")

    def check(self, options: Options) -> None:
        """Raises InvalidOptions."""
        if options.n_shots < 0:
            raise InvalidOptions(filled(mark("The number of shots cannot be negative.")))
        choices = (
            (mark("draw of shots"), options.draw, self.draws if options.n_shots else tuple(Draw)),
            (mark("chat template"), options.template, self.templates),
            (mark("variant"), self.variant_of(options), self.variants or ("",)),
        )
        for what, value, allowed in choices:
            if value not in allowed:
                words = mark("%(benchmark)s has no %(what)s “%(value)s”: choose one of %(allowed)s.")
                listed = ", ".join(allowed) or "–"
                raise InvalidOptions(filled(words, benchmark=self.name, what=filled(what), value=value, allowed=listed))


def _with_ids(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    n_seen: dict[str, int] = {}
    found = []
    for sample in samples:
        place = n_seen[sample.subject] = n_seen.get(sample.subject, -1) + 1
        named = sample.id or (f"{sample.subject}/{place}" if sample.subject else str(place))
        found.append(replace(sample, id=named))
    return tuple(found)
