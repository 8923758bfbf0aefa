"""`manage.py doctor`: runs every check to an end, says what it found, and how to mend it."""

import json
import threading

import pytest
from django.core.management import call_command

from config.doctor import examination, report
from config.doctor.examination import CHECKS, examine
from config.doctor.findings import Check, Finding, Result, State, ok, problem, warning
from config.management.commands import doctor as command

KEY = "sk-Zq3vX9rT5mW2kL8pN4sB7dF1"


def check(name, look, **options):
    return Check("Group", name, look, **options)


def states(results):
    return {result.name: result.finding.state for result in results}


# --- the examination ---------------------------------------------------------------------------------------------


def test_findings_come_in_the_order_of_the_checks():
    found = examine([check("b", lambda: ok("1")), check("a", lambda: [ok("2", "x"), ok("3", "y")])])
    assert [(result.name, result.finding.words) for result in found] == [("b", "1"), ("x", "2"), ("y", "3")]


def test_what_hangs_is_a_finding():
    never = threading.Event()
    found = examine([check("slow", never.wait, seconds=0.05), check("quick", lambda: ok("here"))])
    never.set()
    assert states(found) == {"slow": State.PROBLEM, "quick": State.OK}
    assert "no answer within 0 s" in found[0].finding.words


def test_what_breaks_is_a_finding():
    def breaks():
        raise OSError("no such device\nand more")

    (result,) = examine([check("device", breaks)])
    assert (result.finding.state, result.finding.words) == (State.PROBLEM, "OSError: no such device")


def test_a_check_that_breaks_halfway_is_one_too():
    def breaks():
        yield ok("the first")
        raise OSError("gone")

    assert [one.finding.words for one in examine([check("x", breaks)])] == ["OSError: gone"]


@pytest.mark.parametrize(("first", "then"), [(ok("here"), State.OK), (problem("away", "start it"), State.UNKNOWN)])
def test_what_needs_another_waits_for_it(first, then):
    checks = [
        check("last", lambda: ok("looked"), needs="middle"),
        check("middle", lambda: ok("looked"), needs="first"),
        check("first", lambda: first),
    ]
    assert states(examine(checks)) == {"last": then, "middle": then, "first": first.state}


def test_a_warning_is_no_reason_to_wait():
    checks = [check("first", lambda: warning("old", "update")), check("then", lambda: ok("x"), needs="first")]
    assert states(examine(checks))["then"] is State.OK


def test_what_is_needed_exists():
    names = [one.name for one in CHECKS]
    assert {one.needs for one in CHECKS} - {""} <= set(names)
    assert len(names) == len(set(names))


# --- the report --------------------------------------------------------------------------------------------------

RESULTS = [
    Result("Servers", "database", ok("PostgreSQL 15")),
    Result("Servers", "Redis", problem("away", "start it")),
    Result("Contents", "counts", warning("old", "python manage.py rebuild_counts")),
]


def test_a_terminal_gets_signs():
    assert report.as_text(RESULTS, plain=False).splitlines() == [
        "Servers",
        "  ✓ database  PostgreSQL 15",
        "  ✗ Redis     away",
        "              → start it",
        "",
        "Contents",
        "  ! counts    old",
        "              → python manage.py rebuild_counts",
        "",
        "1 problems, 1 warnings, 0 unknown, 1 ok.",
    ]


def test_anything_else_gets_words():
    lines = report.as_text(RESULTS, plain=True).splitlines()
    assert lines[1] == "  ok      database  PostgreSQL 15"
    assert lines[2] == "  problem Redis     away"


def test_all_is_well():
    assert report.as_text(RESULTS[:1], plain=True).endswith("\nAll is well.")


def test_a_machine_gets_json():
    assert json.loads(report.as_json(RESULTS))[1] == {
        "group": "Servers",
        "name": "Redis",
        "state": "problem",
        "words": "away",
        "mend": "start it",
    }


def test_what_a_server_says_is_one_line_and_holds_no_secret():
    hostile = [Result("G", "n", problem(f"not\naccepted: {KEY} \x1b[2J", "mend"))]
    for text in (report.as_text(hostile, plain=True), report.as_json(hostile)):
        assert KEY not in text
        assert "\x1b" not in text
    assert "  problem n  not accepted: [hidden]" in report.as_text(hostile, plain=True)


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def found(monkeypatch):
    """What the examination brings to light."""
    findings = []
    monkeypatch.setattr(command, "examine", lambda: [Result("G", "n", one) for one in findings])
    return findings


@pytest.mark.parametrize(
    ("finding", "code", "strict_code"),
    [
        (ok("x"), 0, 0),
        (warning("x", "y"), 0, 1),
        (problem("x", "y"), 1, 1),
        (Finding(State.UNKNOWN, "x"), 1, 1),
    ],
    ids=lambda value: getattr(value, "state", value),
)
def test_the_exit_code_says_it_too(finding, code, strict_code, found):
    found += [ok("x"), finding]
    for strict, expected in ((False, code), (True, strict_code)):
        if expected:
            with pytest.raises(SystemExit) as end:
                call_command("doctor", strict=strict)
            assert end.value.code == 1
        else:
            call_command("doctor", strict=strict)


def test_it_prints_json_when_asked(found, capsys):
    found += [ok("x")]
    call_command("doctor", json=True)
    assert json.loads(capsys.readouterr().out)[0]["state"] == "ok"


def test_a_fresh_installation_has_nothing_but_its_models_to_see_to(manage):
    manage("migrate", "--no-input")
    manage("collectstatic", "--no-input")
    done = manage("doctor", "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    wrong = {name: row["words"] for name, row in rows.items() if row["state"] != "ok"}
    assert wrong == {"models": "0 may be drawn, a battle needs two"}
    assert done.returncode == 0
    assert "torch 2" in rows["devices"]["words"]
    assert manage("doctor", "--strict").returncode == 1


def test_without_a_database_it_says_so_and_what_else_it_sees(manage):
    secret = "a-password-nobody-may-see"
    done = manage("doctor", "--json", DATABASE_URL=f"postgres://hakem:{secret}@127.0.0.1:9/hakem")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 1
    assert rows["database"]["state"] == "problem"
    assert "onnection refused" in rows["database"]["words"]
    assert {rows[name]["state"] for name in ("migrations", "counts", "sealed keys", "endpoints", "models")} == {
        "unknown"
    }
    assert rows["python"]["state"] == "ok"
    assert secret not in done.stdout + done.stderr


def test_it_ends_even_if_a_thread_does_not(monkeypatch, capsys):
    never = threading.Event()
    monkeypatch.setattr(command, "examine", lambda: examine([check("hangs", never.wait, seconds=0.01)]))
    with pytest.raises(SystemExit):
        call_command("doctor")
    hanging = [thread for thread in threading.enumerate() if thread.name == "doctor-hangs"]
    assert all(thread.daemon for thread in hanging)
    assert hanging
    never.set()
    assert examination.CHECKS
