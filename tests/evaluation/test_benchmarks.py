"""The contract of every entry of the registry, and what is particular about each."""

import json
from collections import Counter

import pytest

from evaluation.benchmarks.base import Benchmark, Capability, Draw, Method, Options
from evaluation.benchmarks.hellaswag import cleaned
from evaluation.benchmarks.registry import BENCHMARKS, benchmark, benchmark_choices
from evaluation.benchmarks.winogrande import FULL, PARTIAL
from evaluation.datasets import from_folder, from_samples
from evaluation.errors import BadRow, BadRows, InvalidOptions, UnknownBenchmark
from evaluation.prompts import Template
from evaluation.runner import prepare, requests

CHOOSING = [name for name in BENCHMARKS if benchmark(name).method is Method.LOGLIKELIHOOD]
GOOD = {
    "mmlu": {"question": "Q?", "subject": "anatomy", "choices": ["a", "b", "c", "d"], "answer": 2},
    "hellaswag": {
        "activity_label": "Act",
        "ctx_a": "One.",
        "ctx_b": "two",
        "endings": ["a", "b", "c", "d"],
        "label": "1",
    },
    "arc_challenge": {"question": "Q?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"},
    "winogrande": {"sentence": "So _ did.", "option1": "Ada", "option2": "Bo", "answer": "1"},
    "piqa": {"goal": "To", "sol1": "a", "sol2": "b", "label": 1},
    "ifeval": {"key": 1, "prompt": "P", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    "perplexity": {"text": "Words."},
}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_says_what_it_is(name):
    found = benchmark(name)

    assert isinstance(found, Benchmark)
    assert found.name == name
    assert found.version >= 1
    assert found.capability in Capability
    assert found.headline in found.metrics
    assert all([found.card.title, found.card.measures, found.card.licence, found.card.paper, *found.card.known_faults])
    found.check(found.default_options)
    if found.hub:
        assert len(found.hub.revision) == 40
        assert {found.scored_split, found.shot_split} <= found.hub.files.keys() & found.n_rows.keys()
    assert set(found.fields) >= GOOD[name].keys() - {"ind"}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_reads_a_good_row_and_names_each_field_that_is_missing(name):
    found = benchmark(name)
    found.parse(GOOD[name], found.variant_of(Options()))

    for field in GOOD[name].keys() - {"ctx_b"}:
        row = {key: value for key, value in GOOD[name].items() if key != field}
        with pytest.raises(BadRow, match=field):
            found.parse(row, found.variant_of(Options()))


@pytest.mark.parametrize("value", [[], 7, "", " ", "\ud800", {}, ["x"] * 40, "Z"])
@pytest.mark.parametrize("name", BENCHMARKS)
def test_no_value_of_a_strangers_row_is_more_than_a_bad_row(name, value):
    found = benchmark(name)

    for field in GOOD[name]:
        row = {**GOOD[name], field: value}
        try:
            found.parse(row, found.variant_of(Options()))
        except BadRow as error:
            words = error.user_message
        else:
            continue
        assert any(name in words for name in (field, "ending", "subject", "text", "label"))


def test_bad_rows_are_counted_and_the_first_is_named():
    rows = [GOOD["piqa"], {**GOOD["piqa"], "label": "3"}, {"goal": "x"}]

    with pytest.raises(BadRows, match=r"2 rows of piqa cannot be used; row 2: “label” must be one of 0, 1, not '3'"):
        benchmark("piqa").samples(rows)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownBenchmark, match="“mmul”; known are arc_challenge, hellaswag, ifeval, mmlu"):
        benchmark("mmul")

    assert ("mmlu", "MMLU") in benchmark_choices()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("winogrande", Options(template=Template.CHAT), "chat template “chat”: choose one of off"),
        ("winogrande", Options(variant="half"), "variant “half”: choose one of partial, full"),
        ("piqa", Options(variant="full"), "variant “full”"),
        ("mmlu", Options(n_shots=5, draw=Draw.LM_EVAL), "draw of shots “lm_eval”: choose one of first"),
        ("perplexity", Options(n_shots=1), "draw of shots “first”"),
        ("mmlu", Options(n_shots=-1), "cannot be negative"),
    ],
)
def test_it_refuses_options_that_a_benchmark_does_not_have(name, options, words):
    with pytest.raises(InvalidOptions, match=words):
        benchmark(name).check(options)


# --- the built-in samples


@pytest.mark.parametrize("name", CHOOSING)
def test_the_built_in_samples_are_twenty_and_use_every_place_alike(name):
    found = benchmark(name)
    rows = from_samples(found, with_pool=True)

    samples, pool = found.samples(rows.rows), found.samples(rows.pool)

    n_choices = len(samples[0].choices)
    assert len(samples) == 20
    assert Counter(sample.target for sample in samples) == dict.fromkeys(range(n_choices), 20 // n_choices)
    assert len({sample.digest for sample in (*samples, *pool)}) == len(samples) + len(pool)
    assert len({sample.questions + sample.choices for sample in samples}) == 20
    assert all(len(set(sample.choices)) == n_choices for sample in samples if len(sample.questions) == 1)
    assert len({sample.id for sample in samples}) == 20


def test_the_built_in_texts_are_twenty_different_ones():
    texts = [row["text"] for row in from_samples(benchmark("perplexity")).rows]

    assert len(set(texts)) == 20
    assert min(map(len, texts)) > 200


@pytest.mark.parametrize("name", CHOOSING)
def test_the_built_in_samples_are_not_the_public_rows(name, public_rows):
    found = benchmark(name)
    own, public = from_samples(found), from_folder(found, public_rows)

    def words(row):
        return json.dumps([row.get(key) for key in ("question", "ctx_a", "goal", "sentence")]).casefold()

    assert not {words(row) for row in own.rows} & {words(row) for row in public.rows}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_built_in_samples_make_every_benchmark_runnable_with_its_default_options(name):
    found = benchmark(name)

    prepared = prepare(found, from_samples(found, with_pool=True), found.default_options)

    assert len(prepared.samples) == 20
    assert not prepared.protocol.may_be_ranked
    assert "built-in sample of 20 rows" in prepared.protocol.summary


# --- particulars


def test_all_public_rows_are_read_with_the_published_counts(public_rows):
    expected = {
        "mmlu": 14_042,
        "hellaswag": 10_042,
        "arc_challenge": 1172,
        "winogrande": 1267,
        "piqa": 1838,
        "ifeval": 541,
    }

    for name, n in expected.items():
        found = benchmark(name)
        samples = found.samples(from_folder(found, public_rows).rows)
        assert len(samples) == n == found.n_rows[found.scored_split]
        assert len({sample.id for sample in samples}) == n


def test_mmlus_subjects_are_all_there(public_rows):
    found = benchmark("mmlu")
    samples = found.samples(from_folder(found, public_rows).rows)

    assert Counter(found.subjects.group_of.values()) == {
        "stem": 19,
        "humanities": 13,
        "social_sciences": 12,
        "other": 13,
    }
    assert {sample.subject for sample in samples} == found.subjects.group_of.keys()


def test_a_row_is_called_by_its_place_in_its_subject_wherever_the_subject_stands():
    anatomy, law = ({**GOOD["mmlu"], "subject": subject} for subject in ("anatomy", "virology"))

    found = benchmark("mmlu").samples([law, anatomy, {**law, "question": "R?"}])

    assert [sample.id for sample in found] == ["anatomy/0", "virology/0", "virology/1"]


def test_three_spaces_become_two_as_they_do_for_everybody():
    assert cleaned("  a   b  [step] c [title] d") == "a  b  c. d"


def test_winogrande_scores_the_rest_only_or_the_option_too():
    found, row = benchmark("winogrande"), {**GOOD["winogrande"], "sentence": "The Moon: _ shines (_)."}

    [partial], [full] = (found.samples([row], variant=variant) for variant in (PARTIAL, FULL))

    assert [(request.context, request.continuations) for request in requests(found, partial, ())] == [
        ("The Moon: Ada", (" shines (_).",)),
        ("The Moon: Bo", (" shines (_).",)),
    ]
    assert [(request.context, request.continuations) for request in requests(found, full, ())] == [
        ("The Moon:", (" Ada shines (_).", " Bo shines (_)."))
    ]


def test_a_blank_inside_a_word_is_scored_without_a_space():
    row = {**GOOD["winogrande"], "sentence": "(_ went home.)"}
    found = benchmark("winogrande")

    [sample] = found.samples([row], variant=FULL)

    assert requests(found, sample, ())[0].continuations == ("Ada went home.)", "Bo went home.)")
