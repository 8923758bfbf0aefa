"""How a score came about, as far as it decides which other scores it may be compared with.

Two scores share a column only if their fingerprints are equal. What does not belong to it, because it should not change
a score: dtype, device, batch size, versions of libraries, the wording of a model's own chat template. A run records
these beside it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

from evaluation.benchmarks.base import Benchmark, Draw, Method, Options, Sample
from evaluation.datasets import DataKind, checksum
from evaluation.prompts import Template
from llms.sentences import Sentence, filled, mark

FINGERPRINT_LENGTH: Final = 16
NO_DRAW: Final = "–"
NORMALISATIONS: Final = {
    Method.LOGLIKELIHOOD: "acc_norm per character, acc_bytes per byte",
    Method.GENERATION: NO_DRAW,
    Method.TOKEN_STATISTICS: NO_DRAW,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    benchmark: str
    version: int
    data: DataKind
    rows_digest: str
    n_rows: int
    is_whole: bool
    """Whether all published rows are scored."""
    n_shots: int
    draw: str
    seed: int | None
    """None where nothing is drawn."""
    shots_digest: str
    """Of the rows that are shown; empty without shots."""
    template: Template
    variant: str
    prompt_form: str
    normalisation: str
    method: str
    """What the engine was asked for; a server that gives log-probabilities of letters only has another one."""
    extras: tuple[tuple[str, str], ...] = ()
    """Of later kinds of benchmarks: judge and its prompt, tools, budgets."""

    @property
    def fingerprint(self) -> str:
        canonical = json.dumps(asdict(self), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:FINGERPRINT_LENGTH]

    @property
    def may_be_ranked(self) -> bool:
        """Part of the rows is shown with its number, the built-in rows are labelled; neither is ranked."""
        return self.is_whole and self.data is not DataKind.SAMPLE

    def column(self, metric: str) -> str:
        """Scores with the same one may stand in one column."""
        return f"{self.fingerprint}/{metric}"

    @property
    def summary(self) -> Sentence:
        """One line for a table's head."""
        words = mark("%(benchmark)s v%(version)s, %(n_shots)s-shot%(draw)s, %(chat)s%(variant)s, %(rows)s")
        return filled(
            words,
            benchmark=self.benchmark,
            version=self.version,
            n_shots=self.n_shots,
            draw=filled(" (%(rule)s)", rule=in_words("draw", self.draw)) if self.n_shots else "",
            chat=in_words("template", self.template),
            variant=f", {self.variant}" if self.variant else "",
            rows=rows_in_words(self),
        )


class Scored(NamedTuple):
    """The samples that are scored, with the shots of each."""

    data: DataKind
    samples: Sequence[Sample]
    shots: Sequence[Sequence[Sample]]
    is_whole: bool


def protocol_of(benchmark: Benchmark, options: Options, scored: Scored) -> Protocol:
    has_shots = options.n_shots > 0
    is_random = has_shots and options.draw is not Draw.FIRST
    return Protocol(
        benchmark=benchmark.name,
        version=benchmark.version,
        data=scored.data,
        rows_digest=checksum(scored.samples),
        n_rows=len(scored.samples),
        is_whole=scored.is_whole,
        n_shots=options.n_shots,
        draw=options.draw if has_shots else NO_DRAW,
        seed=options.seed if is_random else None,
        shots_digest=_digest_of_shots(scored.shots) if has_shots else "",
        template=options.template,
        variant=benchmark.variant_of(options),
        prompt_form=benchmark.prompt_form,
        normalisation=NORMALISATIONS[benchmark.method],
        method=benchmark.method,
        extras=benchmark.extras,
    )


def differences(one: Protocol, other: Protocol) -> tuple[Sentence, ...]:
    """In words, what keeps two scores out of one column; empty for equal protocols."""
    found = []
    for field, words in DIFFERENCES:
        mine, theirs = getattr(one, field), getattr(other, field)
        if mine != theirs:
            found.append(filled(words, mine=shown(field, mine), theirs=shown(field, theirs)))
    same_number = one.n_rows == other.n_rows
    if one.rows_digest != other.rows_digest and same_number:
        found.append(filled(mark("other rows, as many of them")))
    if one.shots_digest != other.shots_digest and (one.n_shots, one.draw) == (other.n_shots, other.draw):
        found.append(filled(mark("other examples")))
    return tuple(found)


DIFFERENCES: Final = (
    ("benchmark", mark("another benchmark: %(mine)s and %(theirs)s")),
    ("version", mark("another version of the benchmark: %(mine)s and %(theirs)s")),
    ("data", mark("other data: %(mine)s and %(theirs)s")),
    ("n_rows", mark("another number of rows: %(mine)s and %(theirs)s")),
    ("n_shots", mark("another number of examples in the prompt: %(mine)s and %(theirs)s")),
    ("draw", mark("examples chosen by another rule: %(mine)s and %(theirs)s")),
    ("seed", mark("examples drawn with another seed: %(mine)s and %(theirs)s")),
    ("template", mark("one %(mine)s, the other %(theirs)s")),
    ("variant", mark("another variant: %(mine)s and %(theirs)s")),
    ("prompt_form", mark("another prompt: “%(mine)s” and “%(theirs)s”")),
    ("normalisation", mark("another normalisation: %(mine)s and %(theirs)s")),
    ("method", mark("another way of scoring: %(mine)s and %(theirs)s")),
    ("extras", mark("other settings: %(mine)s and %(theirs)s")),
)


WORDS: Final = {
    ("data", DataKind.PUBLISHED): mark("published rows"),
    ("data", DataKind.SAMPLE): mark("built-in sample"),
    ("data", DataKind.PRIVATE): mark("private rows"),
    ("draw", Draw.FIRST): mark("the first rows"),
    ("draw", Draw.FIXED): mark("one draw for all"),
    ("draw", Draw.LM_EVAL): mark("another draw for each sample"),
    ("template", Template.OFF): mark("without chat template"),
    ("template", Template.CHAT): mark("with the model's chat template"),
    ("normalisation", NORMALISATIONS[Method.LOGLIKELIHOOD]): mark("acc_norm per character, acc_bytes per byte"),
    ("method", Method.LOGLIKELIHOOD): mark("log-likelihood"),
    ("method", Method.GENERATION): mark("generation"),
    ("method", Method.TOKEN_STATISTICS): mark("token statistics"),
}
"""How stored values are said. The values themselves are part of the fingerprint."""


def in_words(field: str, value: str) -> str:
    """A sentence where the value has words, else as it is stored."""
    words = value if field == "prompt_form" and "%" not in value else WORDS.get((field, value))
    return filled(words) if words else value


def shown(field: str, value: object) -> object:
    """Of a protocol, or of a stored one."""
    if value in ("", None, (), []):
        return NO_DRAW
    return in_words(field, value) if isinstance(value, str) else value


def rows_in_words(protocol: Protocol) -> Sentence:
    if protocol.data is DataKind.SAMPLE:
        return filled(mark("built-in sample of %(n)s rows"), n=protocol.n_rows)
    if not protocol.is_whole:
        return filled(mark("only %(n)s rows"), n=protocol.n_rows)
    return filled(mark("all %(n)s rows"), n=protocol.n_rows)


def _digest_of_shots(shots: Sequence[Sequence[Sample]]) -> str:
    """Samples with the same shots count once per run of them, so that fixed shots are the same under any limit."""
    digest, previous = hashlib.sha256(), None
    for row in shots:
        shown = [(shot.subject, shot.digest) for shot in row]
        if shown != previous:
            digest.update(json.dumps(shown).encode())
            previous = shown
    return digest.hexdigest()
