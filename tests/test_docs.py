"""What the documents name exists: commands, options, variables, addresses, files, make targets."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.urls import URLResolver, get_resolver

from arena.routing import websocket_urlpatterns
from tests.config.conftest import EXAMPLE, ROOT

DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md"))
LATER = {"docs/battle.png"}
"""Pictures of pages, made by hand once the pages are what they will be."""


def code_of(document: Path) -> str:
    """What stands in backticks, in fences and in indented blocks."""
    text = document.read_text()
    fenced = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    .*$", text, re.MULTILINE)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return "\n".join([*fenced, *indented, *inline])


def routes(patterns, before: str = ""):
    for pattern in patterns:
        whole = before + str(pattern.pattern).lstrip("^")
        yield from routes(pattern.url_patterns, whole) if isinstance(pattern, URLResolver) else [whole]


def variables_of_tools() -> set[str]:
    """Read by tests, tools and make, not by the product."""
    sources = "\n".join(path.read_text() for path in [*ROOT.glob("tests/**/*.py"), *ROOT.glob("tools/*.py")])
    makefile = (ROOT / "Makefile").read_text()
    of_python = re.findall(r"""environ(?:\.get\(|\[)"([A-Z_]+)\"""", sources)
    return {*of_python, *re.findall(r"^([A-Z]+) \?=", makefile, re.MULTILINE), *re.findall(r"\$\(([A-Z]+)\)", makefile)}


@pytest.fixture(params=DOCUMENTS, ids=lambda document: document.name)
def document(request: pytest.FixtureRequest) -> Path:
    if not DOCUMENTS:
        pytest.skip("there are no documents yet")
    return request.param


def test_every_management_command_exists(document):
    named = set(re.findall(r"manage\.py ([a-z_]+)", document.read_text()))
    assert named <= set(get_commands())


def test_every_option_of_a_command_of_ours_exists(document):
    commands = get_commands()
    for name, rest in re.findall(r"manage\.py ([a-z_]+)([^\n`]*)", code_of(document)):
        options = re.findall(r"(--[a-z-]+)", rest.split("&&")[0])
        parser = load_command_class(commands[name], name).create_parser("manage.py", name)
        known = {option for action in parser._actions for option in action.option_strings}
        assert set(options) <= known, f"manage.py {name}"


def test_every_make_target_exists(document):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", code_of(document))) <= targets


def test_every_variable_is_read_by_somebody(document):
    named = set(re.findall(r"\b([A-Z]{2,}_[A-Z0-9_]*[A-Z0-9])\b(?!/)", code_of(document)))
    named |= set(re.findall(r"\b([A-Z]{3,})=", code_of(document)))
    of_others = {
        "PIP_EXTRA_INDEX_URL",
        "LC_MESSAGES",
        "CUDA_VISIBLE_DEVICES",
        "TORCH_INDEX",
        "OLLAMA_HOST",
        "OLLAMA_NUM_PARALLEL",
        "KEY",
    }
    assert named - set(EXAMPLE) - of_others - variables_of_tools() == set()


def test_every_address_leads_somewhere(document):
    known = ["/" + route for route in routes([*get_resolver().url_patterns, *websocket_urlpatterns])]
    known += ["/static/"]
    for address in re.findall(r"(?<![\w.>)~])`(/[\w/.<>-]*)`", document.read_text()):
        assert any(route.startswith(address) for route in known), address


def test_every_file_exists(document):
    text = document.read_text()
    linked = {name for name in re.findall(r"\]\(([^)#:]+)\)", text) if not name.startswith("..")}
    named = set(re.findall(r"`([\w.-]+(?:/[\w.-]+)*\.(?:py|md|yaml|toml|js|css|txt|po))`", text))
    for name in linked | named:
        places = [ROOT / name, document.parent / name, *ROOT.glob(f"[a-z]*/**/{name}")]
        assert name in LATER or any(place.exists() for place in places), name


def test_every_variable_that_matters_to_an_operator_is_explained_somewhere():
    documents = "\n".join(document.read_text() for document in DOCUMENTS)
    for name in ("HAKEM_DATA_DIR", "PUBLIC_URL", "TRUSTED_PROXIES", "DATABASE_URL", "REDIS_URL", "ACCESS"):
        assert name in documents or not DOCUMENTS, name
