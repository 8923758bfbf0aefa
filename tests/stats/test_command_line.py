import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stats.__main__ import main
from stats.number_checks import MOST_RATED
from stats.vote_options import SHOWN_BAD_ROWS

ROOT = Path(__file__).parents[2]
VOTES = "left,right,winner\n" + "x,y,left\n" * 6 + "y,x,left\n" * 3 + "x,y,tie\n" * 2 + "x,y,both_bad\n"


@pytest.fixture
def votes(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text(VOTES, encoding="utf-8")
    return path


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_it_prints_a_table_and_tells_what_it_read(votes, capsys):
    assert run(votes) == 0

    told = capsys.readouterr()
    assert told.out.splitlines()[0].split() == ["rank", "model", "rating", "95", "%", "interval", "votes"]
    assert [line.split()[1] for line in told.out.splitlines()[1:]] == ["x", "y"]
    assert told.err == "12 votes on 2 models (evalica layout).\n"


def test_it_rates_the_crowd_of_llmfao(votes_folder, capsys):
    assert run(votes_folder / "llmfao_crowd.csv") == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 60
    assert "GPT 4" in lines[1]


def test_it_writes_rows_and_a_picture(votes, tmp_path, capsys):
    assert run(votes, "--out", tmp_path / "r.json", "--plot", tmp_path / "r.svg", "--title", "Two") == 0

    rows = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in rows] == ["x", "y"]
    assert list(rows[0]) == ["name", "rating", "lower", "upper", "rank_lower", "rank_upper", "n_battles"]
    assert "<title>Two</title>" in (tmp_path / "r.svg").read_text(encoding="utf-8")


def rows_of(votes, tmp_path, *options):
    assert run(votes, "--out", tmp_path / "r.json", *options) == 0
    return {row["name"]: row for row in json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))}


def test_the_options_reach_the_fit(votes, tmp_path):
    plain = rows_of(votes, tmp_path)
    assert rows_of(votes, tmp_path, "--anchor", "y=1200")["y"]["rating"] == 1200
    assert rows_of(votes, tmp_path, "--ties", "drop")["x"]["n_battles"] == 10
    assert rows_of(votes, tmp_path, "--both-bad", "drop")["x"]["n_battles"] == 11
    assert rows_of(votes, tmp_path, "--both-bad", "loss")["x"]["rating"] != plain["x"]["rating"]
    assert rows_of(votes, tmp_path, "--confidence", "0.5")["x"]["upper"] < plain["x"]["upper"]
    assert rows_of(votes, tmp_path, "--method", "elo")["x"]["lower"] is None
    assert rows_of(votes, tmp_path, "--method", "rao-kupper")["x"]["rating"] > plain["x"]["rating"]


def test_style_needs_the_answers(votes, tmp_path, capsys):
    assert run(votes, "--style") == 1
    assert "does not hold the answers" in capsys.readouterr().err

    rng = np.random.default_rng(1)
    rows = [
        {
            "model_a": "x",
            "model_b": "y",
            **{f"winner_{key}": int(key == won) for key in ("model_a", "model_b", "tie")},
            "response_a": "word " * int(rng.integers(1, 9)),
            "response_b": "word " * int(rng.integers(1, 9)),
        }
        for won in rng.choice(["model_a", "model_b", "tie"], 200).tolist()
    ]
    path = tmp_path / "votes.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    assert run(path, "--style") == 0
    assert "One standard deviation of length is worth" in capsys.readouterr().err


def test_style_is_taken_from_the_metadata(tmp_path, capsys):
    rng = np.random.default_rng(1)
    rows = [
        {
            "model_a": "x",
            "model_b": "y",
            "winner": won,
            "conv_metadata": {"sum_assistant_a_tokens": int(a), "sum_assistant_b_tokens": int(b)},
        }
        for won, a, b in zip(rng.choice(["model_a", "model_b"], 90), *rng.integers(1, 9, (2, 90)), strict=True)
    ]
    path = tmp_path / "votes.json"
    path.write_text(json.dumps(rows), encoding="utf-8")

    assert run(path, "--style", "--plot", tmp_path / "r.svg") == 0
    assert "<title>votes.json: bradley-terry, style-controlled</title>" in (tmp_path / "r.svg").read_text("utf-8")
    told = capsys.readouterr().err
    assert "One standard deviation of length is worth" in told
    assert "No two answers differ in headers" in told
    assert "words and marks" not in told


def test_several_files_are_one_set_of_votes(votes, tmp_path, capsys):
    more = tmp_path / "more.csv"
    more.write_text("left,right,winner\nx,z,left\nx,z,?\n", encoding="utf-8")

    assert run(votes, more, "--plot", tmp_path / "r.svg") == 0
    assert f"1 row left out (row 1 is the first after a header):\n  {more}, row 2: " in capsys.readouterr().err
    assert "<title>votes.csv and 1 more: bradley-terry</title>" in (tmp_path / "r.svg").read_text(encoding="utf-8")


def test_the_votes_are_never_written_over(votes, capsys):
    assert run(votes, "--out", votes) == 1
    assert "holds the votes" in capsys.readouterr().err
    assert votes.read_text(encoding="utf-8") == VOTES


def test_a_file_that_cannot_be_written_after_all_costs_no_table(votes, tmp_path, monkeypatch, capsys):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)

    assert run(votes, "--out", tmp_path / "r.json") == 1
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 3
    assert told.err.splitlines()[-1].endswith("cannot be written: No space left on device.")


@pytest.mark.parametrize(
    "options",
    [["--style", "--method", "elo"], ["--style", "--both-bad", "loss"], ["--method", "davidson", "--ties", "drop"]],
)
def test_what_does_not_go_together_is_told_before_anything_is_read(tmp_path, capsys, options):
    assert run(tmp_path / "missing.csv", *options) == 1
    assert "missing.csv" not in capsys.readouterr().err


def test_an_anchor_may_hold_an_equals_sign(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("left,right,winner\nx=1,y,left\nx=1,y,right\n", encoding="utf-8")

    assert rows_of(path, tmp_path, "--anchor", "x=1=800")["x=1"]["rating"] == 800


def test_columns_and_words_can_be_named(tmp_path, capsys):
    path = tmp_path / "votes.csv"
    path.write_text("one,two,who\nx,y,a\nx,y,b\nx,y,draw\nx,y,?\n", encoding="utf-8")

    assert run(path, "--left", "one", "--right", "two", "--outcome", "who", "--word", "draw=tie") == 0
    assert "3 votes on 2 models (named columns layout).\n1 row left out" in capsys.readouterr().err


def test_bad_rows_are_listed_by_number(tmp_path, capsys):
    path = tmp_path / "votes.csv"
    path.write_text(VOTES + "x,y,\x1b[2J\n" * (SHOWN_BAD_ROWS + 2), encoding="utf-8")

    assert run(path) == 0
    few = capsys.readouterr().err
    assert "22 rows left out (row 1 is the first after a header):\n  row 13: the outcome '\\x1b[2J' is none" in few
    assert few.count("\n  row ") == SHOWN_BAD_ROWS
    assert "and 2 more; --bad-rows lists them all" in few

    assert run(path, "--bad-rows") == 0
    assert capsys.readouterr().err.count("\n  row ") == SHOWN_BAD_ROWS + 2


def test_remarks_cannot_move_the_cursor(tmp_path, capsys):
    path = tmp_path / "votes.csv"
    path.write_text("left,right,winner\nx\x07 ,y,left\n", encoding="utf-8")

    run(path)

    assert "\x07" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--out", "r.xlsx"], "does not end in .json or .csv or .parquet."),
        (["--method", "davidson", "--ties", "drop"], "davidson is a model of ties and cannot drop them"),
        (["--method", "elo", "--both-bad", "loss"], "Only bradley-terry knows a bar"),
        (["--method", "elo", "--anchor", "X=1"], "There is 'x'"),
        (["--plot", "r.gif"], "does not end in .svg or .png."),
        (["--anchor", "z=1"], "'z' is the name of no model"),
        (["--left", "a", "--right", "b", "--outcome", "c"], "has no column 'a'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(votes, capsys, options, sentence):
    assert run(votes, *options) == 1

    told = capsys.readouterr()
    assert told.out == ""
    assert sentence in told.err.splitlines()[-1]


@pytest.mark.parametrize(
    "options",
    [
        ["--method", "guess"],
        ["--anchor", "x"],
        ["--anchor", "=5"],
        ["--anchor", "x=nan"],
        ["--anchor", "x=much"],
        ["--word", "draw=maybe"],
        ["--word", "=tie"],
        ["--left", "a"],
        ["--left", "a", "--outcome", "b"],
        ["--confidence", "high"],
        ["--confidence", "95"],
    ],
)
def test_a_wrong_command_is_refused(votes, capsys, options):
    with pytest.raises(SystemExit) as stopped:
        run(votes, *options)

    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error(votes):
    command = [sys.executable, "-m", "stats", str(votes)]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        process.stdout.close()
        told = process.stderr.read().decode()

    assert process.returncode == 0, told
    assert "Traceback" not in told


def test_a_broken_pipe_is_swallowed(votes, monkeypatch, tmp_path):
    with (tmp_path / "out").open("w") as stream:

        class Gone:
            fileno = stream.fileno

            def write(self, text):
                raise BrokenPipeError

        monkeypatch.setattr(sys, "stdout", Gone())
        assert run(votes) == 0


def test_it_runs_as_a_module(votes, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["stats", str(votes)])
    monkeypatch.delitem(sys.modules, "stats.__main__")

    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("stats", run_name="__main__")

    assert stopped.value.code == 0
    assert "x" in capsys.readouterr().out


@pytest.mark.parametrize("chained", [True, False])
def test_more_models_than_can_be_rated_together_are_refused(tmp_path, capsys, chained):
    names = [f"m{number}" for number in range(MOST_RATED + 2)]
    pairs = (
        list(zip(names, [*names[1:], names[0]], strict=True)) if chained else zip(names[::2], names[1::2], strict=True)
    )
    path = tmp_path / "many.csv"
    path.write_text("left,right,winner\n" + "".join(f"{x},{y},left\n" for x, y in pairs), encoding="utf-8")

    for options in ([], ["--method", "davidson"], ["--both-bad", "loss"]):
        assert run(path, *options) == 1
        assert "leave out those with few votes" in capsys.readouterr().err
    assert run(path, "--method", "elo") == 0


def test_a_weight_in_the_file_is_not_passed_over_in_silence(tmp_path, capsys):
    path = tmp_path / "votes.csv"
    path.write_text("left,right,winner, Weight\nx,y,left,nan\ny,x,left,2\n", encoding="utf-8")

    assert run(path) == 0
    assert "The column ' Weight' is not used: every row counts as one vote." in capsys.readouterr().err


ONLY = """
import sys
from importlib.machinery import PathFinder

class Installed:
    def find_spec(self, name, path=None, target=None):
        found = PathFinder.find_spec(name, path)
        places = found and [found.origin or "", *(found.submodule_search_locations or [])]
        ours = name.partition(".")[0] in {"stats", "numpy", "scipy", "pyarrow"}
        if found and not ours and any("site-packages" in place for place in places):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Installed())
from stats.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_it_needs_only_numpy_scipy_and_pyarrow(votes, tmp_path):
    """As in an environment that holds nothing else: any other package is not found, whoever looks for it."""
    files = [tmp_path / "ratings.parquet", tmp_path / "ratings.svg"]
    command = [sys.executable, "-c", ONLY, str(votes), "--out", str(files[0]), "--plot", str(files[1])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 0, done.stderr
    assert "rating" in done.stdout
    assert all(file.stat().st_size for file in files)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=60), st.text(max_size=60).map(lambda text: (VOTES + text).encode("utf-8", "replace"))
    ),
    ending=st.sampled_from(["csv", "json", "jsonl", "parquet"]),
)
def test_no_content_gives_a_traceback(tmp_path, content, ending):
    path = tmp_path / f"votes.{ending}"
    path.write_bytes(content)

    assert run(path) in (0, 1)
