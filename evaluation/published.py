"""Setups under which others publish scores, and which of them a protocol of ours is comparable with."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from evaluation.benchmarks.base import Draw
from evaluation.datasets import DataKind
from evaluation.prompts import Template
from evaluation.protocols import Protocol
from llms.sentences import Sentence, filled, mark

ANY: Final = None
MICRO, MACRO = mark("mean over all questions"), mark("mean over subjects")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    name: str
    benchmark: str
    metric: str
    n_shots: int | None = ANY
    draw: Draw | None = None
    """How it chooses the examples; None where ours are none of its ways."""
    template: Template | None = Template.OFF
    variant: str = ""
    note: str = ""


class Match(NamedTuple):
    setup: Setup
    caveats: tuple[Sentence, ...]
    """What still differs; a score is comparable where this is empty."""


LM_EVAL: Final = "lm-evaluation-harness 0.4"
LEADERBOARD: Final = "Open LLM Leaderboard v1"
LIGHTEVAL: Final = "lighteval"
HENDRYCKS: Final = "hendrycks/test"
LETTERS: Final = mark("it counts a random letter in the two rows that ask for a sign that is no letter")
SPACES: Final = mark("its prompt has two spaces after “about” where ours has one")

SETUPS: Final = (
    Setup(name=LM_EVAL, benchmark="mmlu", metric="acc", draw=Draw.FIRST, template=ANY, note=MICRO),
    Setup(name=LEADERBOARD, benchmark="mmlu", metric="acc", n_shots=5, draw=Draw.FIRST, note=MACRO),
    Setup(name=HENDRYCKS, benchmark="mmlu", metric="acc", n_shots=5, draw=Draw.FIRST, note=SPACES),
    Setup(name=LM_EVAL, benchmark="hellaswag", metric="acc_norm", draw=Draw.LM_EVAL, template=ANY),
    Setup(name=LEADERBOARD, benchmark="hellaswag", metric="acc_norm", n_shots=10, draw=Draw.LM_EVAL),
    Setup(name=LM_EVAL, benchmark="arc_challenge", metric="acc_norm", draw=Draw.LM_EVAL, template=ANY),
    Setup(name=LEADERBOARD, benchmark="arc_challenge", metric="acc_norm", n_shots=25, draw=Draw.LM_EVAL),
    Setup(name=LM_EVAL, benchmark="winogrande", metric="acc", draw=Draw.LM_EVAL, variant="partial"),
    Setup(name=LEADERBOARD, benchmark="winogrande", metric="acc", n_shots=5, draw=Draw.LM_EVAL, variant="partial"),
    Setup(name=LIGHTEVAL, benchmark="winogrande", metric="acc", variant="full"),
    Setup(name=LM_EVAL, benchmark="piqa", metric="acc", draw=Draw.LM_EVAL, template=ANY),
    Setup(name=LM_EVAL, benchmark="ifeval", metric="prompt_level_strict_acc", template=Template.CHAT, note=LETTERS),
    Setup(name=LM_EVAL, benchmark="perplexity", metric="bits_per_byte"),
)


def comparable_with(protocol: Protocol) -> tuple[Match, ...]:
    """Those that ask the same questions in the same form, each with what still differs; best first. The built-in rows
    are comparable with nothing that is published."""
    if protocol.data is not DataKind.PUBLISHED:
        return ()
    matches = [Match(setup, _caveats(setup, protocol)) for setup in SETUPS if _is_alike(setup, protocol)]
    return tuple(sorted(matches, key=lambda match: len(match.caveats)))


def _is_alike(setup: Setup, protocol: Protocol) -> bool:
    return (
        setup.benchmark == protocol.benchmark
        and setup.n_shots in (ANY, protocol.n_shots)
        and setup.template in (ANY, protocol.template)
        and setup.variant == protocol.variant
    )


def _caveats(setup: Setup, protocol: Protocol) -> tuple[Sentence, ...]:
    found = []
    if not protocol.is_whole:
        found.append(filled(mark("only %(n)s of its rows are scored here"), n=protocol.n_rows))
    if protocol.n_shots and setup.draw != protocol.draw:
        found.append(filled(mark("it shows other examples in the prompt")))
    if setup.note == SPACES:
        found.append(filled(setup.note))
    return tuple(found)
