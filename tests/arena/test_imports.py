"""`manage.py import_votes`: votes of files become rows of the ledger, each of them once."""

import datetime
import hashlib
import sqlite3
import subprocess
import sys
import time
from collections import Counter

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from arena import imports, ledger
from arena.foreign_votes import voter_digest
from arena.models import ImportedVote, PairCount, VoteImport
from llms.models import LanguageModel
from tests.helpers.server import ROOT, Server, free_port
from tests.helpers.vote_files import LMSYS, turns, write_file

pytestmark = pytest.mark.django_db

FOUR = "left,right,winner\nA,B,left\nB,A,right\nA,C,tie\nC,B,both_bad\n"


@pytest.fixture
def votes_of(tmp_path):
    """A file with this content: `votes_of("left,right,winner\\nA,B,left\\n")`."""

    def votes_of(content, name="votes.csv"):
        return str(write_file(tmp_path, name, content))

    return votes_of


def stored():
    rows = ImportedVote.objects.order_by("source_id", "row_number")
    return list(rows.values_list("row_number", "llm_a__name", "llm_b__name", "outcome"))


def n_counted():
    assert ledger.differences() == []
    return sum(PairCount.objects.values_list("n", flat=True))


def test_each_row_becomes_a_vote_and_is_counted(votes_of):
    path = votes_of(FOUR)

    call_command("import_votes", path)

    assert stored() == [(1, "A", "B", "a"), (2, "B", "A", "b"), (3, "A", "C", "tie"), (4, "C", "B", "both_bad")]
    assert n_counted() == 4
    source = VoteImport.objects.get()
    assert source.digest == hashlib.sha256(FOUR.encode()).hexdigest()
    assert (source.name, source.n_votes, source.n_left_out) == ("votes.csv", 4, 0)
    assert source.completed_at is not None
    assert set(PairCount.objects.values_list("day", "sum_inverse_probability")) == {(source.began_at.date(), 0.0)}


def test_the_same_file_adds_nothing_under_any_name(votes_of, capsys):
    call_command("import_votes", votes_of(FOUR))
    call_command("import_votes", votes_of(FOUR, "again.csv"))

    assert "0 votes added, 4 were here already" in capsys.readouterr().out
    assert len(stored()) == n_counted() == 4
    assert VoteImport.objects.count() == 1


def test_named_twice_in_one_command_it_counts_once(votes_of, capsys):
    call_command("import_votes", votes_of(FOUR), votes_of(FOUR, "again.csv"))

    assert "is the same as" in capsys.readouterr().err
    assert n_counted() == 4


def test_the_database_itself_takes_no_row_twice(votes_of):
    call_command("import_votes", votes_of(FOUR))
    again = ImportedVote.objects.get(row_number=3)
    again.pk = None

    with pytest.raises(IntegrityError), transaction.atomic():
        again.save(force_insert=True)


def test_an_import_that_broke_off_goes_on(votes_of, monkeypatch):
    path = votes_of("left,right,winner\n" + "A,B,left\nB,A,left\nA,B,tie\n" * 10)
    monkeypatch.setattr(imports, "ROWS_AT_ONCE", 7)
    counted = ledger.count_imported
    calls = []

    def broken(source, votes):
        counted(source, votes)
        calls.append(votes)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "count_imported", broken)
        with pytest.raises(KeyboardInterrupt):
            call_command("import_votes", path)
    assert len(stored()) == n_counted() == 14, "the third batch is neither stored nor counted"
    assert VoteImport.objects.get().completed_at is None

    monkeypatch.setattr(imports, "ROWS_AT_ONCE", 11)  # batches need not be cut where they were
    call_command("import_votes", path)

    assert [row[0] for row in stored()] == list(range(1, 31))
    assert n_counted() == 30


def test_a_dry_run_says_what_would_be_added_and_writes_nothing(votes_of, register, capsys):
    register("A")
    path = votes_of(FOUR + "A,B,draw\n,B,left\n")

    call_command("import_votes", path, "--dry-run")

    told = capsys.readouterr().err
    assert "4 votes would be added, 0 are here already." in told
    assert "B: not registered, would be listed" in told
    assert "A: a" in told.splitlines()[-3]
    assert "row 5: the outcome 'draw' is none of left, right, tie, both_bad" in told
    assert "row 6: no name in left" in told
    assert (VoteImport.objects.count(), ImportedVote.objects.count(), PairCount.objects.count()) == (0, 0, 0)
    assert [llm.name for llm in LanguageModel.objects.all()] == ["A"]

    call_command("import_votes", path)
    assert len(stored()) == n_counted() == 4
    assert VoteImport.objects.get().n_left_out == 2
    call_command("import_votes", path, "--dry-run")
    assert "0 votes would be added, 4 are here already." in capsys.readouterr().err


def test_registered_models_are_found_by_slug_name_or_source_and_others_listed(votes_of, register):
    orion, lyra = register("Orion 7B"), register("Lyra 13B")
    pavo = register("Pavo 3B", source="openforge/pavo-3b")

    call_command(
        "import_votes", votes_of("left,right,winner\norion-7b,Lyra 13B,left\nopenforge/pavo-3b,New one,left\n")
    )

    first, second = ImportedVote.objects.order_by("row_number")
    assert (first.llm_a, first.llm_b, second.llm_a) == (orion, lyra, pavo)
    new = second.llm_b
    assert (new.slug, new.name, new.source, new.status) == ("new-one", "New one", "New one", "listed")
    assert new.visibility == "internal"
    assert new not in LanguageModel.objects.in_battles()


def test_a_second_file_finds_what_the_first_listed(votes_of):
    call_command("import_votes", votes_of(FOUR), votes_of("left,right,winner\nA,B,left\n", "more.csv"), "--public")

    assert sorted(LanguageModel.objects.values_list("name", "visibility")) == [(name, "public") for name in "ABC"]
    assert n_counted() == 5


def test_a_name_that_could_be_two_models_must_be_told(votes_of, register):
    register("one", source="A")
    two = register("two", source="A")
    path = votes_of(FOUR)

    with pytest.raises(CommandError, match=r"'A' could be one or two\. Say which: --model 'A'=one"):
        call_command("import_votes", path)
    call_command("import_votes", path, "--model", "A=two")

    assert ImportedVote.objects.get(row_number=1).llm_a == two


def test_two_names_of_one_model_may_not_meet(votes_of, register):
    register("a", source="B")

    with pytest.raises(CommandError, match="'a' and 'B' meet, and both stand for a"):
        call_command("import_votes", votes_of("left,right,winner\na,B,left\n"))
    assert not VoteImport.objects.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--model", "Z=a"], "No file names a model 'Z'. They name A, B, C."),
        (["--model", "A=nobody"], "No model has the slug 'nobody'"),
        (["--left", "left"], "ame all three of --left, --right and --outcome, or none"),
        (["--voter", "left"], "--voter goes with --left, --right and --outcome"),
    ],
    ids=["name", "slug", "columns", "voter"],
)
def test_what_cannot_be_meant_is_refused(votes_of, options, sentence):
    with pytest.raises(CommandError) as refused:
        call_command("import_votes", votes_of(FOUR), *options)
    assert sentence in str(refused.value)


def test_one_bad_file_and_nothing_is_imported(votes_of):
    good, bad = votes_of(FOUR), votes_of("who,knows\n1,2\n", "bad.csv")

    with pytest.raises(CommandError, match="no known layout has the columns"):
        call_command("import_votes", good, bad)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_votes", good, "/nowhere/votes.csv")
    with pytest.raises(CommandError, match="has 121 characters"):
        call_command("import_votes", good, votes_of(f"left,right,winner\n{'x' * 121},B,left\n", "long.csv"))
    assert not VoteImport.objects.exists()


def test_a_file_is_not_read_in_two_ways(votes_of):
    path = votes_of("x,y,left,right,winner\n" + "A,B,A,B,left\nA,C,A,B,right\n")
    call_command("import_votes", path)

    with pytest.raises(CommandError, match="was imported before, read otherwise"):
        call_command("import_votes", path, "--left", "x", "--right", "y", "--outcome", "winner")
    assert n_counted() == 2


def test_columns_and_words_can_be_named(votes_of):
    path = votes_of("x,y,who,by,about\nA,B,draw,v,p\nA,B,left,w,p\n")
    named = ["--left", "x", "--right", "y", "--outcome", "who", "--voter", "by", "--prompt", "about"]

    call_command("import_votes", path, *named, "--word", "draw=tie")

    one, other = ImportedVote.objects.order_by("row_number")
    assert (one.outcome, other.outcome) == ("tie", "a")
    assert (one.voter_digest, other.voter_digest) == (voter_digest("v"), voter_digest("w"))
    assert one.comparison_key == other.comparison_key != ""


def test_voters_are_not_known_by_what_the_file_calls_them(votes_of, settings):
    call_command("import_votes", votes_of("left,right,winner,voter\nA,B,left,ada@example.org\nA,B,left,\n"))

    known, unknown = ImportedVote.objects.order_by("row_number")
    assert "ada" not in known.voter_digest
    assert (len(known.voter_digest), unknown.voter_digest) == (64, "")
    settings.VOTER_KEY = "another"
    assert voter_digest("ada@example.org") != known.voter_digest


def test_votes_on_the_same_two_answers_share_a_key(votes_of):
    rows = [*LMSYS[:1], LMSYS[0] | {"question_id": "q9"}]
    turned = {"model_a": "y", "model_b": "x", "conversation_a": "b", "conversation_b": "a"}
    a, b = rows[0]["conversation_a"], rows[0]["conversation_b"]
    rows += [
        rows[0] | turned | {"conversation_a": b, "conversation_b": a},
        rows[0] | {"conversation_b": turns("hi", "else")},
    ]
    rows += [rows[0] | {"conversation_a": None}]

    call_command("import_votes", votes_of(rows, "votes.json"))

    first, other_question, turned_round, other_answer, no_answer = (
        vote.comparison_key for vote in ImportedVote.objects.order_by("row_number")
    )
    assert first == turned_round
    assert len({first, other_question, other_answer}) == 3
    assert no_answer == ""


def test_a_vote_counts_on_the_day_that_the_file_tells(votes_of, capsys):
    later = timezone.now() + datetime.timedelta(days=400)
    times = ["1500000000", "2017-07-14T23:59:59-03:00", "", "1500000000000", later.isoformat(), "-5"]
    path = votes_of("left,right,winner,timestamp\n" + "".join(f"A,B,left,{time}\n" for time in times))

    call_command("import_votes", path)

    today = VoteImport.objects.get().began_at.date()
    days = dict(PairCount.objects.values_list("day", "n"))
    assert days == {datetime.date(2017, 7, 14): 1, datetime.date(2017, 7, 15): 1, today: 4}
    assert "3 votes have a time before 1970 or in the future" in capsys.readouterr().err
    assert n_counted() == 6


def test_counts_can_be_made_anew_from_votes_of_both_kinds(orion, lyra, voted, votes_of):
    voted("a")
    call_command("import_votes", votes_of(FOUR))
    PairCount.objects.update(n=7)
    assert ledger.differences()

    call_command("rebuild_counts")

    assert n_counted() == 5


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on(tmp_path, votes_of):
    """The real command in a process of its own, and a signal that nobody can catch."""
    n_rows = 30_000
    path = votes_of("left,right,winner\n" + "".join(f"m{i % 40},m{40 + i % 37},left\n" for i in range(n_rows)))
    elsewhere = Server(tmp_path, free_port())
    elsewhere.run("from django.core.management import call_command; call_command('migrate', verbosity=0)")
    command = [sys.executable, "manage.py", "import_votes", path]
    process = subprocess.Popen(command, cwd=ROOT, env=elsewhere.settings(), stderr=subprocess.DEVNULL)
    database = sqlite3.connect(f"file:{tmp_path / 'hakem.sqlite3'}?mode=ro", uri=True)
    deadline = time.monotonic() + 60
    while (n_before := _rows_in(database)) < 3_000:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "it never began"
        time.sleep(0.01)
    process.kill()
    process.wait()
    n_before = _rows_in(database)
    assert 0 < n_before < n_rows

    done = subprocess.run(command, cwd=ROOT, env=elsewhere.settings(), capture_output=True, text=True, check=True)

    assert f"{n_rows - n_before:,} votes added, {n_before:,} were here already" in done.stdout
    numbers = Counter(number for (number,) in database.execute("SELECT row_number FROM arena_importedvote"))
    assert numbers == Counter(range(1, n_rows + 1))
    assert elsewhere.run("from arena import ledger; print(ledger.differences())").strip() == "[]"
    database.close()


def _rows_in(database):
    return database.execute("SELECT COUNT(*) FROM arena_importedvote").fetchone()[0]
