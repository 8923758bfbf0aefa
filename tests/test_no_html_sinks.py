"""Nothing in the app turns a string into HTML or code: a search over all our own files."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOT_OURS = {"vendor", "tests", "node_modules", "staticfiles"}

SINKS = {
    ".js": re.compile(
        r"\b(?:inner|outer)HTML\b|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment"
        r"|setHTMLUnsafe|parseHTMLUnsafe|\bsrcdoc\b|\beval\(|new Function\b|setAttribute\(\s*[\"'](?:on|style\b)"
        r"|(?:setTimeout|setInterval)\(\s*[\"'`]"
    ),
    ".html": re.compile(
        r"\|\s*safe\b|\|\s*safeseq\b|autoescape\s+off|\sstyle\s*=|\son[a-z]+\s*=\s*[\"']|\bhx-on\b"
        r"|<script(?![^>]*\bsrc=)(?![^>]*type=[\"']application/(?:ld\+)?json)|javascript:"
    ),
    ".py": re.compile(r"\bmark_safe\b|\bSafeString\b|__html__|autoescape\s*(?:=\s*False|off)|\|\s*safe\b"),
}


def own_files(suffix: str) -> list[Path]:
    found = (path for path in ROOT.rglob(f"*{suffix}") if not hidden_or_foreign(path))
    return sorted(found)


def hidden_or_foreign(path: Path) -> bool:
    folders = path.relative_to(ROOT).parts[:-1]
    return any(folder in NOT_OURS or folder.startswith(".") for folder in folders)


def findings(path: Path, pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("suffix", SINKS)
def test_no_string_becomes_html_or_code(suffix: str) -> None:
    found = [finding for path in own_files(suffix) for finding in findings(path, SINKS[suffix])]
    assert found == []


@pytest.mark.parametrize(
    ("suffix", "line"),
    [
        (".js", "node.innerHTML = text"),
        (".js", "node.setAttribute('onclick', x)"),
        (".js", "setTimeout('x()', 1)"),
        (".html", "{{ name|safe }}"),
        (".html", "{% autoescape off %}"),
        (".html", "<script>x()</script>"),
        (".html", '<p style="color: red">'),
        (".py", "from django.utils.safestring import mark_safe"),
    ],
)
def test_the_search_finds_what_it_is_for(suffix: str, line: str) -> None:
    assert SINKS[suffix].search(line)


@pytest.mark.parametrize(
    ("suffix", "line"),
    [
        (".js", "node.textContent = text"),
        (".html", '<script type="module" src="{% static \'js/a.js\' %}"></script>'),
        (".html", '<script id="words" type="application/json">{}</script>'),
        (".py", 'format_html("<b>{}</b>", name)'),
    ],
)
def test_the_search_leaves_the_safe_way_alone(suffix: str, line: str) -> None:
    assert not SINKS[suffix].search(line)


def test_there_is_something_to_search() -> None:
    assert len(own_files(".js")) > 5
