"""Chooses how a model's answers are computed, by trying."""

import logging
from concurrent.futures import Future
from typing import Any

import torch

from llms.chat import Message, Role, SamplingParams
from llms.engines.base import EngineError, GenerationFailed, LoadingFailed, StreamEnd, StreamEvent
from llms.engines.huggingface.answers import AnswerWriter
from llms.engines.huggingface.boundary import foreign_errors_as
from llms.engines.huggingface.continuous import ContinuousBackend
from llms.engines.huggingface.jobs import Backend, Job, Limits
from llms.engines.huggingface.loading import Loaded
from llms.engines.huggingface.options import PAGE_TOKENS, HuggingFaceOptions
from llms.engines.huggingface.thread_each import ThreadEachBackend

logger = logging.getLogger(__name__)

KINDS: dict[str, list[type[Any]]] = {
    "auto": [ContinuousBackend, ThreadEachBackend],
    "continuous": [ContinuousBackend],
    "none": [ThreadEachBackend],
}
TRIAL = Message(Role.USER, "Say hello, please.")
N_TRIAL_TOKENS = 4
TRIAL_SECONDS = 600.0
TOLERANCE = 0.05
"""How far below the best a greedy token may lie in a plain computation, as a part of the range of the logits. Rounding,
above all of eight-bit numbers, may swap close rivals; a computation that is wrong picks tokens that are far off."""


def start_backend(loaded: Loaded, options: HuggingFaceOptions) -> Backend:
    """The first kind that passes its trial, which warms it up as well."""
    limits = Limits(options.max_concurrent, options.max_waiting, options.cache_tokens // PAGE_TOKENS)
    reasons = []
    for kind in KINDS[options.batching]:
        try:
            with foreign_errors_as(LoadingFailed, f"starting {kind.__name__}"):
                return _tried(kind(loaded.model, loaded.end_tokens, limits), loaded)
        except EngineError as error:
            logger.warning("%s cannot run this model: %s", kind.__name__, error)
            reasons.append(str(error))
    raise LoadingFailed(f"it does not generate: {'; '.join(reasons)}")


def _tried(backend: Backend, loaded: Loaded) -> Backend:
    try:
        prompt = loaded.prompts.encode([TRIAL])
        tokens = _generate_greedily(backend, loaded, prompt)
        if not _agrees(loaded, prompt, tokens):
            raise GenerationFailed("it generates other tokens than the model computes")
    except BaseException:
        backend.close()
        raise
    return backend


def _generate_greedily(backend: Backend, loaded: Loaded, prompt: list[int]) -> list[int]:
    sampling = SamplingParams(temperature=0, max_new_tokens=N_TRIAL_TOKENS)
    done: Future[None] = Future()

    def deliver(event: StreamEvent | EngineError) -> None:
        if isinstance(event, EngineError):
            done.set_exception(event)
        elif isinstance(event, StreamEnd):
            done.set_result(None)

    writer = AnswerWriter(loaded.decode, sampling, n_prompt_tokens=len(prompt), end_tokens=loaded.end_tokens)
    job = Job(prompt, sampling, writer, deliver)
    backend.submit(job)
    done.result(TRIAL_SECONDS)
    return job.tokens


@torch.no_grad()
def _agrees(loaded: Loaded, prompt: list[int], tokens: list[int]) -> bool:
    """Whether a plain computation over prompt and answer ranks the tokens of the answer first, or nearly so."""
    inputs = torch.tensor([prompt + tokens[:-1]], device=loaded.model.device)
    logits = loaded.model(inputs).logits[0, len(prompt) - 1 :].float()
    chosen = logits[torch.arange(len(tokens)), torch.tensor(tokens)]
    shortfall = logits.amax(-1) - chosen
    return bool((shortfall <= TOLERANCE * (logits.amax(-1) - logits.amin(-1))).all())
