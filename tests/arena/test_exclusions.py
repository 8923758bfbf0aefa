"""Votes that do not count: dated, with a reason, reversible; the counts follow in the same transaction."""

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from arena import imports, ledger
from arena.models import ImportedVote, PairCount, Vote, VoteExclusion, VoteImport
from leaderboard import live
from leaderboard.models import LiveBoard
from leaderboard.sources import single_votes, votes
from llms.models import Visibility
from tests.helpers.vote_files import write_file

pytestmark = pytest.mark.django_db

PUBLIC = Visibility.PUBLIC


@pytest.fixture
def imported(tmp_path):
    def imported(n=3, name="votes.csv"):
        path = write_file(tmp_path, name, "left,right,winner\n" + "Orion 7B,Lyra 13B,left\n" * n)
        call_command("import_votes", str(path))
        return VoteImport.objects.get(name=name)

    return imported


def n_counted():
    assert ledger.differences() == []
    return sum(PairCount.objects.values_list("n", flat=True))


def test_a_vote_that_is_excluded_counts_no_more_and_restored_it_does(orion, lyra, voted):
    battle, _ = voted("a"), voted("b")
    before = sorted(PairCount.objects.values_list("n", "sum_inverse_probability"))

    ledger.exclude(battle.vote, reason="test", note="by the developer")
    assert n_counted() == 1
    assert len(single_votes.read(PUBLIC).comparisons.outcome) == votes.read(PUBLIC).counts.n_comparisons == 1
    ledger.restore(battle.vote)

    assert n_counted() == 2
    assert sorted(PairCount.objects.values_list("n", "sum_inverse_probability")) == before
    row = VoteExclusion.objects.get()
    assert (row.reason, row.note) == ("test", "by the developer")
    assert row.restored_at >= row.excluded_at
    assert Vote.objects.count() == 2


def test_a_file_is_excluded_as_a_whole(orion, lyra, voted, imported):
    voted("a")
    source = imported(3)
    assert n_counted() == 4

    ledger.exclude(source, reason="mistake")
    assert n_counted() == 1
    assert len(single_votes.read(PUBLIC).comparisons.outcome) == 1
    assert ImportedVote.objects.count() == 3
    ledger.restore(source)
    assert n_counted() == 4


def test_a_model_whose_votes_are_all_excluded_leaves_the_board(imported, tmp_path, register):
    register("Orion 7B", status="retired")
    source = imported(3)
    live.refresh_all()
    internal = LiveBoard.objects.get(audience=Visibility.INTERNAL)
    assert internal.ratings.count() == 2
    ledger.exclude(source, reason="duplicate")
    live.refresh_all()
    internal.refresh_from_db()
    assert (internal.n_votes, internal.ratings.count()) == (0, 0)


def test_what_is_done_already_changes_nothing(orion, lyra, voted, imported):
    battle, source = voted("a"), imported(2)
    for counted in (battle.vote, source):
        with pytest.raises(ledger.NothingToDo, match="is not left out"):
            ledger.restore(counted)
        ledger.exclude(counted, reason="test")
        with pytest.raises(ledger.NothingToDo, match="is left out already"):
            ledger.exclude(counted, reason="staff")
    assert n_counted() == 0
    assert VoteExclusion.objects.count() == 2


def test_the_database_itself_excludes_nothing_twice_and_only_one_thing(orion, lyra, voted, imported):
    battle, source = voted("a"), imported(2)
    ledger.exclude(battle.vote, reason="test")
    ledger.exclude(source, reason="test")
    for target in (
        {"vote": battle.vote},
        {"source": source},
        {},
        {"vote": voted("b").vote, "source": imported(1, "b.csv")},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            VoteExclusion.objects.create(reason="test", **target)


def test_the_counts_can_be_made_anew_while_something_is_excluded(orion, lyra, voted, imported):
    voted("a")
    source = imported(3)
    ledger.exclude(source, reason="test")

    call_command("rebuild_counts")
    assert n_counted() == 1
    ledger.restore(source)

    assert n_counted() == 4


def test_rows_of_an_excluded_file_that_come_later_do_not_count_either(tmp_path, monkeypatch):
    path = write_file(tmp_path, "votes.csv", "left,right,winner\n" + "A,B,left\n" * 4)
    monkeypatch.setattr(imports, "ROWS_AT_ONCE", 2)
    counted = ledger.count_imported

    def broken(source, rows):
        counted(source, rows)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(
            ledger,
            "count_imported",
            lambda *given: [counted(*given), patched.setattr(ledger, "count_imported", broken)],
        )
        with pytest.raises(KeyboardInterrupt):
            call_command("import_votes", str(path))
    source = VoteImport.objects.get()
    assert n_counted() == 2
    ledger.exclude(source, reason="mistake")
    call_command("import_votes", str(path))
    assert (ImportedVote.objects.count(), n_counted()) == (4, 0)
    ledger.restore(source)
    assert n_counted() == 4


def test_the_command_excludes_restores_and_lists(orion, lyra, voted, imported, capsys):
    battle, source = voted("a"), imported(3)

    call_command("exclude_votes", "--import", source.digest[:12], "--reason", "duplicate", "--note", "see lab.csv")
    call_command("exclude_votes", "--battle", str(battle.pk), "--reason", "staff")
    assert n_counted() == 0
    capsys.readouterr()
    call_command("exclude_votes")
    told = capsys.readouterr().out
    assert f"{source.digest[:12]}  3 votes  votes.csv" in told
    assert f"duplicate: import {source.pk} see lab.csv" in told
    assert f"staff: vote {battle.vote.pk}" in told
    call_command("exclude_votes", "--import", source.digest, "--restore")
    assert n_counted() == 3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--reason", "test"], "Say of what"),
        (["--import", "abc"], "Say --restore, or why"),
        (["--import", "abc", "--restore"], "No file has a digest that begins with 'abc'"),
        (["--battle", "1" * 32, "--restore"], "There is no vote on a battle"),
        (["--battle", "x", "--restore"], "is no battle"),
    ],
    ids=["of what", "why", "file", "vote", "battle"],
)
def test_what_cannot_be_meant_is_refused(options, sentence):
    with pytest.raises(CommandError) as refused:
        call_command("exclude_votes", *options)
    assert sentence in str(refused.value)
