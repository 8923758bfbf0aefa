"""A small run of bench/coverage.py, in a band wide enough that chance leaves it once in many thousand runs."""

import json

import numpy as np
import pytest

from bench.coverage import Tally, cases, main, run, simulate, table

N_SETS = 150
RATED = [name for name in cases(1) if "confidence sequence" not in name]


@pytest.mark.parametrize("name", [name for name in RATED if not name.startswith("the same")])
def test_intervals_hold_the_truth_as_often_as_they_say(name):
    tally = simulate(N_SETS * (1 if cases(2)[name].n_sets == 2 else 2), only=name)[name]

    share = np.array(tally.held["ratings"]) / tally.n_sets
    assert tally.n_sets == N_SETS
    assert 0.93 < share.mean() < 0.97
    assert share.min() > 0.86
    for of_all in ("all ranks", "tie parameter", "coefficients"):
        assert np.min(tally.held.get(of_all, N_SETS)) / N_SETS > 0.88


def test_a_rare_model_is_held_less_often_by_arena_ranks_formula():
    tally = simulate(2 * N_SETS, only="arena-rank")["the same, arena-rank's formula"]

    assert tally.held["ratings"][-3] / tally.n_sets < 0.9


@pytest.mark.parametrize("name", [name for name in cases(1) if "confidence sequence" in name])
def test_equals_are_seldom_taken_for_unequal(name):
    tally = simulate(2 * 60, only=name)[name]

    assert tally.held["never crossed"][0] >= 0.9 * 60


def test_a_run_that_was_broken_off_is_gone_on_from(tmp_path):
    state = tmp_path / "state.json"
    name = "30 % ties, all pairs alike"
    half = simulate(4, state=state, only=name)[name]
    assert json.loads(state.read_text())[name] == [4, half.held]

    on = simulate(6, state=state, only=name)[name]

    assert on == run(name, cases(6)[name], Tally(0, {}))
    assert on.n_sets == 6


def test_it_prints_a_table(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["coverage.py", "--sets", "2", "--only", "uniform pairs or none"])
    main()
    assert capsys.readouterr().out.startswith("| simulated | sets |")
    text = table({"some case": Tally(4, {"ratings": [4, 3, 2, 4], "other": [1]})})
    assert text.splitlines()[-1] == "| some case | 4 | 0.500 - 1.000 | 0.750, 0.500, 1.000 | other 0.250 |"
