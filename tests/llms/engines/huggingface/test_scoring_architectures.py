"""Whatever the model is made of: scores are those of one plain row after the other."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from llms.engines.base import ContinuationScore, LoglikelihoodRequest
from llms.engines.huggingface.scoring.planning import EVERY_STEM
from llms.engines.huggingface.scoring.scorer import Scorer
from tests.llms.engines.huggingface.architectures import PLAIN, SHARING, WINDOW, WINDOWED, random_model
from tests.llms.engines.tiny import byte_tokenizer

SHOTS = "Question: What is hot? Answer: fire.\n\n" * 3
REQUESTS = [
    LoglikelihoodRequest(SHOTS + "Question: What is cold? Answer:", (" ice", " ice cream", " fire", " i")),
    LoglikelihoodRequest(SHOTS + "Question: What is wet? Answer:", (" rain", " A", " B", " C")),
    LoglikelihoodRequest("She put the ring into the box", (" because it was small.",)),
    LoglikelihoodRequest("She put the ring into the bag", (" because it was small.", " because it was large.")),
    LoglikelihoodRequest("", ("Hello.", "Help!")),
]


def one_row_at_a_time(model: Any, request: LoglikelihoodRequest) -> list[float]:
    """Written without anything of the scorer: the tokenizer has a token for each byte, and none of its own."""
    tokenizer = byte_tokenizer()
    head = tokenizer(request.context)["input_ids"] or [tokenizer.eos_token_id]
    found = []
    for continuation in request.continuations:
        tail = tokenizer(continuation)["input_ids"]
        with torch.no_grad():
            logits = model(torch.tensor([head + tail]), use_cache=False).logits[0, len(head) - 1 : -1]
        found.append(float(logits.log_softmax(-1)[torch.arange(len(tail)), torch.tensor(tail)].sum()))
    return found


def log_probabilities(scores: Sequence[ContinuationScore]) -> list[float]:
    return [score.log_probability for score in scores]


@pytest.fixture(params=[*SHARING, *WINDOWED, *PLAIN])
def model(request: pytest.FixtureRequest) -> Any:
    return random_model(*(SHARING | WINDOWED | PLAIN)[request.param])


@pytest.mark.filterwarnings("ignore")
def test_scores_are_those_of_single_rows(model: Any) -> None:
    scorer = Scorer(model, byte_tokenizer())
    by_stems = Scorer(model, byte_tokenizer())
    by_stems._costs = EVERY_STEM

    for one in (scorer, by_stems):
        found = dict(one.loglikelihoods(REQUESTS))
        assert sorted(found) == list(range(len(REQUESTS)))
        for index, request in enumerate(REQUESTS):
            assert log_probabilities(found[index]) == pytest.approx(one_row_at_a_time(model, request), abs=2e-3)


@pytest.mark.parametrize("name", SHARING)
def test_common_beginnings_are_shared(name: str) -> None:
    method = Scorer(random_model(*SHARING[name]), byte_tokenizer()).method()

    assert (method.scheme, method.reason) == ("shared prefixes", "")


@pytest.mark.parametrize("name", WINDOWED)
def test_only_what_fits_a_sliding_window_is_shared(name: str) -> None:
    method = Scorer(random_model(*WINDOWED[name]), byte_tokenizer()).method()

    assert method.scheme == "shared prefixes"
    assert f"the sliding window of {WINDOW} tokens" in method.reason


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PLAIN)
def test_what_cannot_be_shared_is_computed_in_plain_rows_with_the_reason(name: str) -> None:
    method = Scorer(random_model(*PLAIN[name]), byte_tokenizer()).method()

    assert method.scheme == "plain rows"
    assert any(word in method.reason for word in ("ALiBi", "state", "layers"))


def test_an_attention_without_a_mask_of_our_own_is_left_alone() -> None:
    model = random_model(*SHARING["Llama"])
    model.config._attn_implementation = "flash_attention_2"

    assert "flash_attention_2" in Scorer(_Computes(model), byte_tokenizer()).method().reason


class _Computes:
    """A model whose settings name an attention that this machine lacks."""

    def __init__(self, model: Any) -> None:
        self._inner = random_model(*SHARING["Llama"])
        self.config = model.config

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._inner(*args, **kwargs)


def test_a_model_that_fails_its_trial_is_computed_in_plain_rows() -> None:
    """As one whose positions come from the mask, which nobody foresaw."""
    model = random_model(*SHARING["Llama"])
    inner = model.model.forward

    def without_positions(*args: Any, position_ids: Any = None, **kwargs: Any) -> Any:
        return inner(*args, **kwargs)

    model.model.forward = without_positions
    method = Scorer(model, byte_tokenizer()).method()

    assert method.scheme == "plain rows"
    assert "in a trial the scores were off by" in method.reason


def test_the_trial_sees_differences_of_a_thousandth() -> None:
    assert math.isclose(Scorer(random_model(*SHARING["Llama"]), byte_tokenizer()).tolerance, 1e-3)
