from dataclasses import fields, replace

import pytest
from django.utils import translation

from evaluation.benchmarks.base import Draw, Method, Options
from evaluation.benchmarks.registry import benchmark
from evaluation.datasets import DataKind, RowSet
from evaluation.prompts import Template
from evaluation.protocols import Protocol, differences, in_words
from evaluation.published import comparable_with
from evaluation.runner import prepare
from llms.sentences import Sentence
from llms.translations import translated

POOL = [{"goal": f"pool {i}", "sol1": "a", "sol2": "b", "label": 0} for i in range(40)]


def rows(n=1838, first=0):
    return [{"goal": f"To {i}", "sol1": "a", "sol2": "b", "label": i % 2} for i in range(first, first + n)]


def protocol(name="piqa", *, scored=None, pool=POOL, limit=None, **options):
    row_set = RowSet(kind=DataKind.PUBLISHED, source="here", rows=rows() if scored is None else scored, pool=pool)
    return prepare(benchmark(name), row_set, Options(**options), limit=limit).protocol


@pytest.fixture(scope="module")
def plain():
    return protocol()


CHANGES = {
    "benchmark": "mmlu", "version": 9, "data": DataKind.SAMPLE, "rows_digest": "x", "n_rows": 3, "is_whole": False,
    "n_shots": 4, "draw": "first", "seed": 3, "shots_digest": "x", "template": "chat", "variant": "full",
    "prompt_form": "another", "normalisation": "tokens", "method": "letters", "extras": (("judge", "x"),),
}  # fmt: skip


@pytest.mark.parametrize("field", [field.name for field in fields(Protocol)])
def test_any_difference_makes_another_column_and_is_said_in_words(plain, field):
    other = replace(plain, **{field: CHANGES[field]})

    assert other.column("acc") != plain.column("acc")
    if field != "is_whole":  # which cannot differ alone
        assert differences(plain, other)
    assert differences(plain, plain) == ()


def test_two_metrics_never_share_a_column(plain):
    assert plain.column("acc") != plain.column("acc_norm")


def test_the_fingerprint_is_stable_across_processes(plain):
    assert plain.fingerprint == "b1a55ee8a8b6680f"
    assert protocol().fingerprint == plain.fingerprint


def test_the_same_first_examples_are_the_same_protocol_however_long_the_pool():
    assert protocol(n_shots=2, pool=POOL[:5]) == protocol(n_shots=2)
    assert protocol(n_shots=2, pool=POOL[1:]).fingerprint != protocol(n_shots=2).fingerprint
    assert "other examples" in differences(protocol(n_shots=2, pool=POOL[1:]), protocol(n_shots=2))


def test_a_seed_counts_only_where_something_is_drawn():
    assert protocol(seed=1).fingerprint == protocol(seed=2).fingerprint
    assert protocol(n_shots=1, seed=1) == protocol(n_shots=1, seed=2)
    assert protocol(n_shots=1, seed=1, draw=Draw.FIXED) != protocol(n_shots=1, seed=2, draw=Draw.FIXED)


def test_differences_are_sentences():
    found = differences(protocol(limit=100), protocol(n_shots=2))

    assert found == (
        "another number of rows: 100 and 1838",
        "another number of examples in the prompt: 0 and 2",
        "examples chosen by another rule: – and the first rows",
    )
    assert differences(protocol(), protocol(scored=rows(first=1))) == ("other rows, as many of them",)


def test_what_is_stored_is_said_in_words_of_the_readers_language():
    shots = protocol(n_shots=3)
    assert str(shots.summary) == "piqa v1, 3-shot (the first rows), without chat template, all 1838 rows"
    (told,) = differences(protocol(), replace(protocol(), data=DataKind.PRIVATE))
    assert told == "other data: published rows and private rows"
    with translation.override("tr"):
        said = translated(shots.summary)
        assert "(ilk satırlar)" in said
        assert "tüm 1.838 satır" in said
        assert "yayımlanmış satırlar ve özel satırlar" in translated(told)


@pytest.mark.parametrize(
    ("field", "values"), [("data", DataKind), ("draw", Draw), ("template", Template), ("method", Method)]
)
def test_every_value_has_words(field, values):
    assert all(isinstance(in_words(field, value), Sentence) for value in values)


def test_a_value_without_words_stays_as_it_is_stored():
    assert in_words("method", "letters") == "letters"
    assert in_words("prompt_form", "lighteval: 100%(sure)") == "lighteval: 100%(sure)"


def test_rows_that_are_not_all_there_are_never_ranked():
    assert not protocol(scored=rows(100)).may_be_ranked
    assert not protocol(limit=100).may_be_ranked
    assert protocol().may_be_ranked


def test_it_says_which_published_scores_one_is_comparable_with():
    exact = comparable_with(protocol(n_shots=3, draw=Draw.LM_EVAL))
    other = comparable_with(protocol(n_shots=3, limit=50))

    assert [(match.setup.name, match.caveats) for match in exact] == [("lm-evaluation-harness 0.4", ())]
    assert other[0].caveats == ("only 50 of its rows are scored here", "it shows other examples in the prompt")
    assert comparable_with(replace(protocol(), data=DataKind.SAMPLE)) == ()


def test_mmlu_with_five_examples_is_the_harnesss_the_leaderboards_and_nearly_hendrycks(plain):
    mmlu = replace(plain, benchmark="mmlu", n_shots=5, draw="first", n_rows=14_042)

    found = {match.setup.name: (match.setup.note, match.caveats) for match in comparable_with(mmlu)}

    assert found["lm-evaluation-harness 0.4"] == ("mean over all questions", ())
    assert found["Open LLM Leaderboard v1"] == ("mean over subjects", ())
    assert found["hendrycks/test"][1] == ("its prompt has two spaces after “about” where ours has one",)


def test_full_scoring_of_winogrande_is_lightevals_and_never_the_harnesss(plain):
    winogrande = replace(plain, benchmark="winogrande", variant="full")

    assert [match.setup.name for match in comparable_with(winogrande)] == ["lighteval"]
