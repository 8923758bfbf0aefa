"""`manage.py up`: what it checks, makes and says before it serves."""

import socket
import sys
from collections import namedtuple

import filelock
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from config.management.commands import up
from llms import demo
from llms.engines.base import LoadingFailed

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.KEYS_DIR = tmp_path / "keys"
    settings.STATIC_ROOT = tmp_path / "static"
    settings.SERVER_LOCK_FILE = tmp_path / "lock"
    return tmp_path


@pytest.fixture
def prepared(monkeypatch):
    """The names of the commands that would have run."""
    commands = []
    monkeypatch.setattr(up, "call_command", lambda name, **options: commands.append(name))
    return commands


@pytest.fixture
def served(data_dir, prepared, monkeypatch, settings):
    """What uvicorn would have been told."""
    told = {}
    monkeypatch.setattr(up.uvicorn, "run", lambda app, **options: told.update(app=app, **options))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        settings.PORT = probe.getsockname()[1]
    return told


@pytest.fixture
def taken(settings):
    """A port that somebody listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings.PORT = other.getsockname()[1]
        yield settings.PORT


def test_a_port_that_is_taken_is_named_with_a_way_out(data_dir, taken):
    with pytest.raises(CommandError, match=f"Cannot listen on 127.0.0.1:{taken}") as error:
        call_command("up")
    assert f"--port {taken + 1}" in str(error.value)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "2001:db8::1"])
def test_a_host_that_is_not_ours_is_not_blamed_on_another_program(host, data_dir, served):
    with pytest.raises(CommandError, match="Cannot listen on") as error:
        call_command("up", host=host)
    assert "Another program" not in str(error.value)


def test_it_listens_on_ipv6_too(db, served):
    call_command("up", host="::1")
    assert served["host"] == "::1"


def test_a_full_disk_is_an_error_before_anything_is_written(data_dir, served, prepared, monkeypatch):
    monkeypatch.setattr(up.shutil, "disk_usage", lambda path: Usage(10, 10, 1_500_000_000))
    with pytest.raises(CommandError, match=r"Only 1\.5 GB are free where .* lies; 2 GB are needed") as error:
        call_command("up")
    assert "HAKEM_DATA_DIR" in str(error.value)
    assert not prepared
    assert not served


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "80.0"])
def test_what_is_no_port_is_refused_by_name(port, served):
    with pytest.raises(CommandError, match="is no port: write a number from 1 to 65535"):
        call_command("up", f"--port={port}")


def test_another_port_begins_again_with_it(monkeypatch, served):
    """Hosts and origins follow from the port, and settings are read once."""
    begun = []

    def replace_process(program, arguments, environment):
        begun.append((program, arguments, environment["PORT"]))
        raise SystemExit

    monkeypatch.setattr(up.os, "execve", replace_process)
    monkeypatch.setattr(sys, "argv", ["manage.py", "up", "--port", "8123"])
    with pytest.raises(SystemExit):
        call_command("up", port=8123)
    assert begun == [(sys.executable, [sys.executable, "manage.py", "up", "--port", "8123"], "8123")]


def test_it_makes_the_database_and_static_files_and_serves(db, served, prepared, settings, capsys):
    call_command("up")
    assert prepared == ["migrate", "collectstatic"]
    assert (served["app"], served["host"], served["port"]) == ("config.asgi:application", "127.0.0.1", settings.PORT)
    assert served["proxy_headers"] is False
    said = capsys.readouterr().out
    assert f"Hakem is at {settings.PUBLIC_URL}" in said
    assert "createsuperuser" in said
    assert "worker" not in said


def test_with_queues_elsewhere_it_says_who_does_the_background_work(db, served, settings, capsys):
    settings.EMBEDDED = False
    User.objects.create_superuser("sude")
    call_command("up")
    said = capsys.readouterr().out
    assert "celery -A config.celery worker" in said
    assert "createsuperuser" not in said


def test_the_demo_says_where_the_password_is(db, served, data_dir, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(demo, "prepare", asked.append)
    monkeypatch.chdir(data_dir)
    call_command("up", demo=True, model="a/model")
    assert asked == ["a/model"]
    assert "administrator: admin, password in keys/demo_admin_password" in capsys.readouterr().out
    assert (data_dir / "keys" / "demo_admin_password").exists()


def test_the_demo_promises_no_password_where_there_is_an_administrator(db, served, monkeypatch, capsys):
    User.objects.create_superuser("sude")
    monkeypatch.setattr(demo, "prepare", lambda source: None)
    monkeypatch.setattr(demo, "convert", lambda source, report: None)
    call_command("up", demo=True)
    assert "password" not in capsys.readouterr().out


@pytest.mark.parametrize("error", [demo.NoModel("install it"), LoadingFailed("mend it")])
def test_a_demo_that_cannot_run_says_why_and_does_not_serve(error, db, served, monkeypatch):
    def prepare(source):
        raise error

    monkeypatch.setattr(demo, "prepare", prepare)
    with pytest.raises(CommandError, match=str(error)):
        call_command("up", demo=True)
    assert not served


def test_a_path_is_shown_as_short_as_it_can_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert up._short(tmp_path / "a" / "b") == "a/b"
    assert up._short(tmp_path.parent / "b") == str(tmp_path.parent / "b")


def test_a_second_one_on_the_same_data_is_turned_away(db, served, prepared, settings):
    with (
        filelock.FileLock(settings.SERVER_LOCK_FILE),
        pytest.raises(CommandError, match="Another Hakem works on") as error,
    ):
        call_command("up")
    assert "HAKEM_DATA_DIR" in str(error.value)
    assert not prepared
    assert not served
    call_command("up")  # the other has ended
    assert served


def test_several_processes_may_share_a_database_server(db, served, settings):
    settings.EMBEDDED = False
    with filelock.FileLock(settings.SERVER_LOCK_FILE):
        call_command("up")
    assert served
