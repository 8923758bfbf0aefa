"""Good Markdown, formulas and reasoning in their right shape."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.harness.page import Harness
from tests.e2e.markdown.conftest import STATIC

pytestmark = pytest.mark.e2e


def lines(*expected: str) -> str:
    return "\n".join(expected)


def test_nested_lists(answer: Harness) -> None:
    assert answer.structure("- a\n  1) b\n  2) c\n- d") == lines(
        'div class="md-flow"', ' ul dir="auto"', "  li", '   "a"', "   ol", "    li", '     "b"', "    li", '     "c"', "  li", '   "d"'
    )  # fmt: skip


def test_a_list_that_starts_elsewhere(answer: Harness) -> None:
    assert ' ol dir="auto" start="3"' in answer.structure("3. c\n4. d").split("\n")


def test_a_task_list(answer: Harness) -> None:
    assert answer.structure("- [x] a\n- [ ] b\n- [link] c").count('class="md-task"') == 2


@pytest.mark.parametrize("text", ["~~~js\nlet a;\n~~~", "- x\n\n  ```js\n  let a;\n  ```", "> ```js\n> let a;\n> ```"])
def test_fences_everywhere(answer: Harness, text: str) -> None:
    answer.run("render", text)
    expect(answer.page.locator("#answer .md-code-language")).to_have_text("js")
    assert answer.page.evaluate("harness.answer.querySelector('pre code').textContent") == "let a;\n"
    expect(answer.page.locator("#answer .hl-keyword")).to_have_text("let")


def test_every_language_on_the_list_can_be_coloured(answer: Harness) -> None:
    listed = re.findall(r"^  (\w+): \(\) =>", (STATIC / "js/lib/code_languages.js").read_text(), re.MULTILINE)
    assert len(listed) == 30
    code = 'for (int i = 0; i < 3; i++) { return "text"; } # 12 [a]\n- b: 1\n+c\n@@ -1 +1 @@\n\\begin{a}\n<p>\nFROM x\n'
    answer.run("render", "\n".join(f"```{name}\n{code}```" for name in listed))
    plain = answer.page.evaluate(
        "[...harness.answer.querySelectorAll('code')].filter((c) => !c.children.length).length"
    )
    assert plain == 0


def test_an_unknown_language_stays_plain(answer: Harness) -> None:
    answer.run("render", "```brainfuck\n+[->+<]\n```")
    assert answer.page.evaluate("harness.answer.querySelector('code').children.length") == 0


def test_a_table(answer: Harness) -> None:
    structure = answer.structure("|  | b | c |\n|:--|:-:|--:|\n| 1 | 2<br>3 | `x|y` |")
    for line in [
        "   thead",
        '     td class="md-left"',
        '     th class="md-center" scope="col"',
        '     td class="md-right"',
        "      br",
    ]:
        assert line in structure.split("\n")
    assert structure.startswith(
        'div class="md-flow"\n div aria-label="Table" class="md-table" dir="auto" role="group" tabindex="0"'
    )


def test_a_dropped_link_does_not_empty_a_cell(answer: Harness) -> None:
    answer.run("render", "|[](#x) a|\n|-|\n|b|")
    expect(answer.page.locator("#answer th")).to_have_text("a")


def test_reference_links(answer: Harness) -> None:
    assert (
        answer.structure("[a][b] and [b]\n\n[b]: <https://x.example/a b>").count('a href="https://x.example/a%20b"')
        == 2
    )


def test_headings_are_paragraphs(answer: Harness) -> None:
    structure = answer.structure("# a\n\nb\n===\n\n###### c")
    assert structure.count('p class="mh mh1"') == 2
    assert structure.count('p class="mh mh6"') == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("snake_case_name", '"snake_case_name"'),
        ("2 * 3 * 4", '"2 * 3 * 4"'),
        ("&lt;b&gt; &copy; &hearts;", '"<b> © ♥"'),
        ("\\*not em\\*", '"*not em*"'),
        ("It costs $5 and $10.", '"It costs $5 and $10."'),
        ("$5-$10, US$3, $20k to $30k", '"$5-$10, US$3, $20k to $30k"'),
        ("5$ or 6$", '"5$ or 6$"'),
        ("$5 and 10$ more", '"$5 and 10$ more"'),
        ("$HOME:$PATH and $HOME/$USER", '"$HOME:$PATH and $HOME/$USER"'),
        ("a $ b $ c, \\$x\\$", '"a $ b $ c, $x$"'),
        ("as in \\[1\\] and \\[see below\\]", '"as in [1] and [see below]"'),
    ],
)  # fmt: skip
def test_text_that_looks_like_markup(answer: Harness, text: str, shown: str) -> None:
    assert answer.structure(text) == lines('div class="md-flow"', ' p dir="auto"', f"  {shown}")


@pytest.mark.parametrize(
    "text",
    ["$x^2$", "the $n$th", "\\(x\\)", "so \\[x = 1\\] holds", "$$x$$", "$$\nx\n= y\n$$", "\\[\na\n- b\n\\]", "- a\n  $$\n  x\n  $$", "1. so\n\\[\nx\n\\]\n2. b", "|a|\n|-|\n|$x$|", "**$x$**", "$\\frac{1}{2}$ of $5"],
)  # fmt: skip
def test_formulas(answer: Harness, text: str) -> None:
    answer.run("render", text)
    assert answer.page.locator("#answer .katex-html").count() == 1
    assert answer.page.locator("#answer .mh").count() == 0


@pytest.mark.parametrize("text", ["$\\frac{1}{$", "$$\n\\nosuch{x}\n$$", "\\(\\left( x\\)"])
def test_a_broken_formula_stays_source(answer: Harness, text: str) -> None:
    answer.run("render", text)
    assert answer.page.evaluate("harness.answer.textContent") == text
    assert answer.page.locator("#answer .katex").count() == 0


def test_formulas_cannot_change_each_other(answer: Harness) -> None:
    answer.run("render", "$\\gdef\\alpha{\\text{changed}}\\alpha$ then $\\alpha$")
    assert "α" in answer.page.locator("#answer .katex-html").nth(1).text_content()


def test_right_to_left_text_finds_its_direction(answer: Harness) -> None:
    answer.run("render", "مرحبا `code` **عالم**\n\nEnglish\n\n- مرحبا\n- b\n\n`code` ثم نص\n\n```\nx\n```")
    directions = answer.page.evaluate(
        "[...harness.answer.querySelector('.md-flow').children].map((e) => getComputedStyle(e).direction)"
    )
    assert directions == ["rtl", "ltr", "rtl", "rtl", "ltr"]


def test_reasoning_is_folded_above_the_answer(answer: Harness) -> None:
    assert answer.structure("<think>\n*hm*\n</think>\n\nso **b**") == lines(
        'details class="think"', " summary", '  "Reasoning"', ' div class="md-flow"', '  p dir="auto"', "   em", '    "hm"',
        'div class="md-flow"', ' p dir="auto"', '  "so "', "  strong", '   "b"',
    )  # fmt: skip


def test_unfinished_reasoning_is_no_answer(answer: Harness) -> None:
    assert answer.structure("<think>\nhm") == lines(
        'details class="think"', " summary", '  "Reasoning"', ' div class="md-flow"', '  p dir="auto"', '   "hm"', 'div class="md-flow"'
    )  # fmt: skip


def test_a_lone_closing_tag_ends_reasoning(answer: Harness) -> None:
    answer.run("render", "hm\n</think>\nyes")
    expect(answer.page.locator("#answer > .md-flow")).to_have_text("yes")
    answer.run("render", "write `</think>` at the end\n\n```\n</think>\n```")
    assert answer.page.locator("#answer details").count() == 0


def test_half_a_tag_is_held_back_and_the_fold_stays_open(answer: Harness) -> None:
    seen = answer.page.evaluate("""async () => {
        const stream = new harness.MarkdownStream(harness.answer);
        const seen = [];
        for (const piece of ["<th", "ink>", "a</th", "ink>b"]) {
            stream.append(piece);
            stream.flush();
            seen.push(harness.answer.textContent);
            const details = harness.answer.querySelector("details");
            if (details) details.open = true;
        }
        await stream.finish();
        return [...seen, harness.answer.querySelector("details").open];
    }""")
    assert seen == ["", "Reasoning", "Reasoninga", "Reasoningab", True]
