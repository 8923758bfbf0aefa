"""IFEval asked of a model gives what scoring the same responses from a file gives."""

import pytest

from evaluation.aggregation import summarise
from evaluation.benchmarks.base import Options
from evaluation.benchmarks.registry import benchmark
from evaluation.datasets import SAMPLES_FOLDER, DataKind, RowSet, from_folder, from_samples
from evaluation.errors import InvalidOptions
from evaluation.prompts import Template
from evaluation.runner import evaluate, prepare
from evaluation.scoring.instructions.checking import INSTRUCTIONS, MOST_CHARACTERS
from evaluation.scoring.recorded.ifeval import score
from evaluation.scoring.recorded.report import Sources
from llms.engines.base import Completion, FinishReason, Usage
from tests.helpers.hash_engine import HashEngine

IFEVAL = benchmark("ifeval")
METRICS = ("prompt_level_strict_acc", "inst_level_strict_acc", "prompt_level_loose_acc", "inst_level_loose_acc")
QUOTED = {
    "key": 1,
    "prompt": "Quote three words.",
    "instruction_id_list": ["startend:quotation", "length_constraints:number_words"],
    "kwargs": [{"num_words": None}, {"num_words": 3, "relation": "at least"}],
}


class Writer(HashEngine):
    """Writes what it is told to, and remembers how it was asked."""

    def __init__(self, *answers):
        super().__init__()
        self._answers = list(answers)

    def generate(self, conversations, sampling):
        self.asked.append(sampling)
        return [Completion(self._answers.pop(0), FinishReason.STOP, Usage(1, 1)) for _ in conversations]


def asked(engine, *rows):
    prepared = prepare(IFEVAL, RowSet(kind=DataKind.PRIVATE, source="here", rows=rows), IFEVAL.default_options)
    return list(evaluate(prepared, engine))


def test_a_run_and_a_file_of_the_same_responses_give_the_same_metrics():
    prepared = prepare(IFEVAL, from_samples(IFEVAL), IFEVAL.default_options)
    scores = list(evaluate(prepared, HashEngine()))
    rows = [{"key": one.sample_id, "response": one.answer} for one in scores]
    recorded = score(rows, Sources(folder=SAMPLES_FOLDER)).metrics

    found = {metric.name: metric for metric in summarise(IFEVAL, scores).metrics}

    assert recorded["n_scored"] == 20
    assert 0 < recorded["inst_level_strict_acc"] < 1
    for name in METRICS:
        assert found[name].value == pytest.approx(recorded[name])
        assert found[name].standard_error == pytest.approx(recorded[f"{name}_stderr"])
        assert found[name].lower <= found[name].value <= found[name].upper


def test_a_prompt_counts_whole_and_loosely_its_first_line_may_go():
    [one] = asked(Writer('Sure:\n"one two three"'), QUOTED)

    assert one.values == {
        "prompt_level_strict_acc": 0, "prompt_level_loose_acc": 1, "n_strict": 1, "n_loose": 2, "n_instructions": 2,
    }  # fmt: skip
    assert one.sample_id == "1"


def test_answers_are_greedy_and_as_long_as_in_the_published_scores():
    engine = Writer("x")
    asked(engine, QUOTED)

    assert (engine.asked[0].temperature, engine.asked[0].max_new_tokens) == (0, 1280)
    prepared = prepare(IFEVAL, from_samples(IFEVAL), IFEVAL.default_options)
    assert ("max_new_tokens", "1280") in prepared.protocol.extras


def test_an_empty_answer_is_wrong_and_one_that_cannot_be_checked_is_an_error():
    scores = asked(Writer("", "x" * (MOST_CHARACTERS + 1)), QUOTED, {**QUOTED, "key": 2})
    summary = summarise(IFEVAL, scores)

    assert scores[0].values["n_strict"] == 0
    assert "at most 200000 can be checked" in scores[1].error
    assert (summary.n_scored, summary.n_errors) == (1, 1)
    assert [metric.standard_error for metric in summary.metrics if metric.name == "inst_level_strict_acc"] == [None]


def test_the_built_in_prompts_use_every_kind_of_instruction():
    samples = IFEVAL.samples(from_samples(IFEVAL).rows)

    assert {kind for sample in samples for kind, _ in sample.instructions} == set(INSTRUCTIONS)


def test_the_built_in_prompts_are_not_the_published_ones(public_rows):
    published = {sample.questions for sample in IFEVAL.samples(from_folder(IFEVAL, public_rows).rows)}

    assert not published & {sample.questions for sample in IFEVAL.samples(from_samples(IFEVAL).rows)}


@pytest.mark.parametrize("options", [Options(template=Template.CHAT, n_shots=1), Options(template=Template.OFF)])
def test_it_is_asked_without_examples_and_as_a_message(options):
    with pytest.raises(InvalidOptions):
        IFEVAL.check(options)


def test_what_is_not_generated_is_not_judged():
    piqa = benchmark("piqa")
    with pytest.raises(NotImplementedError, match="piqa is not scored by what a model writes"):
        piqa.judged(piqa.samples(from_samples(piqa).rows)[0], "an answer")
