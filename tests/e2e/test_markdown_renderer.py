"""Model output in a real browser, under the content security policy of an answer page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.harness.collect import collect
from tests.e2e.harness.server import HARNESS, serve
from tests.e2e.harness.texts import generated, long_answer
from tests.e2e.xss_corpus import CORPUS, Case

pytestmark = pytest.mark.e2e

STATIC = Path(__file__).resolve().parents[2] / "static"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

ALLOWED = {
    name
    for line in (HARNESS / "allowed.txt").read_text().splitlines()
    if line and not line.startswith("#")
    for element, *attributes in [line.split()]
    for name in (element, *(f"{element}@{attribute}" for attribute in attributes))
}
LINK = re.compile(r"(https?|mailto): noopener noreferrer nofollow ugc _blank no-referrer")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serve(STATIC) as address:
        yield address


class Harness:
    """The harness page, and everything that must not happen on it."""

    def __init__(self, browser: Browser, site: str) -> None:
        self.address = f"{site}/harness/index.html"
        self.faults: list[str] = []
        self.context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        self.page: Page = self.context.new_page()
        self._listen(site)
        self.page.goto(self.address)
        expect(self.page.locator("html[data-ready]")).to_be_attached()

    def _listen(self, site: str) -> None:
        note = self.faults.append
        own = (f"{site}/static/", f"{site}/harness/")
        self.page.on("dialog", lambda dialog: (note(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("console", lambda message: note(message.text) if message.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: note(f"exception {error}"))
        self.page.on("request", lambda request: None if request.url.startswith(own) else note(request.url))
        self.page.on("requestfailed", lambda request: note(f"failed {request.url}"))
        self.page.on(
            "response", lambda response: note(f"{response.status} {response.url}") if response.status > 399 else None
        )
        self.context.on("page", lambda page: note(f"opened {page.url}"))

    def run(self, script: str, *arguments: object) -> object:
        """Calls `harness.<script>(...arguments)`; JSON text also carries unpaired surrogates."""
        return self.page.evaluate(
            "([path, given]) => harness[path](...JSON.parse(given))", [script, json.dumps(arguments)]
        )

    def structure(self, text: str) -> str:
        return str(self.run("structure", text))

    def check_clean(self) -> None:
        state = self.page.evaluate("[typeof window.pwned, location.href, harness.violations, ({}).pwned]")
        assert state == ["undefined", self.address, [], None]
        assert self.faults == []


@pytest.fixture(scope="module")
def harness(browser: Browser, site: str) -> Iterator[Harness]:
    opened = Harness(browser, site)
    yield opened
    opened.context.close()


@pytest.fixture
def answer(harness: Harness) -> Iterator[Harness]:
    """The harness, checked for faults when the test is over."""
    harness.faults.clear()
    yield harness
    harness.check_clean()


# -- hostile texts --------------------------------------------------------------------------------


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


# -- while it arrives -----------------------------------------------------------------------------


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
            print(
                f"\n{length} characters: {cost['mean']:.1f} ms mean, {cost['worst']:.1f} ms worst of {cost['frames']}"
            )
        assert answer.page.locator("#answer p").count() > 5


# -- limits ---------------------------------------------------------------------------------------


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


# -- the shape of good answers --------------------------------------------------------------------


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


# -- reasoning ------------------------------------------------------------------------------------


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


# -- what a reader does ---------------------------------------------------------------------------


def test_copy_takes_the_exact_source(answer: Harness) -> None:
    code = "if (a != 'user\u202e') {\n\treturn \"<b>&amp;\";\n}\n\n  // end  "
    answer.run("render", f"```js\n{code}\n```")
    answer.page.get_by_role("button", name="Copy").click()
    expect(answer.page.get_by_role("button", name="Copied")).to_be_visible()
    assert answer.page.evaluate("navigator.clipboard.readText()") == code
    expect(answer.page.get_by_role("button", name="Copy", exact=True)).to_be_visible()


def test_copy_takes_what_is_there_while_the_code_grows(answer: Harness) -> None:
    answer.page.evaluate("""() => {
        const stream = new harness.MarkdownStream(harness.answer);
        stream.set("```js\\nlet a;").flush();
        stream.append("\\nlet b;").flush();
    }""")
    answer.page.get_by_role("button", name="Copy").click()
    expect(answer.page.get_by_role("button", name="Copied")).to_be_visible()
    assert answer.page.evaluate("navigator.clipboard.readText()") == "let a;\nlet b;"


def test_the_words_can_be_translated(answer: Harness) -> None:
    answer.run(
        "render", "```\nx\n```\n![a](b.png)", {"strings": {"copy": "Kopyala", "imageNotLoaded": "Görsel yüklenmedi"}}
    )
    expect(answer.page.get_by_role("button")).to_have_text("Kopyala")
    expect(answer.page.locator("#answer")).to_contain_text("Görsel yüklenmedi")


def test_a_page_can_upgrade_what_a_template_wrote(answer: Harness) -> None:
    answer.page.evaluate("""async () => {
        const element = document.createElement("div");
        element.dataset.md = "";
        element.textContent = "**b** <i>";
        harness.answer.replaceChildren(element);
        await harness.upgradeMarkdown(harness.answer);
    }""")
    expect(answer.page.locator("#answer strong")).to_have_text("b")
    expect(answer.page.locator("#answer p")).to_have_text("b <i>")


def test_hashed_files_load_only_hashed_files(browser: Browser, tmp_path: Path) -> None:
    """What `collectstatic` makes works without the unhashed copies."""
    collect(STATIC, tmp_path)
    manifest = json.loads((tmp_path / "staticfiles.json").read_text())["paths"]
    with serve(tmp_path) as site:
        opened = Harness(browser, site)
        opened.page.wait_for_load_state("networkidle")
        requests: list[str] = []
        opened.page.on("request", lambda request: requests.append(request.url))
        opened.page.evaluate(
            """async ([module, katexStyles]) => {
                const { renderMarkdown } = await import(module);
                await renderMarkdown(harness.answer, "$x$\\n\\n```python\\nx = 1\\n```", { assets: { katexStyles } });
                await document.fonts.ready;
            }""",
            [f"/static/{manifest[name]}" for name in ("js/lib/markdown.js", "vendor/katex-0.19.1/katex.min.css")],
        )
        expect(opened.page.locator("#answer .katex-html")).to_be_visible()
        expect(opened.page.locator("#answer .hl-number")).to_have_text("1")
        opened.page.wait_for_load_state("networkidle")
        opened.check_clean()
        opened.context.close()
    assert len(requests) > 10
    assert [url for url in requests if not re.search(r"\.[0-9a-f]{12}\.(js|css|woff2)$", url)] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(answer: Harness, theme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    answer.page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
    answer.run(
        "render",
        long_answer(6_000) + "\n\n```python\n@a\ndef f(x: int = 1):\n    '''doc'''  # note\n```\n\n|a|b|\n|-|-|\n|1|2|",
    )
    results = Axe().run(answer.page, context="#answer").response
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in results["violations"]] == []
