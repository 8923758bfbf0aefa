"""`.env.example` lists exactly the variables that are read, each with its default and a line that explains it."""

import ast

import pytest

from tests.config.conftest import EXAMPLE, ROOT, SETTINGS, VARIABLE

TEXT = (ROOT / ".env.example").read_text()
READ_ELSEWHERE = {
    "manage.py": {"OMP_WAIT_POLICY", "TOKENIZERS_PARALLELISM", "DJANGO_SETTINGS_MODULE"},
    "config/asgi.py": {"DJANGO_SETTINGS_MODULE"},
    "config/celery.py": {"DJANGO_SETTINGS_MODULE"},
}
"""Variables of other programs, which are set here if nobody has."""


def variables_read():
    """First arguments of every `env_…` call in the settings."""
    calls = [node for node in ast.walk(ast.parse(SETTINGS.read_text())) if isinstance(node, ast.Call)]
    return [call.args[0].value for call in calls if isinstance(call.func, ast.Name) and call.func.id.startswith("env_")]


def test_it_lists_what_is_read_and_nothing_else():
    listed = [name for name, _ in VARIABLE.findall(TEXT)]
    assert sorted(listed) == sorted(variables_read())


def test_nothing_else_is_set():
    lines = [line for line in TEXT.splitlines() if line and not line.startswith("# ")]
    assert all(VARIABLE.match(line) for line in lines)


def test_a_line_explains_each():
    lines = TEXT.splitlines()
    for number, line in enumerate(lines):
        if VARIABLE.match(line):
            assert lines[number - 1].startswith("# "), f"{line} is not explained"
            assert not lines[number - 1].startswith("# ---"), f"{line} is not explained"
            assert lines[number - 1].endswith((".", "en or tr.")), lines[number - 1]


def test_the_defaults_are_the_defaults(settings_with, monkeypatch):
    monkeypatch.chdir(ROOT)
    keys = {"SECRET_KEY": "s" * 50, "VOTER_KEY": "v" * 50, "HAKEM_DATA_DIR": ""}
    unset = settings_with(**keys)
    listed = settings_with(**EXAMPLE | {name: EXAMPLE[name] or value for name, value in keys.items()})
    for name in filter(str.isupper, unset):
        assert listed[name] == unset[name], name


def test_no_code_reads_the_environment_past_the_readers():
    for path in [ROOT / "manage.py", *ROOT.glob("[a-z]*/**/*.py")]:
        name = str(path.relative_to(ROOT))
        if name.startswith(("tests/", "tools/", "bench/", "stats/", "llms/engines/")) or name == "config/env.py":
            continue
        read = {
            node.args[0].value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
            and ast.unparse(node.func) in {"os.environ.get", "os.getenv", "os.environ.setdefault"}
        }
        assert read <= READ_ELSEWHERE.get(name, set()), name


@pytest.mark.parametrize("name", EXAMPLE)
def test_a_name_says_what_it_is(name):
    assert name == name.upper()
    assert not name.startswith("_")
