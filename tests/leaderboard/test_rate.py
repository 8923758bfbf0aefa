"""`manage.py rate`: the command line of the statistics, on the server's own votes."""

import json
import uuid

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from arena.models import Answer, Battle, Turn, Vote
from leaderboard.models import LiveRating
from leaderboard.sources import single_votes
from llms.models import Visibility
from stats.text_features import text_features

pytestmark = pytest.mark.django_db

PUBLIC, INTERNAL = Visibility.PUBLIC, Visibility.INTERNAL


@pytest.fixture
def rows(tmp_path):
    def rows(*options):
        call_command("rate", "--out", str(tmp_path / "r.json"), *options)
        return {row["name"]: row for row in json.loads((tmp_path / "r.json").read_text())}

    return rows


@pytest.fixture
def vote(begin, finish, visitor):
    """Votes on battles of one turn: `vote("a", "long answer", "short")`."""

    def vote(outcome, a="one", b="one two", *, measured=True):
        battle = finish(begin())
        _answer(battle, a, b, measured=measured)
        return Vote.objects.create(battle=battle, voter=visitor.voter, outcome=outcome)

    return vote


def _answer(battle, a, b, *, measured=True):
    for side, text in (("a", a), ("b", b)):
        style = text_features(text)._asdict() if measured else None
        Answer.objects.filter(turn__battle=battle, side=side).update(text=text, style=style)


def test_its_table_is_the_live_board(rated, rows):
    found = rows()

    lines = LiveRating.objects.filter(board__audience=PUBLIC)
    assert {line.llm.slug for line in lines} == set(found)
    for line in lines:
        row = found[line.llm.slug]
        for name in ("rating", "lower", "upper"):
            assert row[name] == pytest.approx(getattr(line, name))
        assert (row["rank_lower"], row["rank_upper"]) == (line.rank_lower, line.rank_upper)
        assert row["n_battles"] == line.n_votes


def test_it_prints_what_the_command_line_prints(rated, register, capsys):
    register("Newcomer")
    call_command("rate")

    told = capsys.readouterr()
    head, *lines = told.out.splitlines()
    assert head.split() == ["rank", "model", "rating", "95", "%", "interval", "votes"]
    assert [line.split()[1] for line in lines] == ["orion-7b", "lyra-13b", "pavo-3b", "newcomer"]
    assert lines[-1].endswith("no votes that count")
    assert told.err == "120 votes on 4 models (public).\n"


def test_the_options_reach_the_fit(rated, orion, lyra, count, rows, tmp_path):
    count(orion, lyra, "tie", 5)
    count(orion, lyra, "both_bad", 3)
    plain = rows()
    assert rows("--anchor", "pavo-3b=800")["pavo-3b"]["rating"] == pytest.approx(800)
    assert rows("--ties", "drop")["orion-7b"]["n_battles"] == plain["orion-7b"]["n_battles"] - 5
    assert rows("--both-bad", "loss")["orion-7b"]["rating"] != plain["orion-7b"]["rating"]
    assert rows("--method", "davidson")["orion-7b"]["rating"] > plain["orion-7b"]["rating"]
    rows("--plot", str(tmp_path / "r.svg"))
    assert "<title>public votes: bradley-terry</title>" in (tmp_path / "r.svg").read_text()


def test_the_internal_board_counts_all_votes(rated, orion, register, count, rows):
    nova = register("Nova 70B", visibility=INTERNAL)
    count(nova, orion, "a", 9)
    count(nova, orion, "b", 9)

    assert "nova-70b" not in rows()
    assert rows("--audience", "internal")["nova-70b"]["n_battles"] == 18


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--anchor", "orion-7=1"], "There is 'orion-7b'"),
        (["--ties", "drop", "--method", "rao-kupper"], "is a model of ties"),
        (["--out", "r.xlsx"], "does not end in .json or .csv or .parquet"),
        (["--audience", "press"], "invalid choice: 'press'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(rated, options, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("rate", *options)


@pytest.mark.parametrize("options", [[], ["--style"], ["--method", "elo"]])
def test_without_votes_there_is_an_empty_table(options, capsys):
    call_command("rate", *options)

    assert capsys.readouterr().out.split() == ["rank", "model", "rating", "95", "%", "interval", "votes"]


def test_elo_takes_the_votes_in_the_order_in_which_they_were_cast(orion, lyra, vote, rows):
    for outcome in ("a", "a", "b", "tie"):
        vote(outcome)
    first, *later = Vote.objects.order_by("created_at", "pk")
    expected = rows("--method", "elo")

    cast = single_votes.read(PUBLIC)
    assert len(cast.comparisons.left) == 4
    assert cast.style is None
    Vote.objects.filter(pk=first.pk).update(created_at=later[-1].created_at.replace(year=2099))
    moved = single_votes.read(PUBLIC)
    assert moved.comparisons.outcome.tolist() == [*cast.comparisons.outcome.tolist()[1:], cast.comparisons.outcome[0]]
    assert expected["orion-7b"]["n_battles"] == 4


def test_style_is_controlled_for(orion, lyra, vote, rows, capsys):
    rng = np.random.default_rng(0)
    for _ in range(60):
        n_a, n_b = rng.integers(1, 30, 2).tolist()
        vote("a" if rng.random() < 0.5 + 0.4 * np.sign(n_a - n_b) else "b", "word " * n_a, "word " * n_b)
    vote("a", measured=False)

    rows("--style")

    told = capsys.readouterr().err.splitlines()
    assert told[:3] == [
        "60 votes on 2 models (public).",
        "1 vote left out: the style of their answers was not measured.",
        "Length is counted in words.",
    ]
    worth = float(told[3].removeprefix("One standard deviation of length is worth ").split()[0])
    assert worth > 50
    assert told[4] == "No two answers differ in headers, which cannot be controlled for."


def test_the_style_of_a_battle_is_that_of_all_its_turns_and_last_attempts(orion, lyra, begin, finish, visitor):
    battle = finish(begin())
    _answer(battle, "# one **two**", "- three\n1. four\n5 6")
    turn = Turn.objects.get(battle=battle)
    Answer.objects.create(turn=turn, side="a", attempt=2, llm=battle.llm_a, style=text_features("a b c")._asdict())
    second = Turn.objects.create(battle=battle, index=1, key=uuid.uuid4(), prompt="and?")
    for side, llm, text in (("a", battle.llm_a, "# d"), ("b", battle.llm_b, "- e")):
        Answer.objects.create(turn=second, side=side, llm=llm, style=text_features(text)._asdict())
    Vote.objects.create(battle=battle, voter=visitor.voter, outcome="b")

    cast = single_votes.read(PUBLIC, style=True)

    assert cast.style.left.tolist() == [[4, 1, 0, 0]]
    assert cast.style.right.tolist() == [[6, 0, 0, 3]]
    assert (cast.comparisons.outcome.tolist(), cast.n_unmeasured) == ([1], 0)


def test_votes_on_internal_models_are_not_public(orion, lyra, vote):
    vote("a")
    Battle.objects.first().llm_a.__class__.objects.filter(pk=orion.pk).update(visibility=INTERNAL)

    assert len(single_votes.read(PUBLIC).comparisons.left) == 0
