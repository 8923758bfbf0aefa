"""Which rows are shown as examples before each sample."""

import random
from collections.abc import Iterator, Sequence
from itertools import groupby, islice

from evaluation.benchmarks.base import Benchmark, Draw, Options, Sample
from evaluation.errors import InvalidOptions
from llms.sentences import filled, mark

Shots = tuple[Sample, ...]


def shots_of(
    benchmark: Benchmark, samples: Sequence[Sample], pool: Sequence[Sample], options: Options
) -> Iterator[Shots]:
    """The shots of each sample, in the samples' order, drawn from its own subject. All samples that are scored without
    a limit, from the first on: the draws of lm-evaluation-harness depend on how many came before.

    Raises InvalidOptions: a pool that is too small.
    """
    if not options.n_shots:
        yield from (() for _ in samples)
        return
    by_subject: dict[str, list[Sample]] = {}
    for row in pool:
        by_subject.setdefault(row.subject, []).append(row)
    for subject, group in groupby(samples, key=lambda sample: sample.subject):
        candidates = by_subject.get(subject, [])
        n_needed = options.n_shots + (options.draw is Draw.LM_EVAL and benchmark.excludes_own_row)
        if len(candidates) < n_needed:
            raise _too_few(benchmark, len(candidates), n_needed)
        for drawn in _drawn(list(group), candidates, options, one_more=benchmark.excludes_own_row):
            if len(drawn) < options.n_shots:  # the sample itself was in a small pool
                raise _too_few(benchmark, len(candidates), options.n_shots + 1)
            yield drawn


def _too_few(benchmark: Benchmark, n_candidates: int, n_needed: int) -> InvalidOptions:
    words = mark(
        "%(benchmark)s has %(n)s rows to draw examples from here, and %(needed)s are needed: choose fewer"
        " examples, or get the split “%(split)s”."
    )
    split = benchmark.shot_split
    return InvalidOptions(filled(words, benchmark=benchmark.name, n=n_candidates, needed=n_needed, split=split))


def _drawn(samples: Sequence[Sample], pool: Sequence[Sample], options: Options, *, one_more: bool) -> Iterator[Shots]:
    if options.draw is Draw.LM_EVAL:
        yield from lm_eval_draws(samples, pool, options, one_more=one_more)
        return
    ordered = list(pool)
    if options.draw is Draw.FIXED:
        random.Random(options.seed).shuffle(ordered)  # noqa: S311 - to be repeated, not to be secret
    for sample in samples:
        others = (row for row in ordered if row.digest != sample.digest)
        yield tuple(islice(others, options.n_shots))


def lm_eval_draws(
    samples: Sequence[Sample], pool: Sequence[Sample], options: Options, *, one_more: bool
) -> Iterator[Shots]:
    """What lm-evaluation-harness 0.4 draws on one process (`ContextSampler.sample`): one generator that goes on from
    sample to sample. Where its task names neither a test split nor a split of shots it draws one row more, drops the
    sample itself and keeps the first; `random.sample` of another length gives other rows.
    """
    rng = random.Random(options.seed)  # noqa: S311 - to be repeated, not to be secret
    rows = list(pool)
    for sample in samples:
        if not one_more:
            yield tuple(rng.sample(rows, options.n_shots))
            continue
        drawn = [row for row in rng.sample(rows, options.n_shots + 1) if row.digest != sample.digest]
        if len(drawn) < options.n_shots:  # the sample stands in the pool several times
            drawn = rng.sample([row for row in rows if row.digest != sample.digest], options.n_shots)
        yield tuple(drawn[: options.n_shots])
