"""What a model writes stays text, under the content security policy of an answer page."""

from __future__ import annotations

import re

import pytest

from tests.e2e.harness.page import Harness
from tests.e2e.harness.server import HARNESS
from tests.e2e.xss_corpus import CORPUS, Case

pytestmark = pytest.mark.e2e
ALLOWED = {
    name
    for line in (HARNESS / "allowed.txt").read_text().splitlines()
    if line and not line.startswith("#")
    for element, *attributes in [line.split()]
    for name in (element, *(f"{element}@{attribute}" for attribute in attributes))
}
LINK = re.compile(r"(https?|mailto): noopener noreferrer nofollow ugc _blank no-referrer")


def placements(text: str) -> list[str]:
    """A hostile text in every place where a model can write one."""
    line = text.replace("\n", " ")
    return [
        text,
        f"- {line}\n  1. {line}",
        f"> {line}",
        f"|a|b|\n|-|-|\n|{line}|x|",
        f"# {line}",
        f"[{line}](https://a.example/)",
        f"[x]({line})",
        f"[x](<{line}>)",
        f"![{line}]({line})",
        f"[x]: {line}\n\n[x]",
        f"`{line}`",
        f"~~~~~~html\n{text}\n~~~~~~",
        f"~~~~~~{line}\ncode\n~~~~~~",
        f"a $x{line}$ b \\({line}\\)",
        f"$$\n\\text{{{line}}}\n$$",
        f"<think>\n{text}\n</think>\n{text}",
    ]


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.id)
def test_it_renders_hostile_text_as_text(answer: Harness, case: Case) -> None:
    for text in placements(case.text):
        answer.run("render", text)
        found = answer.run("inventory")
        assert set(found["seen"]) - ALLOWED == set()
        assert [link for link in found["links"] if not LINK.fullmatch(link)] == []


def test_the_corpus_is_large_and_has_no_doubles() -> None:
    assert len(CORPUS) >= 140
    assert len({case.id for case in CORPUS}) == len({case.text for case in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>window.pwned=1</script>", "<script>window.pwned=1</script>"),
        ("[click](javascript:alert(1))", "[click](javascript:alert(1))"),
        ("[contents](#part-2) and [file](./a.py)", "contents and file"),
        ("[www.bank.example](https://evil.example/)", "www.bank.exampleevil.example"),
        ("[bank.example](https://www.bank.example/x)", "bank.example"),
        ("https://a.example/file.html", "https://a.example/file.html"),
        ("[help@bank.example](mailto:thief@evil.example)", "help@bank.examplethief@evil.example"),
        ("[Apple](https://\u0430pple.example/)", "Applexn--pple-43d.example"),
        ("![a cat](https://evil.example/t.gif)", "Image not loadeda catevil.example"),
        ("user \u202eexe.gpj", "user U+202Eexe.gpj"),
        ("\x1b[31mred", "\u241b[31mred"),
        ("a\u200b\u200b\u200bb", "aU+200B×3b"),
        ("main.py and README.md", "main.py and README.md"),
        ("{{ user }} {% debug %}", "{{ user }} {% debug %}"),
    ],
)  # fmt: skip
def test_it_says_what_is_hidden(answer: Harness, text: str, shown: str) -> None:
    answer.run("render", text)
    assert answer.page.evaluate("harness.answer.textContent") == shown


@pytest.mark.parametrize(
    "text",
    [
        "$\\kern{-3em}\\rlap{\\raisebox{5em}{Vote for A}}$",
        "$\\smash{\\raisebox{4em}{\\rule{5em}{5em}}}$",
        "$\\kern-900em x$",
        "Z" + "\u0310" * 900,
    ],
    ids=["raised", "smashed", "pulled-left", "combining"],
)
def test_it_draws_nothing_outside_its_box(answer: Harness, text: str) -> None:
    answer.run("render", "")
    before = answer.page.locator("h1").screenshot()
    answer.run("render", text)
    assert answer.page.locator("h1").screenshot() == before
    assert answer.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
