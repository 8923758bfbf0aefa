"""Votes that were cast elsewhere, on this server's boards. The expected ratings are those that evalica, an independent
library, computed from the same file (column `algorithm` names the method)."""

import csv
import json
import math

import pytest
from django.core.management import call_command

from arena import ledger
from arena.models import ImportedVote, Standing, VoteImport
from leaderboard import live
from leaderboard.models import LiveBoard, LiveRating
from leaderboard.sources import single_votes
from llms.models import LanguageModel, Visibility
from stats.comparisons import Outcome
from tests.conftest import SHARED_DATA
from tests.helpers.vote_files import write_file

pytestmark = pytest.mark.django_db

VOTES, GOLDEN = SHARED_DATA / "votes" / "llmfao_crowd.csv", SHARED_DATA / "votes" / "llmfao_golden_evalica.csv"
PUBLIC, INTERNAL = Visibility.PUBLIC, Visibility.INTERNAL


@pytest.fixture
def crowd():
    if not VOTES.is_file():
        pytest.skip(f"needs the public vote files: no file {VOTES} (set HAKEM_SHARED_DATA)")
    call_command("import_votes", str(VOTES), "--public")


def golden(method):
    with GOLDEN.open(encoding="utf-8") as file:
        return {row["item"]: float(row["score"]) for row in csv.DictReader(file) if row["algorithm"] == method}


def best_first(ratings):
    return sorted(ratings, key=lambda name: -ratings[name])


def test_the_board_is_in_the_order_of_independent_ratings(crowd):
    live.refresh_all()

    lines = LiveRating.objects.filter(board__audience=PUBLIC).select_related("llm")
    ours = {line.llm.name: line.rating for line in lines}
    expected = {name: 400 * math.log10(score) for name, score in golden("bradley_terry").items()}
    assert LiveBoard.objects.get(audience=PUBLIC).n_votes == 8931
    assert len(ours) == 59
    assert best_first(ours) == best_first(expected)
    best = best_first(expected)[0]
    for name, rating in ours.items():
        assert rating - ours[best] == pytest.approx(expected[name] - expected[best], abs=1e-3)


def test_online_ratings_are_those_of_the_rows_in_their_order(crowd, tmp_path):
    call_command("rate", "--method", "elo", "--out", str(tmp_path / "elo.json"))

    slug_of = dict(LanguageModel.objects.values_list("name", "slug"))
    ours = {row["name"]: row["rating"] for row in json.loads((tmp_path / "elo.json").read_text())}
    expected = {slug_of[name]: rating for name, rating in golden("elo").items()}
    assert best_first(ours) == best_first(expected)
    assert ours == pytest.approx(expected, abs=1e-6)


def test_what_the_crowd_compared_keeps_its_keys(crowd):
    with VOTES.open(encoding="utf-8") as file:
        by_id = [row["id"] for row in csv.DictReader(file)]
    keys = list(ImportedVote.objects.order_by("row_number").values_list("comparison_key", flat=True))

    assert len(set(zip(by_id, keys, strict=True))) == len(set(by_id)) == len(set(keys)) == 2139


def test_models_that_are_listed_as_internal_stay_off_the_public_board(tmp_path, rated):
    call_command(
        "import_votes", str(write_file(tmp_path, "v.csv", "left,right,winner\nOrion 7B,New,left\nNew,Orion 7B,left\n"))
    )
    live.refresh_all()

    names = {
        board.audience: set(board.ratings.values_list("llm__name", flat=True)) for board in LiveBoard.objects.all()
    }
    assert names[INTERNAL] - names[PUBLIC] == {"New"}
    assert LiveBoard.objects.get(audience=INTERNAL).n_votes == LiveBoard.objects.get(audience=PUBLIC).n_votes + 2
    assert Standing.objects.filter(audience=INTERNAL, llm__name="New").exists()
    assert not Standing.objects.filter(audience=PUBLIC, llm__name="New").exists()


def test_votes_from_elsewhere_have_no_style_and_come_in_the_order_of_their_times(tmp_path, voted, orion, lyra):
    voted("a")
    path = write_file(
        tmp_path, "v.csv", "left,right,winner,timestamp\nOrion 7B,Lyra 13B,tie,1.5e9\nOrion 7B,Lyra 13B,right,\n"
    )
    call_command("import_votes", str(path))

    cast = single_votes.read(PUBLIC)
    outcomes = [Outcome(outcome) for outcome in cast.comparisons.outcome]
    assert len(outcomes) == 3
    assert outcomes[0] == Outcome.TIE, "the file says that it is old"
    assert outcomes[2] == Outcome.RIGHT, "the file does not say when: it comes after what was cast before the import"
    assert single_votes.read(PUBLIC, style=True).n_unmeasured == 3


@pytest.fixture
def excluded(tmp_path, voted, orion, lyra):
    """A vote, and a file of which one vote of three is about an internal model."""
    path = write_file(tmp_path, "v.csv", "left,right,winner\n" + "Orion 7B,Lyra 13B,tie\n" * 2 + "Orion 7B,New,left\n")
    call_command("import_votes", str(path))
    ledger.exclude(VoteImport.objects.get(), reason="duplicate")
    ledger.exclude(voted("a").vote, reason="test")
    voted("b")
    live.refresh_all()


def test_the_boards_say_how_many_votes_they_leave_out_and_why(excluded, rana, sign_in, client):
    boards = {board.audience: (board.n_votes, board.n_left_out) for board in LiveBoard.objects.all()}
    assert boards == {PUBLIC: (1, {"duplicate": 2, "test": 1}), INTERNAL: (1, {"duplicate": 3, "test": 1})}
    for reader, n in ((client, 2), (sign_in(rana), 3)):
        page = reader.get("/leaderboard/").content.decode()
        assert f"Votes left out: {n} counted elsewhere already, 1 cast as a test" in page
        assert reader.get("/api/v1/leaderboard").json()["n_left_out"] == {"duplicate": n, "test": 1}


def test_what_counts_again_is_not_said_to_be_left_out(excluded, client):
    ledger.restore(VoteImport.objects.get())
    live.refresh_all()

    page = client.get("/leaderboard/").content.decode()
    assert "Votes left out: 1 cast as a test" in page
    assert LiveBoard.objects.get(audience=PUBLIC).n_votes == 3
