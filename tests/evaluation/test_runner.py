import math

import pytest

from evaluation.aggregation import summarise
from evaluation.benchmarks.base import Options
from evaluation.benchmarks.private import PrivateExactMatch
from evaluation.benchmarks.registry import BENCHMARKS, benchmark
from evaluation.datasets import DataKind, from_folder, from_samples
from evaluation.errors import InvalidOptions
from evaluation.prompts import Template
from evaluation.runner import evaluate, prepare
from llms.engines.base import Completion, FinishReason, PromptTooLong, Usage
from tests.helpers.hash_engine import HashEngine


def sampled(name, limit=None, **options):
    found = benchmark(name)
    chosen = Options(**{"template": found.templates[0], **options})
    return prepare(found, from_samples(found, with_pool=True), chosen, limit=limit)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_sample_is_scored_once_in_whatever_order_the_engine_answers(name):
    prepared = sampled(name)

    scores = list(evaluate(prepared, HashEngine()))

    assert sorted(score.sample_id for score in scores) == sorted(sample.id for sample in prepared.samples)
    by_id = {sample.id: sample for sample in prepared.samples}
    for score in scores:
        assert score.error == ""
        assert [choice.text for choice in score.choices] == list(by_id[score.sample_id].choices)
        assert score.values.keys() >= score.predictions.keys()


def test_choices_keep_their_places_where_each_has_a_request_of_its_own():
    prepared = sampled("winogrande", limit=1)
    contexts = [prompt.as_text() for prompt in prepared.benchmark.prompts(prepared.samples[0], ())]
    engine = HashEngine(scores=lambda context, text: -1.0 if context == contexts[1] else -2.0)

    [score] = evaluate(prepared, engine)

    assert [choice.log_probability for choice in score.choices] == [-2.0, -1.0]
    assert score.prompts == tuple(contexts)
    assert score.predictions == {"acc": 1}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_run_that_goes_on_asks_for_the_rest_only_and_asks_it_alike(name):
    options = {"n_shots": 2} if name not in ("perplexity", "mmlu", "ifeval") else {}
    prepared = sampled(name, **options)
    whole = {score.sample_id: score for score in evaluate(prepared, HashEngine())}
    done = set(sorted(whole)[::3])
    engine = HashEngine()

    rest = {score.sample_id: score for score in evaluate(prepared, engine, done=done)}

    assert rest.keys() == whole.keys() - done
    assert all(whole[name] == score for name, score in rest.items())
    assert list(evaluate(prepared, engine, done=whole)) == []
    assert prepared.protocol == sampled(name, **options).protocol


def test_closing_stops_the_engine_between_samples():
    engine = HashEngine()
    scores = evaluate(sampled("piqa"), engine)

    next(scores)
    scores.close()

    assert (engine.n_given, engine.closed) == (1, True)


def test_a_limit_counts_in_each_subject():
    prepared = sampled("mmlu", limit=2)

    assert [sample.id for sample in prepared.samples][:3] == [
        "high_school_biology/0",
        "high_school_biology/1",
        "high_school_geography/0",
    ]
    assert len(prepared.samples) == 8
    assert not prepared.protocol.is_whole


def test_a_model_that_gives_no_numbers_is_an_error_and_no_answer():
    scores = list(evaluate(sampled("piqa", limit=3), HashEngine(scores=lambda context, text: math.nan)))

    assert {score.error for score in scores} == {"The model gave no usable log-probability (not a number)."}
    summary = summarise(benchmark("piqa"), scores)
    assert (summary.headline, summary.n_errors, summary.n_scored) == (None, 3, 0)
    [score, *_] = evaluate(sampled("perplexity", limit=1), HashEngine(scores=lambda context, text: math.nan))
    assert (score.error != "", score.values) == (True, {})


def test_an_impossible_choice_is_not_taken():
    engine = HashEngine(scores=lambda context, text: -math.inf if "pour" in text else -5.0)

    scores = list(evaluate(sampled("piqa"), engine))

    assert not any(score.error for score in scores)


def test_what_was_cut_off_is_counted():
    prepared = sampled("piqa")
    word = prepared.samples[3].questions[0].split("\n")[0]

    summary = summarise(prepared.benchmark, evaluate(prepared, HashEngine(truncated=[word])))

    assert summary.n_truncated == 1


def test_a_chat_template_takes_the_delimiter_away():
    prepared = sampled("mmlu", limit=1, n_shots=1, template=Template.CHAT)
    engine = HashEngine(render=lambda messages: " | ".join(message.role for message in messages))

    list(evaluate(prepared, engine))

    assert engine.asked[0].context == "system | user | assistant | user"
    assert engine.asked[0].continuations == ("A", "B", "C", "D")
    with pytest.raises(InvalidOptions, match="Only the model's server knows its chat template"):
        evaluate(prepared, HashEngine())


# --- answers that are written


class WritingEngine(HashEngine):
    def __init__(self, answers):
        super().__init__()
        self._answers = answers

    def generate(self, conversations, sampling):
        assert sampling.is_greedy
        self.asked.append(len(conversations))
        found = [self._answers[conversation[-1].content] for conversation in conversations]
        if None in found:
            raise PromptTooLong("too long")
        return [Completion(text, reason, Usage(None, None)) for text, reason in found]


def test_written_answers_are_compared_and_one_that_does_not_fit_costs_no_other(row_set):
    rows = [{"id": f"q{i}", "question": f"Question {i}?", "answer": ["27", "27 days"]} for i in range(20)]
    stop, length = FinishReason.STOP, FinishReason.LENGTH
    answers = {f"Question {i}?": ("The answer is: 27 Days.", stop) for i in range(20)}
    answers |= {"Question 3?": None, "Question 4?": ("28", stop), "Question 5?": ("27 and then", length)}
    prepared = prepare(PrivateExactMatch("own", "Ours"), row_set(rows, kind=DataKind.PRIVATE), Options(template="chat"))
    engine = WritingEngine(answers)

    scores = {score.sample_id: score for score in evaluate(prepared, engine)}

    assert engine.asked == [16, *[1] * 16, 4]
    assert scores["q3"].error == "The prompt does not fit the model's context."
    assert [scores[f"q{i}"].values.get("exact_match") for i in range(3, 7)] == [None, 0.0, 0.0, 1.0]
    assert scores["q5"].was_truncated
    assert scores["q0"].prompts == ("user: Question 0?",)
    summary = summarise(prepared.benchmark, scores.values())
    assert (summary.headline.value, summary.headline.n, summary.n_errors) == (17 / 19, 19, 1)


def test_a_private_set_shows_others_of_its_items_as_examples(row_set):
    rows = [{"id": f"q{i}", "question": f"Question {i}?", "answer": f"{i}"} for i in range(4)]

    prepared = prepare(
        PrivateExactMatch("own", "Ours"), row_set(rows, kind=DataKind.PRIVATE), Options(template="chat", n_shots=2)
    )

    assert [[shot.id for shot in shots] for shots in prepared.shots][:2] == [["q1", "q2"], ["q0", "q2"]]


def test_the_public_rows_are_whole_and_may_be_ranked(public_rows):
    found = benchmark("arc_challenge")

    whole = prepare(found, from_folder(found, public_rows), Options())
    part = prepare(found, from_folder(found, public_rows), Options(), limit=100)

    assert whole.protocol.may_be_ranked
    assert not part.protocol.may_be_ranked
    assert "only 100 rows" in part.protocol.summary
