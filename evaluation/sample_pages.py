"""One sample as people read it: what was asked, what was right, what the model took, and by how much."""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.utils.text import Truncator
from django.utils.translation import gettext as _

from evaluation import wording
from evaluation.instruction_pages import Followed, followed_of
from evaluation.models import Run, SampleResult
from evaluation.records import choices_of, number
from evaluation.run_lines import RunLine, lines_of
from evaluation.scores import ChoiceScore
from llms.translations import translated

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LINE_CHARACTERS: Final = 160
CELL_CHARACTERS: Final = 60
OTHER_RUNS: Final = 20
BITS: Final = math.log(2)


@dataclass(frozen=True, slots=True)
class SampleLine:
    """A row of the list."""

    sample: SampleResult
    headline: str
    """The metric that decides about right and wrong."""

    @property
    def place(self) -> int:
        return self.sample.index + 1

    @property
    def question(self) -> str:
        """On one line; a run from before questions were kept has names only."""
        text = " ".join(self.sample.question.split()).removeprefix("Question: ").removesuffix(" Answer:")
        return Truncator(text).chars(LINE_CHARACTERS) or self.sample.sample_id

    @property
    def target(self) -> str:
        return _short(_named(self.sample, self.sample.target))

    @property
    def taken(self) -> str:
        if self.sample.choices:
            return _short(_named(self.sample, self.sample.predictions.get(self.headline)))
        return _short(" ".join(self.sample.answer.split()))

    @property
    def subject(self) -> str:
        return self.sample.subject.replace("_", " ")

    @property
    def bits(self) -> str:
        return bits_per_byte(self.sample)

    @property
    def followed(self) -> Followed | None:
        return followed_of(self.sample)


def _named(sample: SampleResult, what: object) -> str:
    """The letter of a choice with its text, where that says more; otherwise the texts that count as right."""
    if isinstance(what, int) and 0 <= what < len(sample.choices):
        text = str(sample.choices[what].get("text", "")).strip()
        letter = letter_of(what)
        return letter if text == letter or _are_alike(sample) else f"{letter} · {text}"
    if isinstance(what, list):
        return _(" or ").join(map(str, what))
    return ""


def _are_alike(sample: SampleResult) -> bool:
    """Where the contexts differ and the continuation does not, as in WinoGrande."""
    return len({choice.get("text") for choice in sample.choices}) == 1


def _short(text: str) -> str:
    return Truncator(text).chars(CELL_CHARACTERS)


def letter_of(place: int) -> str:
    return LETTERS[place] if place < len(LETTERS) else str(place + 1)


def bits_per_byte(sample: SampleResult) -> str:
    values = sample.values
    if "log_probability" not in values or not values.get("n_bytes"):
        return ""
    return wording.decimal(-number(values["log_probability"]) / number(values["n_bytes"]) / BITS, 4)


# --- choices


@dataclass(frozen=True, slots=True)
class Choice:
    letter: str
    text: str
    log_probability: str
    per_character: str
    n_tokens: int
    is_greedy: bool
    is_target: bool
    taken_by: Sequence[str]
    """The metrics that take it."""
    share: float
    """Of the probability of all choices, in percent."""

    @property
    def share_words(self) -> str:
        return wording.percent(self.share / 100)


def choices(sample: SampleResult) -> list[Choice]:
    scores = choices_of(sample)
    shares = _shares([score.log_probability for score in scores])
    return [_choice(sample, place, score, shares[place]) for place, score in enumerate(scores)]


def _choice(sample: SampleResult, place: int, score: ChoiceScore, share: float) -> Choice:
    return Choice(
        letter=letter_of(place),
        text=score.text,
        log_probability=_nats(score.log_probability),
        per_character=_nats(score.log_probability / len(score.text)) if score.text else "–",
        n_tokens=score.n_tokens,
        is_greedy=score.is_greedy,
        is_target=sample.target == place,
        taken_by=[metric for metric, taken in sample.predictions.items() if taken == place],
        share=share,
    )


def _nats(value: float) -> str:
    return wording.decimal(value, 3) if math.isfinite(value) else str(value)


def _shares(log_probabilities: Sequence[float]) -> list[float]:
    """What is no number has no share."""
    largest = max((value for value in log_probabilities if math.isfinite(value)), default=0.0)
    weights = [math.exp(value - largest) if math.isfinite(value) else 0.0 for value in log_probabilities]
    total = sum(weights)
    return [round(100 * weight / total, 2) if total else 0.0 for weight in weights]


# --- the prompt


class Piece(NamedTuple):
    text: str
    is_mark: bool
    """Stands for something that cannot be seen."""


class Prompt(NamedTuple):
    letter: str
    """Of the choice it belongs to; empty where all have the same."""
    before: Sequence[Piece]
    """Description and examples."""
    question: Sequence[Piece]
    n_characters: int
    n_before: int


def prompts(sample: SampleResult, *, marked: bool) -> list[Prompt]:
    """As sent, character by character. What deceives the eye is always marked, blanks only on demand."""
    texts = sample.prompt.texts
    return [_prompt(text, sample, letter_of(i) if len(texts) > 1 else "", marked) for i, text in enumerate(texts)]


def _prompt(text: str, sample: SampleResult, letter: str, marked: bool) -> Prompt:
    start = text.rfind(sample.question) if sample.question and not letter else -1
    before, question = (text[:start], text[start:]) if start > 0 else ("", text)
    return Prompt(letter, pieces(before, marked=marked), pieces(question, marked=marked), len(text), len(before))


def pieces(text: str, *, marked: bool) -> list[Piece]:
    found: list[Piece] = []
    plain: list[str] = []
    for character in text:
        mark = _mark_of(character, marked=marked)
        if not mark:
            plain.append(character)
            continue
        if plain:
            found.append(Piece("".join(plain), False))
            plain = []
        found.append(Piece(mark, True))
    return [*found, Piece("".join(plain), False)] if plain else found


def _mark_of(character: str, *, marked: bool) -> str:
    if character in "\n\t ":
        return {"\n": "↵\n", "\t": "⇥\t", " ": "·"}[character] if marked else ""
    category = unicodedata.category(character)
    is_deceitful = category in {"Cc", "Cf", "Zl", "Zp"} or (marked and category == "Zs")
    return f"⟨U+{ord(character):04X}⟩" if is_deceitful else ""


# --- the same sample elsewhere


class Elsewhere(NamedTuple):
    line: RunLine
    sample: SampleLine
    has_same_prompt: bool


def elsewhere(sample: SampleResult, runs: Iterable[Run]) -> list[Elsewhere]:
    """In the newest of other runs on the same benchmark."""
    lines = {line.run.pk: line for line in lines_of(runs)}
    others = SampleResult.objects.filter(run__in=list(lines), sample_id=sample.sample_id).order_by("-run")
    return [
        Elsewhere(
            lines[other.run_id],
            SampleLine(other, lines[other.run_id].metric),
            other.prompt_id == sample.prompt_id,
        )
        for other in others
    ]


def error_of(sample: SampleResult) -> str:
    return translated(sample.error)
