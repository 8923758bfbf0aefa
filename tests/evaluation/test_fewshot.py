import pytest

from evaluation.benchmarks.base import Draw, Options
from evaluation.benchmarks.registry import benchmark
from evaluation.errors import InvalidOptions
from evaluation.fewshot import shots_of


def piqa(*goals):
    return benchmark("piqa").samples([{"goal": goal, "sol1": "a", "sol2": "b", "label": 0} for goal in goals])


def goals_of(shots):
    return ["".join(shot.questions[0].split()[1] for shot in row) for row in shots]


def drawn(samples, pool, **options):
    return goals_of(shots_of(benchmark("piqa"), samples, pool, Options(**options)))


def test_the_first_rows_are_shown_to_all():
    assert drawn(piqa("x", "y"), piqa(*"abcd"), n_shots=2) == ["ab", "ab"]


def test_a_fixed_draw_is_the_same_for_all_and_another_with_another_seed():
    samples, pool = piqa("x", "y"), piqa(*"abcdefghij")

    first, second = drawn(samples, pool, n_shots=3, draw=Draw.FIXED)

    assert first == second
    assert drawn(samples, pool, n_shots=3, draw=Draw.FIXED) == [first, second]
    assert drawn(samples, pool, n_shots=3, draw=Draw.FIXED, seed=1) != [first, second]


@pytest.mark.parametrize("draw", Draw)
def test_a_sample_is_never_its_own_example(draw):
    pool = piqa(*"abcdef")

    for goal, shots in zip("abcdef", drawn(pool, pool, n_shots=4, draw=draw), strict=True):
        assert len(set(shots)) == 4
        assert goal not in shots


def test_lm_evaluation_harnesss_draws_differ_from_sample_to_sample():
    samples, pool = piqa(*"uvwxyz"), piqa(*"abcdefghij")

    assert len(set(drawn(samples, pool, n_shots=3, draw=Draw.LM_EVAL))) > 3


def test_a_pool_that_is_too_small_is_named():
    with pytest.raises(InvalidOptions, match="2 rows to draw examples from here, and 3 are needed"):
        drawn(piqa("x"), piqa("a", "b"), n_shots=3)
    with pytest.raises(InvalidOptions, match="and 4 are needed"):
        drawn(piqa("x"), piqa("a", "b", "c"), n_shots=3, draw=Draw.LM_EVAL)
    with pytest.raises(InvalidOptions, match="and 3 are needed"):
        drawn(piqa("a"), piqa("a", "b"), n_shots=2)


def test_a_subject_draws_from_itself():
    def rows(*subjects):
        return [
            {"question": f"{s} {i}", "subject": s, "choices": list("abcd"), "answer": 0} for i, s in enumerate(subjects)
        ]

    found = benchmark("mmlu")
    samples, pool = found.samples(rows("anatomy", "virology")), found.samples(rows("virology", "anatomy"))

    shots = list(shots_of(found, samples, pool, Options(n_shots=1)))

    assert [[shot.subject for shot in row] for row in shots] == [["anatomy"], ["virology"]]
