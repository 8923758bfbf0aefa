"""What is read off the logits."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llms.engines.base import GenerationFailed
from llms.engines.huggingface.scoring.trees import Answers

LEAST = -1e4
"""Nats. A token that cannot come has none; its share of mean and deviation is nothing."""


class Measured(NamedTuple):
    """For each question, in the order of a batch, one value a target."""

    number: int
    log_probabilities: NDArray[np.float64]
    is_first: NDArray[np.bool_]
    """Whether no token is likelier."""
    means: NDArray[np.float64]
    standard_deviations: NDArray[np.float64]
    """Both empty where they were not asked for."""


def measure(
    answers: Sequence[Answers],
    logits_of: Callable[[Tensor], Iterable[Tensor]],
    *,
    has_moments: bool,
    device: torch.device,
) -> list[Measured]:
    """`logits_of` gives the logits of some places of the batch, piece by piece: each place is computed once, whoever
    asks for it."""
    asked = np.concatenate([answer.places for answer in answers])
    targets = torch.from_numpy(np.concatenate([answer.question.targets for answer in answers])).to(device)
    places, which = np.unique(asked, return_inverse=True)
    order = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[order], np.arange(len(places)), side="right")
    columns: list[Tensor] = []
    done = 0
    for logits in logits_of(torch.from_numpy(places).to(device)):
        n_places = len(logits)
        start = int(ends[done - 1]) if done else 0
        members = order[start : int(ends[done + n_places - 1])]
        lines = torch.from_numpy(which[members] - done).to(device)
        columns.append(_values(logits, lines, targets[torch.from_numpy(members).to(device)], has_moments))
        done += n_places
    values = np.empty((len(asked), 4))
    values[order] = torch.cat(columns).cpu().double().numpy()
    if np.isnan(values).any():
        raise GenerationFailed("the model computed something that is no number: try another dtype")
    return _by_question(answers, values, has_moments)


def _values(logits: Tensor, lines: Tensor, targets: Tensor, has_moments: bool) -> Tensor:
    """Log-probability, whether it is the highest, mean and deviation; one line a target.

    By `log_softmax`, whose sum over a large vocabulary is off by up to 1e-5 on a processor: it is what published scores
    were computed with, and long continuations would differ from them visibly."""
    is_first = logits.argmax(-1)[lines] == targets
    logs = logits.log_softmax(-1)
    columns = [logs[lines, targets], is_first.to(logs.dtype)]
    if not has_moments:
        nothing = torch.zeros_like(columns[0])
        return torch.stack([*columns, nothing, nothing], -1)
    logs.clamp_min_(LEAST)
    shares = logs.exp()
    means = (shares * logs).sum(-1)
    variances = (shares * (logs - means.unsqueeze(-1)).square_()).sum(-1)
    return torch.stack([*columns, means[lines], variances.sqrt()[lines]], -1)


def _by_question(answers: Sequence[Answers], values: NDArray[np.float64], has_moments: bool) -> list[Measured]:
    found: list[Measured] = []
    end = 0
    for answer in answers:
        own = values[end : (end := end + len(answer.places))]
        moments = own[:, 2:] if has_moments else own[:0, 2:]
        found.append(Measured(answer.question.number, own[:, 0], own[:, 1] > 0, moments[:, 0], moments[:, 1]))
    return found
