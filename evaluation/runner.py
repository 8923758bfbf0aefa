"""A benchmark asked of a model: samples in, scores out. No database; whoever calls stores each score as it comes.

`prepare` settles everything that does not depend on the model: which samples in which order, which shots, the protocol.
`evaluate` asks the engine, and yields each sample once, in the order in which the engine finishes. Given the ids that
are stored already it asks for the rest only, and for each sample exactly what it would have asked anyway.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evaluation.benchmarks.base import Benchmark, Method, Options, Sample
from evaluation.benchmarks.perplexity import n_words
from evaluation.datasets import DataKind, RowSet
from evaluation.errors import BadRow, InvalidOptions
from evaluation.fewshot import shots_of
from evaluation.prompts import ChatRenderer, Template
from evaluation.protocols import Protocol, Scored, protocol_of
from evaluation.scores import ChoiceScore, SampleScore
from evaluation.scoring.multiple_choice import are_numbers, verdicts
from llms.chat import Message, Role, SamplingParams
from llms.engines.base import (
    Completion,
    ContinuationScore,
    Engine,
    FinishReason,
    LoglikelihoodRequest,
    PromptTooLong,
    TokenStatistics,
)
from llms.sentences import filled, mark

CONVERSATIONS_AT_ONCE: Final = 16
NOT_NUMBERS: Final = mark("The model gave no usable log-probability (not a number).")
TOO_LONG: Final = mark("The prompt does not fit the model's context.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    benchmark: Benchmark
    options: Options
    samples: tuple[Sample, ...]
    shots: tuple[tuple[Sample, ...], ...]
    protocol: Protocol


def prepare(benchmark: Benchmark, rows: RowSet, options: Options, *, limit: int | None = None) -> Prepared:
    """`limit` keeps the first rows, of each subject where there are subjects. Raises EvaluationError."""
    benchmark.check(options)
    variant = benchmark.variant_of(options)
    samples = benchmark.samples(rows.rows, variant=variant)
    pool = _pool(benchmark, rows, samples, variant) if options.n_shots else ()
    shots = tuple(shots_of(benchmark, samples, pool, options))
    kept = _first(samples, limit)
    is_whole = len(kept) == len(samples) == _n_expected(benchmark, rows.kind, len(samples))
    samples, shots = tuple(samples[place] for place in kept), tuple(shots[place] for place in kept)
    protocol = protocol_of(benchmark, options, Scored(rows.kind, samples, shots, is_whole))
    return Prepared(benchmark=benchmark, options=options, samples=samples, shots=shots, protocol=protocol)


def evaluate(prepared: Prepared, engine: Engine, *, done: Collection[str] = frozenset()) -> Iterator[SampleScore]:
    """`done` holds ids of samples not to be asked again. Closing the iterator stops the engine between batches. Raises
    EngineError, InvalidOptions."""
    benchmark = prepared.benchmark
    is_templated = prepared.options.template is Template.CHAT and benchmark.method is Method.LOGLIKELIHOOD
    render_chat = _chat_renderer(engine) if is_templated else None
    pairs = zip(prepared.samples, prepared.shots, strict=True)
    pending = [(sample, shots) for sample, shots in pairs if sample.id not in done]
    if not pending:
        return iter(())
    match benchmark.method:
        case Method.LOGLIKELIHOOD:
            return _choose(benchmark, pending, engine, render_chat)
        case Method.GENERATION:
            return _write(benchmark, pending, engine)
        case Method.TOKEN_STATISTICS:
            return _read([sample for sample, _ in pending], engine)


def _chat_renderer(engine: Engine) -> ChatRenderer:
    """Asked once before the run, so that an engine whose server writes the prompts is refused at once."""
    no_template = InvalidOptions(
        filled(mark("Only the model's server knows its chat template: choose the protocol without one."))
    )
    if engine.prompt_text([Message(Role.USER, "?")]) is None:
        raise no_template

    def written(messages: Sequence[Message]) -> str:
        text = engine.prompt_text(messages)
        if text is None:
            raise no_template
        return text

    return written


Pending = Sequence[tuple[Sample, Sequence[Sample]]]


def _pool(benchmark: Benchmark, rows: RowSet, samples: tuple[Sample, ...], variant: str) -> tuple[Sample, ...]:
    """A private set draws from itself, and leaves out the sample in question."""
    return samples if rows.kind is DataKind.PRIVATE else benchmark.samples(rows.pool, variant=variant)


def _n_expected(benchmark: Benchmark, kind: DataKind, n_here: int) -> int:
    """Only published rows can be incomplete where they are."""
    return benchmark.n_rows.get(benchmark.scored_split, n_here) if kind is DataKind.PUBLISHED else n_here


def _first(samples: Sequence[Sample], limit: int | None) -> list[int]:
    n_seen: dict[str, int] = {}
    kept = []
    for place, sample in enumerate(samples):
        n_seen[sample.subject] = n_seen.get(sample.subject, 0) + 1
        if limit is None or n_seen[sample.subject] <= limit:
            kept.append(place)
    return kept


# --- choices, by log-likelihood


def requests(
    benchmark: Benchmark, sample: Sample, shots: Sequence[Sample], render_chat: ChatRenderer | None = None
) -> tuple[LoglikelihoodRequest, ...]:
    """One with all continuations, or one for each where each has a context of its own. Behind a chat template the
    continuation begins without the delimiter, as a model's answer does."""
    contexts = [prompt.written(render_chat) for prompt in benchmark.prompts(sample, shots)]
    delimiter = "" if render_chat else sample.delimiter
    continuations = tuple(delimiter + choice for choice in sample.choices)
    if len(contexts) == 1:
        return (LoglikelihoodRequest(contexts[0], continuations),)
    pairs = zip(contexts, continuations, strict=True)
    return tuple(LoglikelihoodRequest(context, (continuation,)) for context, continuation in pairs)


def _choose(
    benchmark: Benchmark, pending: Pending, engine: Engine, render_chat: ChatRenderer | None
) -> Iterator[SampleScore]:
    asked: list[LoglikelihoodRequest] = []
    owner: list[int] = []
    first: list[int] = []
    for place, (sample, shots) in enumerate(pending):
        first.append(len(asked))
        asked += requests(benchmark, sample, shots, render_chat)
        owner += [place] * (len(asked) - len(owner))
    return _gather(benchmark, [sample for sample, _ in pending], _Asked(asked, owner, first), engine)


@dataclass(frozen=True, slots=True)
class _Asked:
    requests: list[LoglikelihoodRequest]
    owner: list[int]
    """Per request the sample it belongs to."""
    first: list[int]
    """Per sample its first request."""

    def of(self, place: int) -> list[LoglikelihoodRequest]:
        end = self.first[place + 1] if place + 1 < len(self.first) else len(self.requests)
        return self.requests[self.first[place] : end]


def _gather(benchmark: Benchmark, samples: Sequence[Sample], asked: _Asked, engine: Engine) -> Iterator[SampleScore]:
    """A sample is whole once all of its requests are back."""
    partial: dict[int, dict[int, tuple[ContinuationScore, ...]]] = {}
    answers = engine.loglikelihoods(asked.requests)
    try:
        for index, scores in answers:
            place = asked.owner[index]
            parts = partial.setdefault(place, {})
            parts[index] = scores
            own = asked.of(place)
            if len(parts) == len(own):
                del partial[place]
                together = [score for part in sorted(parts) for score in parts[part]]
                yield scored_choice(benchmark, samples[place], [request.context for request in own], together)
    finally:
        _close(answers)


def scored_choice(
    benchmark: Benchmark, sample: Sample, contexts: Sequence[str], scores: Sequence[ContinuationScore]
) -> SampleScore:
    choices = tuple(
        ChoiceScore(
            text=text, log_probability=score.log_probability, is_greedy=score.is_greedy, n_tokens=score.n_tokens
        )
        for text, score in zip(sample.choices, scores, strict=True)
    )
    found = {}
    if isinstance(sample.target, int) and are_numbers(scores):
        found = verdicts(sample.choices, scores, target=sample.target, metrics=benchmark.metrics)
    return SampleScore(
        sample_id=sample.id,
        subject=sample.subject,
        question=sample.questions[0],
        prompts=tuple(contexts),
        target=sample.target,
        choices=choices,
        predictions={metric: verdict.prediction for metric, verdict in found.items()},
        values={metric: float(verdict.is_right) for metric, verdict in found.items()},
        was_truncated=any(score.was_truncated for score in scores),
        error="" if found else NOT_NUMBERS,
    )


# --- answers, by generation


def _write(benchmark: Benchmark, pending: Pending, engine: Engine) -> Iterator[SampleScore]:
    for start in range(0, len(pending), CONVERSATIONS_AT_ONCE):
        batch = pending[start : start + CONVERSATIONS_AT_ONCE]
        conversations = [benchmark.prompts(sample, shots)[0].as_messages() for sample, shots in batch]
        completions = _completions(engine, conversations, benchmark.answer)
        for (sample, _), conversation, completion in zip(batch, conversations, completions, strict=True):
            yield _written(benchmark, sample, conversation, completion)


def _completions(
    engine: Engine, conversations: list[list[Message]], sampling: SamplingParams
) -> list[Completion | None]:
    """None for a conversation that is too long; it must not cost the others their answers."""
    try:
        return list(engine.generate(conversations, sampling))
    except PromptTooLong:
        if len(conversations) == 1:
            return [None]
        return [_completions(engine, [conversation], sampling)[0] for conversation in conversations]


def _written(
    benchmark: Benchmark, sample: Sample, conversation: list[Message], completion: Completion | None
) -> SampleScore:
    values, error = _judged(benchmark, sample, completion)
    return SampleScore(
        sample_id=sample.id,
        subject=sample.subject,
        question=sample.questions[0],
        prompts=("\n\n".join(f"{message.role}: {message.content}" for message in conversation),),
        target=sample.target,
        answer=completion.text if completion else "",
        values=values,
        was_truncated=completion is not None and completion.finish_reason is FinishReason.LENGTH,
        error=error,
    )


def _judged(benchmark: Benchmark, sample: Sample, completion: Completion | None) -> tuple[Mapping[str, float], str]:
    """Values, or why there are none."""
    if completion is None:
        return {}, TOO_LONG
    try:
        return benchmark.judged(sample, completion.text), ""
    except BadRow as error:
        return {}, error.user_message


# --- texts, token by token


def _read(samples: Sequence[Sample], engine: Engine) -> Iterator[SampleScore]:
    answers = engine.token_statistics([sample.questions[0] for sample in samples])
    try:
        for index, statistics in answers:
            yield scored_text(samples[index], statistics)
    finally:
        _close(answers)


def scored_text(sample: Sample, statistics: TokenStatistics) -> SampleScore:
    text = sample.questions[0]
    log_probability = sum(statistics.log_probabilities)
    is_number = log_probability == log_probability  # NaN differs from itself
    sizes = {"n_bytes": len(text.encode()), "n_words": n_words(text), "n_tokens": len(statistics.log_probabilities)}
    return SampleScore(
        sample_id=sample.id,
        subject=sample.subject,
        question=text,
        prompts=(text,),
        target=(),
        values={"log_probability": log_probability, **sizes} if is_number else {},
        error="" if is_number else NOT_NUMBERS,
    )


def _close(answers: Iterator[object]) -> None:
    """An engine's iterator is a generator as a rule, which computes until it is told to stop."""
    close: Callable[[], None] | None = getattr(answers, "close", None)
    if close:
        close()
