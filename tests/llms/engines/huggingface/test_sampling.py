from collections import Counter
from typing import Any

import pytest
import torch

from llms.chat import SamplingParams
from llms.engines.huggingface.sampling import FIRST_CANDIDATES, BrokenLogits, TokenChooser

LOGITS = torch.tensor([0.0, 3.0, 1.0, 2.0, -5.0])


def drawn(n_draws: int = 300, logits: torch.Tensor = LOGITS, **sampling: Any) -> Counter[int]:
    chooser = TokenChooser(SamplingParams(seed=1, **sampling))
    return Counter(chooser.choose(logits) for _ in range(n_draws))


def test_greedy_takes_the_best() -> None:
    assert set(drawn(temperature=0)) == {1}


@pytest.mark.parametrize("temperature", [1e-30, 1e-3])
def test_the_smallest_temperatures_are_as_good_as_greedy(temperature: float) -> None:
    assert set(drawn(temperature=temperature)) == {1}


def test_top_k_keeps_the_best_few() -> None:
    assert set(drawn(temperature=5, top_k=2)) == {1, 3}
    assert set(drawn(temperature=5, top_k=50)) == {0, 1, 2, 3, 4}


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    probabilities = LOGITS.softmax(-1)
    assert set(drawn(temperature=1, top_p=float(probabilities[1]) - 0.01)) == {1}
    assert set(drawn(temperature=1, top_p=float(probabilities[1]) + 0.01)) == {1, 3}
    assert set(drawn(temperature=1, top_p=1e-6)) == {1}


def test_top_p_is_taken_of_what_top_k_left() -> None:
    assert set(drawn(temperature=1, top_k=3, top_p=0.9)) == {1, 3}


def test_a_nucleus_wider_than_the_first_candidates_is_found() -> None:
    flat = torch.zeros(4 * FIRST_CANDIDATES)

    assert len(drawn(3000, flat, temperature=1, top_p=0.99)) > FIRST_CANDIDATES


def test_draws_follow_the_probabilities() -> None:
    n_draws = 4000
    counts = drawn(n_draws, temperature=0.7)

    for token, probability in enumerate((LOGITS / 0.7).softmax(-1).tolist()):
        assert abs(counts[token] / n_draws - probability) < 4 * (probability / n_draws) ** 0.5 + 1e-3


@pytest.mark.parametrize("top_p", [0.3, 0.8, 0.99])
@pytest.mark.parametrize("top_k", [0, 40])
def test_it_keeps_the_tokens_that_transformers_keeps(top_p: float, top_k: int) -> None:
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    logits = torch.randn(200, generator=torch.Generator().manual_seed(5)) * 2
    warpers = [TemperatureLogitsWarper(0.8), *([TopKLogitsWarper(top_k)] if top_k else []), TopPLogitsWarper(top_p)]
    scores = LogitsProcessorList(warpers)(torch.zeros(1, 1, dtype=torch.long), logits[None].clone())[0]
    kept = set(torch.nonzero(scores > -torch.inf).flatten().tolist())

    tokens = set(drawn(4000, logits, temperature=0.8, top_p=top_p, top_k=top_k))

    assert tokens <= kept
    assert len(tokens) > 0.8 * len(kept)


def test_seeds_of_any_size_are_taken() -> None:
    for seed in (0, -1, 2**70):
        first, second = (TokenChooser(SamplingParams(seed=seed)) for _ in range(2))
        assert [first.choose(LOGITS) for _ in range(20)] == [second.choose(LOGITS) for _ in range(20)]


def test_without_a_seed_draws_differ_whatever_the_global_state() -> None:
    runs = []
    for _ in range(2):
        torch.manual_seed(0)
        chooser = TokenChooser(SamplingParams(temperature=5))
        runs.append([chooser.choose(LOGITS) for _ in range(40)])

    assert runs[0] != runs[1]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_refused(value: float) -> None:
    for temperature in (0.0, 1.0):
        with pytest.raises(BrokenLogits):
            TokenChooser(SamplingParams(temperature=temperature)).choose(torch.tensor([0.0, value]))
