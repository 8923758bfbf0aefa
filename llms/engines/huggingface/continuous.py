"""All answers of a model computed together, by the continuous batching of transformers.

Its manager runs in a thread of its own and takes requests at any time. It is built for a server that owns the machine,
hence what is added here: a bounded cache, admission that never overfills it (a manager that cannot go on kills its
thread), a new manager when one has died, and an end together with the process (its thread would keep that alive).
"""

import logging
import threading
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor
from transformers import ContinuousBatchingConfig, LogitsProcessorList
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessor,
    ContinuousBatchingLogitsProcessorList,
)
from transformers.generation.continuous_batching.utils import logger as cb_logger

from llms.engines.base import GenerationFailed
from llms.engines.huggingface.boundary import foreign_errors_as
from llms.engines.huggingface.jobs import Backend, Job, Limits
from llms.engines.huggingface.options import PAGE_TOKENS
from llms.engines.huggingface.sampling import BrokenLogits, TokenChooser, greedy_generation

POLL_SECONDS = 0.2
"""How soon a dead manager, or the end of the process, is noticed."""
STOP_SECONDS = 30.0
RESTART_SECONDS = 0.5
"""Before a manager that died is replaced, in case the next one dies at once."""
BATCH_TOKENS = 256
"""Tokens computed in one step. A longer prompt takes several, between which the other answers go on."""
SAFETY_MARGIN = 0.1
SPARE_PAGES = 0.25
"""Pages beyond those that answers may fill. The manager keeps pages of finished answers, in case a conversation goes
on, and throws them away when fewer than the safety margin are free; so with spare pages nobody waits for that."""


class ContinuousBackend(Backend):
    def __init__(self, model: Any, end_tokens: Collection[int], limits: Limits) -> None:
        super().__init__(limits)
        self._model = model
        self._end_tokens = sorted(end_tokens)
        self._choices = ChosenTokens()
        # At its usual level it tells of every decision that it takes while it starts.
        logging.getLogger(cb_logger.name).setLevel(logging.WARNING)
        self._manager: Any = self._new_manager()
        self._is_ending = threading.Event()
        self._pump = threading.Thread(target=self._pump_tokens, name="answers")
        self._pump.start()

    def _new_manager(self) -> Any:
        n_pages = self._limits.n_pages
        manager = self._model.init_continuous_batching(
            generation_config=greedy_generation(self._end_tokens),
            continuous_batching_config=ContinuousBatchingConfig(
                page_size=PAGE_TOKENS,
                num_blocks=n_pages + int(n_pages * SPARE_PAGES) + 1,
                max_batch_tokens=BATCH_TOKENS,
                max_requests_per_batch=self._limits.max_concurrent,
                safety_margin=SAFETY_MARGIN,
                use_cuda_graph=False,
                use_async_batching=False,
                auto_switch_to_flash=False,
            ),
        )
        # Instead of the stock processors: those sort the whole vocabulary twice for every token, cannot be seeded, and
        # mix greedy with sampled answers only approximately.
        manager.logit_processor = ContinuousBatchingLogitsProcessorList(LogitsProcessorList([self._choices]))
        manager.logit_processor.tensors_required = 1
        manager.start()
        return manager

    def _has_room(self, job: Job) -> bool:
        is_accepting = self._manager.background_thread_status.can_accept_new_requests() is None
        return is_accepting and super()._has_room(job)

    def _start(self, job: Job) -> None:
        self._choices.choosers[job.number] = TokenChooser(job.sampling)
        # A manager that dies at this very moment takes nothing; then the pump fails the job with all the others.
        self._manager.add_request(
            job.prompt,
            request_id=job.id,
            max_new_tokens=job.sampling.max_new_tokens,
            eos_token_id=self._end_tokens,
            streaming=True,
            chooser=job.number,
        )

    def _stop(self, job: Job) -> None:
        self._choices.choosers.pop(job.number, None)
        self._manager.cancel_request(job.id)

    def _shut_down(self) -> None:
        self._is_ending.set()
        if threading.current_thread() is not self._pump:
            self._pump.join()
            self._manager.stop(block=True, timeout=STOP_SECONDS, hard_stop=True)
            self._model = self._manager = None

    def _pump_tokens(self) -> None:
        """Hand on what the manager computes, and watch over it."""
        while not self._is_ending.is_set():
            output = self._manager.get_result(timeout=POLL_SECONDS)
            if output is not None:
                self._take(output)
            elif not self._manager.is_running() and not self._is_ending.wait(RESTART_SECONDS):
                self._replace_manager()
            if not threading.main_thread().is_alive():
                self.close()
                self._manager.stop(block=False, hard_stop=True)

    def _take(self, output: Any) -> None:
        job = self._running.get(output.request_id)
        if job is None:
            return
        if output.error is not None:
            job.fail(GenerationFailed(f"the computation broke: {output.error}"))
        elif job.number in self._choices.broken:
            job.fail(GenerationFailed("the model computed something that is no number"))
        else:
            job.feed(output.generated_tokens[len(job.tokens) :])
        if job.is_over:
            if not output.is_finished():
                self._manager.cancel_request(job.id)
            self._choices.forget(job.number)
            self._finished(job)

    def _replace_manager(self) -> None:
        """The manager's thread has died, and all that it computed with it."""
        with self._lock:
            jobs = list(self._running.values())
            self._running.clear()
        for job in jobs:
            self._choices.forget(job.number)
            job.fail(GenerationFailed("the computation stopped"))
        try:
            with self._lock, foreign_errors_as(GenerationFailed, "starting the computation again"):
                self._manager.stop(block=True, timeout=STOP_SECONDS)
                self._manager = self._new_manager()
                self._admit()
        except GenerationFailed:
            self.close()


class ChosenTokens(ContinuousBatchingLogitsProcessor):
    """Puts the token that each answer's own chooser draws above all others, so that the manager's argmax takes it."""

    supported_kwargs: dict[str, type] = {"chooser": int}
    ignored_kwargs: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.choosers: dict[int, TokenChooser] = {}
        self.broken: set[int] = set()

    def forget(self, number: int) -> None:
        self.choosers.pop(number, None)
        self.broken.discard(number)

    def fill_defaults(self, int32_tensor: Tensor) -> None:
        int32_tensor.fill_(0)

    def prepare_tensor_args(self, requests_with_new_token: list[Any]) -> Tensor:
        numbers = [request.state.logit_processor_kwargs["chooser"] for request in requests_with_new_token]
        return torch.tensor(numbers, dtype=torch.int32)

    def __call__(self, scores: Tensor, tensor_arg: Tensor) -> Tensor:
        numbers = tensor_arg[: scores.size(0)].tolist()
        tokens = [self._choose(row, number) for row, number in zip(scores, numbers, strict=True)]
        return torch.zeros_like(scores).scatter_(1, torch.tensor(tokens, device=scores.device).unsqueeze(1), 1.0)

    def _choose(self, logits: Tensor, number: int) -> int:
        chooser = self.choosers.get(number)
        if chooser is None:
            # Cancelled a moment ago, while this step was being prepared.
            return 0
        try:
            return chooser.choose(logits)
        except BrokenLogits:
            self.broken.add(number)
            return 0
