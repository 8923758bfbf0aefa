"""Readers of environment variables fail loudly."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env

LONG = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def write(monkeypatch):
    """Set the variable X."""
    return lambda value: monkeypatch.setenv("X", value)


@pytest.fixture(autouse=True)
def _not_set(monkeypatch):
    monkeypatch.delenv("X", raising=False)


def refusal(read, *arguments, **more):
    with pytest.raises(ImproperlyConfigured) as refused:
        read("X", *arguments, **more)
    message = str(refused.value)
    assert "X" in message
    return message


@pytest.mark.parametrize("value", [None, "", "   ", "\t"])
def test_empty_counts_as_not_set(value, write, tmp_path):
    if value is not None:
        write(value)
    assert env.env_text("X", "default") == "default"
    assert env.env_bool("X", True) is True
    assert env.env_int("X", 7) == 7
    assert env.env_choice("X", ["a", "b"], "b") == "b"
    assert env.env_list("X", ["a"]) == ["a"]
    assert env.env_path("X", tmp_path) == tmp_path
    assert env.env_networks("X") == []
    assert env.env_time_zone("X", "UTC") == "UTC"
    assert env.env_server("X", ["redis"]) == ""
    assert str(env.env_origin("X", "http://127.0.0.1:8000")) == "http://127.0.0.1:8000"
    assert env.env_database("X", tmp_path / "a.sqlite3")["NAME"] == str(tmp_path / "a.sqlite3")


def test_a_text_loses_its_blanks(write):
    write("  a b ")
    assert env.env_text("X") == "a b"


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("1", True),
        ("TRUE", True),
        ("yes", True),
        ("On", True),
        ("0", False),
        ("False", False),
        ("no", False),
        ("off", False),
    ],
)
def test_yes_and_no(value, meant, write):
    write(value)
    assert env.env_bool("X", not meant) is meant


@pytest.mark.parametrize("value", ["2", "ja", "None", "truee"])
def test_neither_yes_nor_no(value, write):
    write(value)
    assert repr(value) in refusal(env.env_bool, False)


@pytest.mark.parametrize("value", ["8000.0", "1e3", "eight", "0x10", "1,000"])
def test_no_number(value, write):
    write(value)
    assert repr(value) in refusal(env.env_int, 1)


def test_a_number_out_of_range(write):
    write("-1")
    assert "0 or more" in refusal(env.env_int, 1)
    write("0")
    assert "1 or more" in refusal(env.env_int, 1, at_least=1)
    write("65536")
    assert "65535 or less" in refusal(env.env_int, 1, at_most=env.MAX_PORT)


def test_a_number(write):
    write(" 42 ")
    assert env.env_int("X", 1, at_least=42, at_most=42) == 42


def test_no_such_choice(write):
    write("Public")
    assert "public, members" in refusal(env.env_choice, ["public", "members"], "public")


def test_a_list(write):
    write(" a, b ,,c, ")
    assert env.env_list("X", ["default"]) == ["a", "b", "c"]


def test_a_path_may_begin_at_home_or_here(write, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/vera")
    write("~/data")
    assert env.env_path("X", tmp_path) == Path("/home/vera/data")
    write("data")
    assert env.env_path("X", tmp_path) == tmp_path / "data"


def test_networks(write):
    write("10.0.0.1, 192.168.0.0/16, ::1")
    assert env.env_networks("X") == [ip_network("10.0.0.1"), ip_network("192.168.0.0/16"), ip_network("::1")]


@pytest.mark.parametrize("value", ["proxy", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1;10.0.0.2", "*"])
def test_what_is_no_network_is_no_proxy_that_is_silently_ignored(value, write):
    write(f"127.0.0.1, {value}")
    assert "10.0.0.0/8" in refusal(env.env_networks)


@pytest.mark.parametrize("value", ["Mars/Olympus", "europe", "../UTC", "/etc/passwd"])
def test_no_such_zone(value, write):
    write(value)
    assert repr(value) in refusal(env.env_time_zone, "UTC")


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        ("https://hakem.example.org", "https://hakem.example.org"),
        ("https://hakem.example.org/", "https://hakem.example.org"),
        ("HTTPS://Hakem.Example.org", "https://hakem.example.org"),
        ("https://hakem.example.org:443", "https://hakem.example.org"),
        ("http://hakem.example.org:80", "http://hakem.example.org"),
        ("https://hakem.example.org:8443", "https://hakem.example.org:8443"),
        ("http://192.0.2.1:8000", "http://192.0.2.1:8000"),
        ("http://[2001:DB8::1]:8000", "http://[2001:db8::1]:8000"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(value, origin, write):
    write(value)
    assert str(env.env_origin("X", "")) == origin


@pytest.mark.parametrize(
    "value",
    [
        "hakem.example.org",
        "ftp://hakem.example.org",
        "https://",
        "https://hakem.example.org/hakem",
        "https://hakem.example.org?x=1",
        "https://user:word@hakem.example.org",
        "https://hakem.example.org:65536",
        "https://hakem.example.org:http",
        "https://hakem example.org",
        "https://örnek.example",
        "https://*",
        "https://a.example, https://b.example",
    ],
)
def test_what_is_no_origin(value, write):
    write(value)
    assert repr(value) in refusal(env.env_origin, "")


@pytest.mark.parametrize("value", ["localhost:6379", "http://h", "redis:/h", "redissentinel://h", "://", "redis"])
def test_a_server_of_another_kind(value, write):
    write(value)
    assert "redis:// or rediss://" in refusal(env.env_server, ["redis", "rediss"])


def test_an_error_about_a_server_shows_no_password(write, tmp_path):
    for value in ("http://vera:sesame@h", "postgres://vera:sesame@h:port/x", "postgres://vera:sesame@h"):
        write(value)
        assert "sesame" not in refusal(env.env_server, ["redis"])
        assert "sesame" not in refusal(env.env_database, tmp_path)


def test_a_database(write, tmp_path):
    write("postgres://vera:word@db:5433/hakem?sslmode=require")
    found = env.env_database("X", tmp_path)
    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert (found["HOST"], found["PORT"], found["NAME"], found["USER"]) == ("db", 5433, "hakem", "vera")
    assert found["OPTIONS"] == {"sslmode": "require"}
    write(f"sqlite:///{tmp_path}/b.sqlite3")
    assert env.env_database("X", tmp_path)["NAME"] == f"{tmp_path}/b.sqlite3"


@pytest.mark.parametrize(
    "value", ["mysql://h/n", "hakem.sqlite3", "sqlite://", "sqlite://:memory:", "postgres://h", "postgres://h:x/n"]
)
def test_what_is_no_database(value, write, tmp_path):
    write(value)
    assert "postgres://" in refusal(env.env_database, tmp_path)


# --- secrets -----------------------------------------------------------------------------------------------------


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path):
    file = tmp_path / "keys" / "secret"
    secret = env.env_secret("X", file)
    assert len(secret) == 64
    assert env.env_secret("X", file) == secret
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(file.parent) == ["secret"]
    assert env.env_secret("X", tmp_path / "another") != secret


def test_a_secret_from_the_environment_makes_no_file(write, tmp_path):
    write(LONG)
    assert env.env_secret("X", tmp_path / "secret") == LONG
    assert not (tmp_path / "secret").exists()


def test_a_short_secret_is_refused_and_not_shown(write, tmp_path):
    write("sesame")
    message = refusal(env.env_secret, tmp_path / "secret")
    assert "32" in message
    assert "sesame" not in message


@pytest.mark.parametrize("content", ["", "short", " \n"])
def test_a_broken_file_is_an_error_and_not_replaced(content, tmp_path):
    file = tmp_path / "secret"
    file.write_text(content)
    assert "delete the file" in refusal(env.env_secret, file)
    assert file.read_text() == content


def test_where_nothing_can_be_written_it_says_what_to_set(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    assert "HAKEM_DATA_DIR" in refusal(env.env_secret, tmp_path / "file" / "secret")


def test_many_who_start_at_once_get_the_same_secret(tmp_path):
    """Also in containers, where every process has the same number."""
    for round_ in range(5):
        file = tmp_path / f"keys{round_}" / "secret"
        with ThreadPoolExecutor(16) as together:
            secrets = set(together.map(env.env_secret, ["X"] * 16, [file] * 16))
        assert secrets == {file.read_text()}
        assert os.listdir(file.parent) == ["secret"]


def test_who_comes_second_throws_his_own_away(tmp_path):
    file = tmp_path / "secret"
    file.write_text(LONG)
    env._make_secret(file)
    assert file.read_text() == LONG
    assert os.listdir(tmp_path) == ["secret"]
