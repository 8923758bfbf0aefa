"""What the settings make of the environment."""

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from arena import protocol
from config.management.commands import up

SECURE = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "LANGUAGE_COOKIE_SECURE")
LOCAL = ["127.0.0.1", "localhost", "[::1]"]


def test_with_nothing_set_it_is_one_local_process(settings_with, bare_environment):
    found = settings_with()
    assert found["DATABASES"]["default"]["NAME"] == str(bare_environment / "hakem.sqlite3")
    assert found["DATABASES"]["default"]["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert found["EMBEDDED"]
    assert found["PUBLIC_URL"] == "http://127.0.0.1:8000"
    assert found["ALLOWED_HOSTS"] == LOCAL
    assert found["SOCKET_ORIGINS"] == [f"http://{host}:8000" for host in LOCAL]
    assert not found["DEBUG"]
    assert not any(found[name] for name in SECURE)
    assert found["RATE_LIMIT_STORAGE"] == "memory://"
    assert found["CELERY_BROKER_URL"] == "memory://localhost"


def test_keys_are_made_once(settings_with, bare_environment):
    first, second = settings_with(), settings_with()
    for name in ("SECRET_KEY", "VOTER_KEY"):
        assert first[name] == second[name]
        assert len(first[name]) >= 50
    assert first["SECRET_KEY"] != first["VOTER_KEY"]
    assert first["FIELD_KEYS"] == second["FIELD_KEYS"]
    made = sorted(file.name for file in (bare_environment / "keys").iterdir())
    assert made == ["field_key", "secret_key", "voter_key"]


def test_the_keys_of_model_servers_can_be_changed(settings_with):
    assert settings_with(FIELD_KEYS=f"{'n' * 40}, {'o' * 40}")["FIELD_KEYS"] == ["n" * 40, "o" * 40]
    with pytest.raises(ImproperlyConfigured, match="each part must have 32 characters"):
        settings_with(FIELD_KEYS=f"{'n' * 40},short")


def test_model_servers_may_be_on_this_machine_only_where_one_process_does_everything(settings_with):
    assert [str(network) for network in settings_with()["ENDPOINT_NETWORKS"]] == ["127.0.0.0/8", "::1/128"]
    assert settings_with(REDIS_URL="redis://cache/0")["ENDPOINT_NETWORKS"] == []
    assert [str(n) for n in settings_with(ENDPOINT_NETWORKS="10.1.0.0/16")["ENDPOINT_NETWORKS"]] == ["10.1.0.0/16"]


def test_a_public_address_decides_hosts_origins_and_cookies(settings_with):
    found = settings_with(PUBLIC_URL="https://Hakem.example.org:443/")
    assert found["PUBLIC_URL"] == "https://hakem.example.org"
    assert found["ALLOWED_HOSTS"] == ["hakem.example.org", *LOCAL]
    assert found["CSRF_TRUSTED_ORIGINS"] == found["SOCKET_ORIGINS"] == ["https://hakem.example.org"]
    assert all(found[name] is True for name in SECURE)
    assert found["SECURE_HSTS_SECONDS"] == 31_536_000


def test_an_ipv6_address_keeps_its_brackets(settings_with):
    assert settings_with(PUBLIC_URL="http://[2001:db8::1]:8000")["ALLOWED_HOSTS"] == ["[2001:db8::1]", *LOCAL]


def test_without_tls_there_are_no_secure_cookies_and_no_hsts(settings_with):
    found = settings_with(PUBLIC_URL="http://hakem.example.org")
    assert not any(found[name] for name in SECURE)
    assert found["SECURE_HSTS_SECONDS"] == 0


def test_a_local_site_is_open_under_each_local_name(settings_with):
    found = settings_with(PUBLIC_URL="https://localhost:8443")
    assert set(found["SOCKET_ORIGINS"]) == {f"https://{host}:8443" for host in LOCAL}
    assert settings_with(PUBLIC_URL="http://localhost")["SOCKET_ORIGINS"][0] == "http://localhost"


def test_the_port_is_part_of_the_default_address(settings_with):
    found = settings_with(PORT="8123")
    assert found["PUBLIC_URL"] == "http://127.0.0.1:8123"
    assert "http://localhost:8123" in found["SOCKET_ORIGINS"]


def test_more_hosts(settings_with):
    found = settings_with(PUBLIC_URL="https://a.example", ALLOWED_HOSTS="a.example, b.example")
    assert found["ALLOWED_HOSTS"] == ["a.example", "b.example", *LOCAL]


def test_a_star_is_for_debugging_only(settings_with):
    with pytest.raises(ImproperlyConfigured, match="name the hosts"):
        settings_with(ALLOWED_HOSTS="a.example, *")
    assert settings_with(DEBUG="1")["ALLOWED_HOSTS"][1] == "*"


def test_proxies_are_addresses_or_networks(settings_with):
    found = settings_with(TRUSTED_PROXIES="10.0.0.0/8,::1")
    assert [str(network) for network in found["TRUSTED_PROXIES"]] == ["10.0.0.0/8", "::1/128"]


def test_the_longest_prompt_fits_into_a_frame(settings_with):
    settings_with(PROMPT_LIMIT="40000")
    longest = 40_000 * len("\\u2028")
    assert longest < protocol.MAX_FRAME_CHARACTERS == up.FRAME_BYTES


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "short"),
        ("VOTER_KEY", "short"),
        ("DEBUG", "perhaps"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PUBLIC_URL", "hakem.example.org"),
        ("TRUSTED_PROXIES", "proxy"),
        ("ACCESS", "private"),
        ("PROMPT_LIMIT", "0"),
        ("PROMPT_LIMIT", "40001"),
        ("TURN_LIMIT", "-1"),
        ("ADDRESS_FACTOR", "0.5"),
        ("DATABASE_URL", "mysql://h/n"),
        ("DATABASE_URL", "postgres://h:x/n"),
        ("REDIS_URL", "localhost:6379"),
        ("CELERY_BROKER_URL", "filesystem://"),
        ("LANGUAGE_CODE", "de"),
        ("TIME_ZONE", "Mars"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_what_cannot_be_meant_is_an_error_that_names_the_variable(name, value, settings_with):
    with pytest.raises(ImproperlyConfigured, match=name):
        settings_with(**{name: value})


def test_postgres_connections_come_from_a_pool(settings_with):
    database = settings_with(DATABASE_URL="postgres://u:p@db/hakem?sslmode=require")["DATABASES"]["default"]
    assert database["CONN_MAX_AGE"] == 0
    assert database["OPTIONS"]["pool"] == {"min_size": 1, "max_size": 16, "timeout": 20}
    assert database["OPTIONS"]["sslmode"] == "require"


def test_sqlite_by_url_is_set_up_like_the_default(settings_with, tmp_path):
    found = settings_with(DATABASE_URL=f"sqlite:///{tmp_path}/other.sqlite3")
    assert found["IS_SQLITE"]
    assert found["DATABASES"]["default"]["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_redis_serves_everything_that_processes_share(settings_with):
    url = "redis://redis:6379/0"
    found = settings_with(REDIS_URL=url)
    assert not found["EMBEDDED"]
    assert found["CELERY_BROKER_URL"] == found["RATE_LIMIT_STORAGE"] == found["CACHES"]["default"]["LOCATION"] == url
    assert found["CHANNEL_LAYERS"]["default"]["CONFIG"]["hosts"] == [{"address": url, "socket_timeout": None}]


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_long_task_is_not_given_to_a_second_worker(scheme, settings_with):
    options = settings_with(CELERY_BROKER_URL=f"{scheme}://redis")["CELERY_BROKER_TRANSPORT_OPTIONS"]
    assert options["visibility_timeout"] == 86_400


def test_rabbitmq_may_carry_the_work(settings_with):
    found = settings_with(REDIS_URL="redis://redis", CELERY_BROKER_URL="amqp://u:p@rabbit//")
    assert found["CELERY_BROKER_URL"] == "amqp://u:p@rabbit//"
    assert found["CELERY_BROKER_TRANSPORT_OPTIONS"] == {}
    assert not found["EMBEDDED"]


def test_every_periodic_task_exists():
    from config.celery import app

    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks
        assert entry["options"]["expires"] > float(entry["schedule"])


# --- in a process of its own -------------------------------------------------------------------------------------


def test_a_bad_value_stops_every_command_with_its_sentence(manage):
    done = manage("check", DATABASE_URL="mysql://vera:sesame@h/n")
    assert done.returncode != 0
    assert "DATABASE_URL must begin with sqlite:// or postgres://" in done.stderr
    assert "sesame" not in done.stderr + done.stdout


def test_behind_tls_the_deployment_checks_find_nothing(manage):
    done = manage(
        "check", "--deploy", "--fail-level", "WARNING", PUBLIC_URL="https://hakem.example.org", TRUSTED_PROXIES="::1"
    )
    assert (done.returncode, done.stdout) == (0, "System check identified no issues (3 silenced).\n"), done.stderr


def test_without_tls_they_complain_about_that_and_nothing_else():
    complaints = {complaint.id for complaint in run_checks(include_deployment_checks=True)}
    assert complaints - set(settings.SILENCED_SYSTEM_CHECKS) == {"security.W004", "security.W012", "security.W016"}


def test_a_command_before_the_first_migration_says_what_to_run_first(manage):
    told = manage("benchmarks")
    assert told.returncode == 1
    assert "the database is empty. Run: python manage.py migrate" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.django_db
def test_the_models_have_their_migrations(capsys):
    call_command("makemigrations", check=True, dry_run=True)
    assert capsys.readouterr().out == "No changes detected\n"


def test_the_key_of_sessions_can_be_changed_without_signing_anybody_out(settings_with, settings):
    from django.core import signing

    settings.SECRET_KEY = "o" * 40
    signed = signing.dumps("a visitor")
    found = settings_with(SECRET_KEY=f"{'n' * 40},{'o' * 40}")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = found["SECRET_KEY"], found["SECRET_KEY_FALLBACKS"]
    assert signing.loads(signed) == "a visitor"
    assert signing.dumps("x", salt="y") != signing.dumps("x", key="o" * 40, salt="y")


def test_logs_are_for_people_in_one_process_and_for_machines_in_several(settings_with):
    assert settings_with()["LOGGING"]["handlers"]["console"]["formatter"] == "line"
    assert settings_with(LOG_FORMAT="json")["LOG_FORMAT"] == "json"
    assert settings_with(REDIS_URL="redis://cache/0")["LOG_FORMAT"] == "json"
