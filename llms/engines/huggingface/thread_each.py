"""Every answer in a thread of its own, by plain `generate`: slower, but every model of transformers can do it."""

import threading
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from llms.engines.base import EngineError, GenerationFailed
from llms.engines.huggingface.boundary import foreign_errors_as
from llms.engines.huggingface.jobs import Backend, Job, Limits
from llms.engines.huggingface.sampling import TokenChooser, greedy_generation


class ThreadEachBackend(Backend):
    def __init__(self, model: Any, end_tokens: Collection[int], limits: Limits) -> None:
        super().__init__(limits)
        self._model = model
        self._end_tokens = end_tokens
        self._threads: dict[int, threading.Thread] = {}

    def _start(self, job: Job) -> None:
        thread = self._threads[job.number] = threading.Thread(target=self._run, args=(job,), name=job.id)
        thread.start()

    def _stop(self, job: Job) -> None:
        """Its thread asks after every token whether the job still runs."""

    def _shut_down(self) -> None:
        for thread in list(self._threads.values()):
            thread.join()
        self._model = None

    def _run(self, job: Job) -> None:
        try:
            with foreign_errors_as(GenerationFailed, "generating"):
                self._generate(job)
        except EngineError as error:
            job.fail(error)
        finally:
            self._threads.pop(job.number, None)
            self._finished(job)

    def _generate(self, job: Job) -> None:
        prompt = torch.tensor([job.prompt], device=self._model.device)
        self._model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            generation_config=greedy_generation(self._end_tokens, max_new_tokens=job.sampling.max_new_tokens),
            logits_processor=LogitsProcessorList([_ChosenToken(TokenChooser(job.sampling))]),
            stopping_criteria=StoppingCriteriaList([_WhenOver(job, self._running)]),
            streamer=_Feeder(job, self._running),
        )


class _ChosenToken(LogitsProcessor):
    """Puts the chooser's token above all others, so that `generate`, which is greedy, takes it."""

    def __init__(self, chooser: TokenChooser) -> None:
        self._chooser = chooser

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        chosen = torch.zeros_like(scores)
        chosen[0, self._chooser.choose(scores[0])] = 1.0
        return chosen


class _WhenOver(StoppingCriteria):
    def __init__(self, job: Job, running: dict[str, Job]) -> None:
        self._job = job
        self._running = running

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        is_wanted = self._job.id in self._running and threading.main_thread().is_alive()
        return torch.full((input_ids.shape[0],), self._job.is_over or not is_wanted, device=input_ids.device)


class _Feeder(BaseStreamer):
    def __init__(self, job: Job, running: dict[str, Job]) -> None:
        self._job = job
        self._running = running
        self._has_seen_prompt = False

    def put(self, value: Tensor) -> None:
        if self._has_seen_prompt and self._job.id in self._running:
            self._job.feed(value.tolist())
        self._has_seen_prompt = True

    def end(self) -> None:
        """The answer's own writer knows when it is over."""
