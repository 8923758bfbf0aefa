"""Scores of given texts: the numbers of lm-evaluation-harness, whatever memory, threads and visitors do meanwhile."""

import asyncio
import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from llms.engines.base import ContinuationScore, GenerationFailed, LoglikelihoodRequest, RequestRejected, never
from llms.engines.huggingface.engine import HuggingFaceEngine
from llms.engines.huggingface.scoring import statistics
from llms.engines.huggingface.scoring.computing import Computation
from llms.engines.huggingface.scoring.scorer import Scorer
from llms.engines.huggingface.scoring.self_check import compare
from llms.engines.huggingface.scoring.texts import text_encoder
from tests.llms.engines.huggingface.architectures import SHARING, random_model
from tests.llms.engines.tiny import byte_tokenizer, events_of, load

LENGTH = 512
SHOTS = "Is fire hot? Yes.\n\n" * 6
REQUESTS = [
    LoglikelihoodRequest(f"{SHOTS}Is {what} hot?", (" Yes.", " No.", " A", " B")) for what in ("ice", "tea", "x")
]


@pytest.fixture(scope="module")
def model() -> Any:
    return random_model(*SHARING["Llama"])


@pytest.fixture
def scorer(model: Any) -> Scorer:
    return Scorer(model, byte_tokenizer())


def logits_after(model: Any, tokens: Sequence[int]) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(torch.tensor([list(tokens)]), use_cache=False).logits[0]
    return found.double().log_softmax(-1)


def scores_of(scorer: Scorer, context: str, *continuations: str) -> tuple[ContinuationScore, ...]:
    ((_, scores),) = scorer.loglikelihoods([LoglikelihoodRequest(context, continuations)])
    return scores


def test_a_continuation_is_greedy_if_each_of_its_tokens_is_the_likeliest(model: Any, scorer: Scorer) -> None:
    tokenizer = byte_tokenizer()
    for context in map(str, range(300)):
        letter = tokenizer.decode([logits_after(model, tokenizer(context)["input_ids"])[-1].argmax().item()])
        if letter.isascii() and letter.isalpha():
            break
    else:
        pytest.fail("the random model never goes on with a letter")
    greedy, other, longer = scores_of(scorer, context, letter, "-", letter + "-")

    assert (greedy.is_greedy, other.is_greedy) == (True, False)
    assert greedy.log_probability > other.log_probability
    assert (greedy.n_tokens, longer.n_tokens) == (1, 2)
    assert longer.log_probability < greedy.log_probability


def test_white_space_at_the_end_of_a_context_belongs_to_the_continuation(scorer: Scorer) -> None:
    assert scores_of(scorer, "Answer: ", "A") == scores_of(scorer, "Answer:", " A")
    assert scores_of(scorer, "Answer: ", "A")[0].n_tokens == 2


def test_a_context_that_is_too_long_loses_its_beginning(model: Any, scorer: Scorer) -> None:
    long = "".join(chr(97 + place % 26) for place in range(600))
    whole, fits = scores_of(scorer, long, " end")[0], scores_of(scorer, long[-(LENGTH - 3) :], " end")[0]

    assert whole.was_truncated
    assert not fits.was_truncated
    assert whole.log_probability == pytest.approx(fits.log_probability, abs=1e-4)
    tokens = byte_tokenizer()(long + " end")["input_ids"][-(LENGTH + 1) :]
    expected = logits_after(model, tokens[:-1])[[-4, -3, -2, -1], tokens[-4:]].sum()
    assert whole.log_probability == pytest.approx(float(expected), abs=1e-3)


def test_a_continuation_that_is_too_long_keeps_what_the_model_can_see(scorer: Scorer) -> None:
    (score,) = scores_of(scorer, "x", "y" * 600)

    assert (score.n_tokens, score.was_truncated) == (LENGTH, True)


def test_nothing_before_a_text_is_its_end_token(model: Any, scorer: Scorer) -> None:
    tokenizer = byte_tokenizer()
    (score,) = scores_of(scorer, "", "Hi")
    first, second = tokenizer("Hi")["input_ids"]

    expected = logits_after(model, [tokenizer.eos_token_id, first])[[0, 1], [first, second]].sum()
    assert score.log_probability == pytest.approx(float(expected), abs=1e-4)


def test_the_tokenizers_own_first_token_is_added_once() -> None:
    encoder = text_encoder(_with_first_token(), LENGTH)
    start = _with_first_token().bos_token_id

    plain, written = (
        encoder.pairs(LoglikelihoodRequest(context, (" b",)))[0].tokens for context in ("a", "<|im_start|>a")
    )
    assert plain == written
    assert plain.count(start) == 1
    assert encoder.pairs(LoglikelihoodRequest("", ("b",)))[0].tokens[0] == start
    assert next(encoder.windows("ab")).tokens.count(start) == 1


def _with_first_token() -> Any:
    from tokenizers.processors import TemplateProcessing

    tokenizer = byte_tokenizer()
    tokenizer.bos_token = "<|im_start|>"
    start = ("<|im_start|>", tokenizer.bos_token_id)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<|im_start|> $A", special_tokens=[start])
    return tokenizer


def test_a_merge_over_the_border_is_resolved_as_the_harness_does() -> None:
    """Tokens of the context alone, then what the whole has behind as many."""
    encoder = text_encoder(_Merges(), LENGTH)

    (found,) = encoder.pairs(LoglikelihoodRequest("xa", ("bc",)))

    assert (found.tokens, found.n_scored) == ([10, 1, 3], 1)


class _Merges:
    """“a” and “b” are one token when they stand together."""

    bos_token_id = None
    eos_token_id = 0

    def decode(self, token: int) -> str:
        return "<end>"

    def __call__(self, texts: Sequence[str], **_: Any) -> dict[str, Any]:
        known = {"xa": [10, 1], "xabc": [10, 2, 3]}
        return {"input_ids": [known[text] for text in texts]}


def test_a_continuation_without_a_token_is_refused(scorer: Scorer) -> None:
    with pytest.raises(RequestRejected, match="no token of its own"):
        scores_of(scorer, "something", "")


def test_half_a_surrogate_pair_is_scored_as_a_question_mark(scorer: Scorer) -> None:
    assert scores_of(scorer, "a\ud800", " b") == scores_of(scorer, "a?", " b")


def test_a_request_without_continuations_has_no_scores(scorer: Scorer) -> None:
    assert dict(scorer.loglikelihoods([LoglikelihoodRequest("a", ()), LoglikelihoodRequest("a", ("b",))]))[0] == ()
    assert list(scorer.loglikelihoods([])) == []


def test_equal_requests_are_each_answered(scorer: Scorer) -> None:
    found = dict(scorer.loglikelihoods([REQUESTS[0]] * 3))

    assert sorted(found) == [0, 1, 2]
    assert len(set(found.values())) == 1


def test_continuations_that_differ_in_the_last_token_share_all_computation(scorer: Scorer, n_tokens: list[int]) -> None:
    scores_of(scorer, "Answer:", " A")
    one = sum(n_tokens)
    scores_of(scorer, "Answer:", " A", " B", " C", " D")

    assert sum(n_tokens) == 2 * one


def test_common_shots_are_computed_once(scorer: Scorer, n_tokens: list[int]) -> None:
    many = [LoglikelihoodRequest(f"{SHOTS}Is {n} hot?", (" Yes.", " No.")) for n in range(100, 160)]
    list(scorer.loglikelihoods(many))
    shared = sum(n_tokens)
    n_tokens.clear()
    list(scorer.loglikelihoods(many, is_plain=True))

    assert shared * 5 < sum(n_tokens)


@pytest.fixture
def n_tokens(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Tokens of each computation."""
    counted: list[int] = []
    grow, hidden = Computation.grow, Computation.hidden

    def counting_grow(self: Any, stem: Any, tokens: Any) -> Any:
        counted.append(len(tokens))
        return grow(self, stem, tokens)

    def counting_hidden(self: Any, batch: Any, stem: Any) -> Any:
        counted.append(batch.tokens.size)
        return hidden(self, batch, stem)

    monkeypatch.setattr(Computation, "grow", counting_grow)
    monkeypatch.setattr(Computation, "hidden", counting_hidden)
    return counted


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory: 1 bytes")],
)
def test_a_batch_that_is_too_large_is_halved_and_nothing_is_lost(
    scorer: Scorer, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    requests = [LoglikelihoodRequest(f"Question {n}: is it {n % 7}?", (" Yes.", " No.")) for n in range(40)]
    expected = dict(scorer.loglikelihoods(requests))
    sizes: list[int] = []
    hidden = Computation.hidden

    def scarce(self: Any, batch: Any, stem: Any) -> Any:
        sizes.append(len(batch.tokens))
        if len(batch.tokens) > 2:
            raise error
        return hidden(self, batch, stem)

    monkeypatch.setattr(Computation, "hidden", scarce)
    found = list(scorer.loglikelihoods(requests))

    assert sorted(index for index, _ in found) == list(range(40))
    for index, scores in found:
        assert [score.log_probability for score in scores] == pytest.approx(
            [score.log_probability for score in expected[index]], abs=1e-4
        )
    n_failed = sum(size > 2 for size in sizes)
    assert 0 < n_failed < 8
    assert all(size > 2 for size in sizes[:n_failed])


def test_a_single_row_that_is_too_large_ends_with_advice(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Any:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(Computation, "hidden", never)
    with pytest.raises(GenerationFailed, match=r"a row of \d+ tokens; free memory"):
        list(scorer.loglikelihoods(REQUESTS))


def test_another_error_is_no_lack_of_memory(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Computation, "hidden", broken)
    with pytest.raises(GenerationFailed, match="a bug"):
        list(scorer.loglikelihoods(REQUESTS))


def test_numbers_that_are_none_are_an_error(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = Computation.hidden
    monkeypatch.setattr(Computation, "hidden", lambda *arguments: hidden(*arguments) * math.nan)

    with pytest.raises(GenerationFailed, match="no number"):
        list(scorer.loglikelihoods(REQUESTS))


def test_batches_come_as_they_are_done_and_closing_stops(scorer: Scorer, n_tokens: list[int]) -> None:
    scorer._budget.n_tokens = 32
    requests = [LoglikelihoodRequest(f"Number {n} is", (" odd", " even")) for n in range(40)]
    scores = scorer.loglikelihoods(requests)
    next(scores)
    scores.close()  # type: ignore[attr-defined]
    done = len(n_tokens)
    list(scorer.loglikelihoods(requests))

    assert done == 1
    assert len(n_tokens) > 5


def test_statistics_are_those_of_the_full_distribution(model: Any, scorer: Scorer) -> None:
    tokenizer = byte_tokenizer()
    text = "The cat sat on the mat."
    ((index, found),) = scorer.token_statistics([text])
    tokens = tokenizer(text)["input_ids"]
    logs = logits_after(model, [tokenizer.eos_token_id, *tokens[:-1]])

    mean = (logs.exp() * logs).sum(-1)
    deviation = ((logs.exp() * logs.square()).sum(-1) - mean.square()).sqrt()
    assert index == 0
    assert found.log_probabilities == pytest.approx(logs[torch.arange(len(tokens)), tokens].tolist(), abs=1e-4)
    assert found.means == pytest.approx(mean.tolist(), abs=1e-4)
    assert found.standard_deviations == pytest.approx(deviation.tolist(), abs=1e-4)


def test_statistics_do_not_depend_on_how_the_vocabulary_is_cut(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["The cat sat on the mat.", "The cat sat.", "", "Dogs."]
    whole = dict(scorer.token_statistics(texts))
    monkeypatch.setattr("llms.engines.huggingface.scoring.computing.LOGITS", 1000)
    cut = dict(scorer.token_statistics(texts))

    assert whole[2].means == ()
    assert sorted(whole) == [0, 1, 2, 3]
    for index, found in whole.items():
        assert cut[index].log_probabilities == pytest.approx(found.log_probabilities, abs=1e-4)
        assert cut[index].standard_deviations == pytest.approx(found.standard_deviations, abs=1e-4)


def test_a_long_text_is_read_in_windows_and_every_token_counts_once(model: Any, scorer: Scorer) -> None:
    """The last window sees as much as fits, as lm-evaluation-harness has it."""
    tokenizer = byte_tokenizer()
    text = "".join(chr(97 + place * place % 26) for place in range(LENGTH + 100))
    tokens = [tokenizer.eos_token_id, *tokenizer(text)["input_ids"]]
    first = logits_after(model, tokens[:LENGTH])[torch.arange(LENGTH), tokens[1 : LENGTH + 1]]
    last = logits_after(model, tokens[100 : LENGTH + 100])[torch.arange(LENGTH - 100, LENGTH), tokens[-100:]]

    ((_, found),) = scorer.token_statistics([text])

    assert found.log_probabilities == pytest.approx([*first.tolist(), *last.tolist()], abs=1e-3)


def test_a_token_that_cannot_come_does_not_spoil_the_statistics() -> None:
    logits = torch.tensor([[0.0, 0.0, -math.inf]])
    values = statistics._values(logits, torch.tensor([0]), torch.tensor([1]), has_moments=True)

    assert values[0].tolist() == pytest.approx([-math.log(2), 0.0, -math.log(2), 0.0], abs=1e-6)


def test_the_self_check_compares_both_ways(scorer: Scorer) -> None:
    check = compare(scorer, REQUESTS, never)

    assert check is not None
    assert check.has_passed
    assert (check.n, check.n_flipped) == (3, 0)
    assert 0 <= check.largest_difference < 1e-3
    assert scorer.method().scheme == "shared prefixes"


def test_a_failed_self_check_falls_back_to_plain_rows(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = Computation.hidden

    def off(self: Any, batch: Any, stem: Any) -> Any:
        return hidden(self, batch, stem) * (1.0 if batch.sees is None else 1.5)

    monkeypatch.setattr(Computation, "hidden", off)
    check = compare(scorer, REQUESTS, never)
    monkeypatch.undo()

    assert check is not None
    assert not check.has_passed
    assert check.largest_difference > 1e-3
    assert scorer.method().scheme == "plain rows"
    assert "in the self-check" in scorer.method().reason
    again = compare(scorer, REQUESTS, never)
    assert again is not None
    assert again.largest_difference == 0


def test_a_self_check_that_is_told_to_stop_gives_no_verdict(scorer: Scorer) -> None:
    asked = iter((False, True))

    assert compare(scorer, REQUESTS, lambda: next(asked, True)) is None
    assert scorer.method().scheme == "shared prefixes"


@pytest.fixture
def engine(tiny_model: Path, tmp_path: Path) -> Iterator[HuggingFaceEngine]:
    with contextlib.closing(load("huggingface", tiny_model, tmp_path, {"device": "cpu"})) as loaded:
        assert isinstance(loaded, HuggingFaceEngine)
        yield loaded


async def test_scores_and_battles_do_not_disturb_each_other(engine: HuggingFaceEngine) -> None:
    alone = dict(engine.loglikelihoods(REQUESTS))
    answer = await events_of(engine, "hello", temperature=0, max_new_tokens=48)

    together, *answers = await asyncio.gather(
        asyncio.to_thread(lambda: [dict(engine.loglikelihoods(REQUESTS)) for _ in range(5)]),
        *(events_of(engine, "hello", temperature=0, max_new_tokens=48) for _ in range(3)),
    )

    assert together == [alone] * 5
    assert answers == [answer] * 3


def test_eight_bits_are_scored_both_ways_alike(tiny_model: Path, tmp_path: Path) -> None:
    with contextlib.closing(load("huggingface", tiny_model, tmp_path, {"quantization": "int8-dynamic"})) as loaded:
        check = loaded.check_scores(REQUESTS)

    assert check is not None
    assert check.has_passed


def test_closing_the_engine_ends_its_scores(engine: HuggingFaceEngine) -> None:
    scores = engine.loglikelihoods(REQUESTS)
    engine.close()

    with pytest.raises(GenerationFailed, match="closed"):
        list(scores)
    with pytest.raises(GenerationFailed, match="closed"):
        engine.loglikelihoods(REQUESTS)
