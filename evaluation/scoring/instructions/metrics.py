"""Shares of prompts and of instructions that were followed, with standard errors.

A prompt counts if all its instructions are followed. An instruction counts for itself; those of one prompt stand and
fall together, so that their standard error is that of a ratio of sums over prompts, and not of independent verdicts.
"""

from collections.abc import Iterable, Mapping, Sequence

from stats.ratios import Ratio, ratio_of_sums

Verdicts = Sequence[Sequence[bool]]
"""Of each prompt's instructions."""


def table(strict: Verdicts, loose: Verdicts) -> Mapping[str, Ratio]:
    """The four published metrics, by the names of lm-evaluation-harness."""
    return {
        "prompt_level_strict_acc": of_prompts(strict),
        "inst_level_strict_acc": of_instructions(strict),
        "prompt_level_loose_acc": of_prompts(loose),
        "inst_level_loose_acc": of_instructions(loose),
    }


def of_prompts(verdicts: Verdicts) -> Ratio:
    return ratio_of_sums([all(one) for one in verdicts], [1] * len(verdicts))


def of_instructions(verdicts: Verdicts) -> Ratio:
    return ratio_of_sums([sum(one) for one in verdicts], [len(one) for one in verdicts])


def by_kind(kinds: Sequence[Sequence[str]], verdicts: Verdicts) -> dict[str, Ratio]:
    """Of each kind of instruction, and of each family of them (what stands before the colon)."""
    names = {name for one in kinds for kind in one for name in _names(kind)}
    return {name: of_instructions(list(_only(name, kinds, verdicts))) for name in sorted(names)}


def _only(name: str, kinds: Sequence[Sequence[str]], verdicts: Verdicts) -> Iterable[list[bool]]:
    for one, verdict in zip(kinds, verdicts, strict=True):
        chosen = [is_followed for kind, is_followed in zip(one, verdict, strict=True) if name in _names(kind)]
        if chosen:
            yield chosen


def _names(kind: str) -> tuple[str, str]:
    return kind, kind.partition(":")[0]
