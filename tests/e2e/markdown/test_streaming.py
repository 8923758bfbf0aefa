"""An answer while it arrives, and one that is too long."""

from __future__ import annotations

import sys

import pytest
from playwright.sync_api import expect

from tests.e2e.harness.page import Harness
from tests.e2e.harness.texts import generated, long_answer
from tests.e2e.xss_corpus import CORPUS

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("batch", range(8))
def test_it_shows_a_stream_like_the_whole_text(answer: Harness, batch: int) -> None:
    for number, text in enumerate(generated(50, seed=1000 * batch)):
        difference = answer.run("firstDifference", text, number, True)
        assert difference is None, (text, difference)


def test_it_shows_hostile_streams_like_the_whole_text(answer: Harness) -> None:
    for number, case in enumerate(case for case in CORPUS if len(case.text) < 2000):
        difference = answer.run("firstDifference", case.text, number, False)
        assert difference is None, (case.id, difference)


def test_it_keeps_the_nodes_of_finished_blocks(answer: Harness) -> None:
    kept = answer.page.evaluate("""async () => {
        const stream = new harness.MarkdownStream(harness.answer);
        stream.append("# One\\n\\nfirst **bold**\\n\\n```python\\nx = 1\\n```\\n\\n- a\\n- b\\n\\n");
        stream.flush();
        const before = [...harness.answer.querySelectorAll(".md-flow, .md-flow *")].slice(0, -1);
        for (const piece of ["next", " para", "graph\\n\\n|a|\\n|-|\\n|b|\\n\\n", "$x$ and more"]) {
            stream.append(piece);
            stream.flush();
        }
        await stream.finish();
        return before.filter((node) => node.isConnected && !node.closest("code")).length
            === before.filter((node) => !node.closest("code")).length;
    }""")
    assert kept is True


def test_a_selection_survives_in_the_growing_paragraph(answer: Harness) -> None:
    selected = answer.page.evaluate("""() => {
        const stream = new harness.MarkdownStream(harness.answer);
        stream.set("some words to select").flush();
        const text = harness.answer.querySelector("p").firstChild;
        getSelection().setBaseAndExtent(text, 5, text, 10);
        stream.append(" and then **more** and more");
        stream.flush();
        return getSelection().toString();
    }""")
    assert selected == "words"


def test_a_late_definition_reaches_earlier_blocks(answer: Harness) -> None:
    links = answer.page.evaluate("""async () => {
        const stream = new harness.MarkdownStream(harness.answer);
        stream.set("see [one]\\n\\ntext\\n\\nmore").flush();
        const before = harness.answer.querySelectorAll("a").length;
        stream.flush();
        stream.append("\\n\\n[one]: https://a.example/");
        await stream.finish();
        return [before, harness.answer.querySelector("a").href];
    }""")
    assert links == [0, "https://a.example/"]


def test_it_renders_once_per_frame(answer: Harness) -> None:
    answer.page.evaluate("""() => {
        window.stream = new harness.MarkdownStream(harness.answer);
        for (const word of ["one ", "two ", "three"]) window.stream.append(word);
    }""")
    expect(answer.page.locator("#answer p")).to_have_text("one two three")


def test_a_long_stream_finishes(answer: Harness, record_property, capsys) -> None:
    for length in (8_000, 64_000):
        cost = answer.run("measureStream", long_answer(length), 60)
        record_property(f"frame_cost_{length}", cost)
        with capsys.disabled():
            sys.stdout.write(
                f"\n{length} characters: {cost['mean']:.1f} ms mean, {cost['worst']:.1f} ms worst of {cost['frames']}"
            )
        assert answer.page.locator("#answer p").count() > 5


def test_it_offers_the_rest_of_a_very_long_answer_as_text(answer: Harness) -> None:
    text = "a line of words\n\n" * 6000 + "the very end"
    answer.run("render", text)
    expect(answer.page.locator("#answer")).not_to_contain_text("the very end")
    answer.page.get_by_role("button", name="Show all as text").click()
    assert answer.page.evaluate("harness.answer.textContent") == text
    assert answer.page.locator("#answer button").count() == 0


def test_the_text_view_goes_on_growing(answer: Harness) -> None:
    shown = answer.page.evaluate("""async () => {
        const stream = new harness.MarkdownStream(harness.answer);
        stream.set("word ".repeat(20000)).flush();
        harness.answer.querySelector(".md-show-all").click();
        stream.append("**the end**");
        await stream.finish();
        return harness.answer.textContent.slice(-15);
    }""")
    assert shown == "ord **the end**"


@pytest.mark.parametrize(
    "text", ["> " * 60 + "deep", "".join("  " * i + "- x\n" for i in range(60))], ids=["quotes", "lists"]
)
def test_too_deep_nesting_stays_source_and_loses_nothing(answer: Harness, text: str) -> None:
    answer.run("render", text)
    assert answer.page.evaluate("harness.answer.textContent").split() == text.split()
