"""The image and the worked example of the scaled installation. No container engine is needed: what would run inside
one is run outside."""

import ast
import fnmatch
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psycopg
import pytest
import redis
import yaml

from tests.config.conftest import EXAMPLE, ROOT

BIN = Path(sys.executable).parent
ENTRY_POINT = ROOT / "docker-entrypoint.sh"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "hakem"}
ROLES = set(re.findall(r"^  (\w+)\)", ENTRY_POINT.read_text(), re.MULTILINE))


def instructions(name):
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    return re.findall(rf"^{name} (.*)$", joined, re.MULTILINE)


# --- the image ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [["hadolint", "Dockerfile"], ["shellcheck", "docker-entrypoint.sh", ".ci/run", ".ci/demo"]]
)
def test_linters_find_nothing(command):
    tool = shutil.which(command[0], path=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    if tool is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_is_built_in_two_stages_of_the_same_python():
    bases = [base.split()[0] for base in instructions("FROM")]
    assert bases == ["python:3.11-slim", "python:3.11-slim"]
    assert instructions("COPY")[1].startswith("--from=packages ")


def test_torch_comes_from_the_index_of_the_build_argument():
    assert instructions("ARG") == ["TORCH_INDEX=https://download.pytorch.org/whl/cpu"]
    (install,) = [run for run in instructions("RUN") if "pip install" in run]
    assert '--index-url "$TORCH_INDEX"' in install
    assert install.index("torch==") < install.index("--requirement")
    assert re.search(r"^torch==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)


def test_it_runs_as_nobody_in_particular_and_writes_to_its_volume():
    assert instructions("USER") == ["10001"]
    assert instructions("VOLUME") == ["/data"]
    environment = dict(pair.split("=", 1) for line in instructions("ENV")[1:] for pair in line.split())
    assert environment["HAKEM_DATA_DIR"] == "/data"
    assert environment["HF_HOME"].startswith("/data/")
    code = (ROOT / "manage.py").read_text()
    for name in ("OMP_WAIT_POLICY", "TOKENIZERS_PARALLELISM"):
        assert f'"{name}", "{environment[name]}"' in code


def test_the_default_is_the_web_server_and_its_health_is_asked_for():
    assert instructions("ENTRYPOINT") == ['["/app/docker-entrypoint.sh"]']
    assert instructions("CMD") == ['["web"]']
    assert instructions("HEALTHCHECK")[0].endswith('CMD ["/app/docker-entrypoint.sh", "healthy"]')
    assert {"web", "worker", "evaluator", "beat", "migrate", "healthy"} == ROLES
    assert "${1:-healthz}" in ENTRY_POINT.read_text()
    assert os.access(ENTRY_POINT, os.X_OK)


def test_what_runs_is_in_the_image_and_secrets_are_not():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]

    def is_left_out(name):
        return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)

    needed = {
        "accounts",
        "arena",
        "config",
        "leaderboard",
        "llms",
        "stats",
        "telemetry",
        "templates",
        "static",
        "locale",
    }
    for name in {*needed, "manage.py", "requirements.txt", "docker-entrypoint.sh", "LICENSE"}:
        assert not is_left_out(name), name
    for name in (".env", ".git", ".venv", "data", "tests"):
        assert is_left_out(name), name


def test_the_server_is_started_as_up_starts_it():
    """All that differs are host, port, and the log level."""
    (web,) = re.findall(r"exec uvicorn (.*?) \"\$@\"", re.sub(r"\\\n\s*", " ", ENTRY_POINT.read_text()))
    tree = ast.parse((ROOT / "config/management/commands/up.py").read_text())
    (run,) = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "uvicorn.run"]
    options = {
        k.arg: ast.unparse(k.value).strip("'") for k in run.keywords if k.arg not in {"host", "port", "log_level"}
    }
    from config.management.commands.up import FRAME_BYTES

    options["ws_max_size"] = str(FRAME_BYTES)
    for name, value in options.items():
        flag = name.replace("_", "-")
        if name == "log_config":
            assert value == "None"  # and on the command line a file that configures nothing: Django's settings do
            (file,) = re.findall(r"--log-config (\S+)", web)
            assert json.loads((ROOT / file).read_text()) == {"version": 1, "disable_existing_loggers": False}
        elif name in {"server_header", "access_log", "proxy_headers"}:
            assert f"--no-{flag}" in web
            assert value == "False"
        else:
            assert f"--{flag} {value.lower()}" in web
    assert web.startswith(ast.literal_eval(run.args[0]))


# --- compose.yaml ------------------------------------------------------------------------------------------------


def test_one_image_plays_every_part():
    assert {name: service["command"] for name, service in OURS.items()} == {
        name: name for name in ("migrate", "web", "worker", "evaluator", "beat")
    }
    assert set(COMPOSE["services"]) - set(OURS) == {"postgres", "redis", "vllm"}


def test_everything_waits_for_the_migration_which_runs_once():
    assert OURS["migrate"]["restart"] == "no"
    assert OURS["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("web", "worker", "evaluator", "beat"):
        assert OURS[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "redis": {"condition": "service_healthy"},
        }
    for name in ("postgres", "redis"):
        assert COMPOSE["services"][name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_do_no_more_than_they_must(name):
    service = OURS[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["volumes"] == [f"data:{service['environment']['HAKEM_DATA_DIR']}"]
    assert "privileged" not in service


def test_only_the_web_server_is_reached_and_only_from_this_machine():
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:${PORT:-8000}:${PORT:-8000}"]}


def test_only_web_is_asked_for_its_health_by_http():
    assert {name for name, service in OURS.items() if service.get("healthcheck") == {"disable": True}} == {
        "migrate",
        "worker",
        "evaluator",
        "beat",
    }
    assert OURS["web"]["healthcheck"]["test"] == ["CMD", "/app/docker-entrypoint.sh", "healthy", "readyz"]


def test_the_model_server_is_optional():
    assert COMPOSE["services"]["vllm"]["profiles"] == ["vllm"]
    assert [name for name, service in COMPOSE["services"].items() if "profiles" in service] == ["vllm"]


def test_volumes_and_variables_are_known():
    text = (ROOT / "compose.yaml").read_text()
    mounted = {v.split(":")[0] for service in COMPOSE["services"].values() for v in service.get("volumes", [])}
    assert mounted == set(COMPOSE["volumes"])
    for service in OURS.values():
        assert set(service["environment"]) <= set(EXAMPLE)
    for name, fallback in re.findall(r"\$\{(\w+)([^}]*)\}", text):
        assert fallback.startswith((":-", ":?")), f"{name} has neither a default nor a message"


# --- what the entry point runs -----------------------------------------------------------------------------------

POSTGRES, REDIS = "postgres://postgres@127.0.0.1:5432", "redis://127.0.0.1:6379/13"


def entry_point(*arguments, **environment):
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    inherited = {k: v for k, v in os.environ.items() if k not in {*EXAMPLE, "DJANGO_SETTINGS_MODULE"}}
    return subprocess.Popen(
        [ENTRY_POINT, *arguments],
        cwd=ROOT,
        env={**inherited, "PATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_any_other_command_is_run_as_it_is():
    output, _ = entry_point("sh", "-c", 'echo "$1"; exit 3', "sh", "a  b").communicate(timeout=10)
    assert output == "a  b\n"
    process = entry_point("false")
    process.communicate(timeout=10)
    assert process.returncode == 1


def test_nobody_at_home_is_not_healthy():
    process = entry_point("healthy", PORT="9")
    process.communicate(timeout=20)
    assert process.returncode != 0


def refused(reason):
    if os.environ.get("HAKEM_REQUIRE_SERVICES"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def installation(tmp_path):
    """The environment of compose.yaml, on a database of our own."""
    name = f"hakem_containers_{os.getpid()}"
    try:
        server = psycopg.connect(f"{POSTGRES}/postgres", autocommit=True, connect_timeout=3)
        queues = redis.Redis.from_url(REDIS)
        queues.ping()
    except (psycopg.OperationalError, redis.ConnectionError) as error:
        refused(f"PostgreSQL and Redis are needed on their standard ports: {error}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server.execute(f"CREATE DATABASE {name}")
    yield {
        "HAKEM_DATA_DIR": str(tmp_path / "data"),
        "PORT": str(port),
        "DATABASE_URL": f"{POSTGRES}/{name}",
        "REDIS_URL": REDIS,
        "PUBLIC_URL": "https://hakem.example.org",
    }
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.close()
    queues.flushdb()
    queues.close()


def is_healthy(installation, *asked):
    process = entry_point("healthy", *asked, **installation)
    process.communicate(timeout=20)
    return process.returncode == 0


def within(seconds, happened):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.3)
    return False


def fetch(port, path):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": "hakem.example.org"})
    with urllib.request.urlopen(request, timeout=5) as response:
        return response.read().decode()


def doctor(installation):
    process = entry_point("python", "manage.py", "doctor", "--json", **installation)
    output, _ = process.communicate(timeout=120)
    return {row["name"]: row for row in json.loads(output)}


@pytest.mark.services
@pytest.mark.slow
def test_the_four_parts_work_together_and_end_when_told(installation):
    """migrate, then web, worker and beat: the board that the page shows was computed in the worker."""
    migrate = entry_point("migrate", **installation)
    output, _ = migrate.communicate(timeout=120)
    assert migrate.returncode == 0, output
    port = installation["PORT"]
    parts = {role: entry_point(role, **installation) for role in ("web", "worker", "beat")}
    try:
        assert within(60, lambda: is_healthy(installation)), "web is not healthy"
        assert within(60, lambda: json.loads(fetch(port, "/api/v1/leaderboard"))["computed_at"]), "no board"
        assert within(60, lambda: is_healthy(installation, "readyz")), fetch(port, "/healthz")
        assert 'hakem_queue_depth{queue="default"}' in fetch(port, "/metrics")
        seen = doctor(installation)
        assert {name: seen[name]["state"] for name in ("database", "queues", "messages", "clocks")} == dict.fromkeys(
            ("database", "queues", "messages", "clocks"), "ok"
        )
        assert seen["worker"]["state"] == "ok", seen["worker"]
        assert seen["beat"]["words"].startswith("celerybeat-"), seen["beat"]
        (style,) = re.findall(r"/static/css/base\.[0-9a-f]+\.css", fetch(port, "/"))
        assert fetch(port, style)
        assert not (ROOT / "celerybeat-schedule").exists()
    finally:
        for part in parts.values():
            part.send_signal(signal.SIGTERM)
        outputs = {role: part.communicate(timeout=30)[0] for role, part in parts.items()}
    codes = {role: part.returncode for role, part in parts.items()}
    assert codes == {"web": -signal.SIGTERM, "worker": 0, "beat": 0}, outputs
    events = [json.loads(line) for line in outputs["web"].splitlines()]
    served = [event for event in events if event["message"].startswith("GET /api/v1/leaderboard 200")]
    assert served
    assert all(len(event["request"]) == 32 for event in served)
    assert not [line for output in outputs.values() for line in output.splitlines() if "Traceback" in line], outputs
