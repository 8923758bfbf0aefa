import math

import pytest

from evaluation.aggregation import Scope, summarise
from evaluation.benchmarks.registry import benchmark
from evaluation.scores import SampleScore


def answer(right, subject="", number=0):
    return SampleScore(sample_id=str(number), subject=subject, prompts=("p",), target=0, values={"acc": float(right)})


def text(nats, n_bytes=100, n_words=20):
    values = {"log_probability": -nats, "n_bytes": n_bytes, "n_words": n_words, "n_tokens": 30}
    return SampleScore(sample_id="0", subject="", prompts=("p",), target=(), values=values)


def test_nothing_scored_is_no_number():
    summary = summarise(benchmark("mmlu"), [])

    assert (summary.headline, summary.metrics, summary.n_scored) == (None, (), 0)


def test_a_share_has_wilsons_interval_and_the_standard_error_of_a_mean():
    metric = summarise(benchmark("winogrande"), [answer(i < 81) for i in range(263)]).headline

    assert (metric.value, metric.n) == (81 / 263, 263)
    assert (metric.lower, metric.upper) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert metric.standard_error == pytest.approx(math.sqrt(81 / 263 * 182 / 263 / 262))
    assert metric.label == "mean over all questions"


def test_micro_and_macro_are_told_apart():
    scores = [answer(True, "anatomy") for _ in range(9)] + [answer(False, "virology")]

    found = {(metric.scope, metric.part): metric for metric in summarise(benchmark("mmlu"), scores).metrics}

    assert found[Scope.ALL, ""].value == 0.9
    assert found[Scope.SUBJECTS, ""].value == 0.5
    assert found[Scope.SUBJECTS, ""].standard_error is None  # of a single question nothing is known
    assert found[Scope.GROUP, "stem"].value == 1.0
    assert found[Scope.GROUP_SUBJECTS, "other"].n == 1
    assert found[Scope.SUBJECT, "virology"].standard_error is None
    assert found[Scope.GROUP, "stem"].label == "stem: mean over its questions"
    assert (Scope.GROUP, "humanities") not in found


def test_one_question_a_subject_leaves_nothing_to_pool():
    scores = [answer(True, "anatomy"), answer(False, "virology")]

    assert summarise(benchmark("mmlu"), scores).headline.standard_error is None


def test_subjects_of_a_private_set_are_shown_as_well():
    scores = [answer(i % 2, subject) for subject in ("tax", "leave") for i in range(4)]

    scopes = [metric.scope for metric in summarise(benchmark("winogrande"), scores).metrics]

    assert scopes == [Scope.ALL, Scope.SUBJECTS, Scope.SUBJECT, Scope.SUBJECT]


def test_perplexities_are_lm_evaluation_harnesss(golden):
    scores = [text(-nats, n_bytes, n_words) for nats, n_bytes, n_words in golden["perplexity"]["documents"]]

    metrics = {metric.name: metric for metric in summarise(benchmark("perplexity"), scores).metrics}

    for name in ("bits_per_byte", "byte_perplexity", "word_perplexity"):
        assert metrics[name].value == pytest.approx(golden["perplexity"][name])
        assert metrics[name].lower <= metrics[name].value <= metrics[name].upper


def test_the_bootstrap_of_bits_per_byte_agrees_with_the_delta_method():
    nats = [80 + 7 * (i * 37 % 11) for i in range(200)]

    metric = summarise(benchmark("perplexity"), [text(value) for value in nats]).headline

    mean = sum(nats) / 200
    expected = math.sqrt(sum((value - mean) ** 2 for value in nats) / 199 / 200) / 100 / math.log(2)
    assert metric.standard_error == pytest.approx(expected, rel=0.06)
    assert metric == summarise(benchmark("perplexity"), [text(value) for value in nats]).headline


def test_a_text_in_one_piece_has_no_standard_error():
    metric = summarise(benchmark("perplexity"), [text(90)]).headline

    assert (metric.standard_error, metric.lower, metric.upper) == (None, None, None)


def test_infinite_perplexity_is_shown_without_an_interval():
    metrics = summarise(benchmark("perplexity"), [text(1e6), text(90)]).metrics

    assert metrics[1].value == math.inf
    assert metrics[1].standard_error is None
