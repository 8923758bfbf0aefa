"""What a reader, a template and a translation do with rendered answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.harness.collect import collect
from tests.e2e.harness.page import Harness
from tests.e2e.harness.server import serve
from tests.e2e.harness.texts import long_answer

pytestmark = pytest.mark.e2e


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


def test_hashed_files_load_only_hashed_files(browser: Any, tmp_path: Path) -> None:
    """What `collectstatic` makes works without the unhashed copies."""
    collect(tmp_path)
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
    answer.page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
    answer.run(
        "render",
        long_answer(6_000) + "\n\n```python\n@a\ndef f(x: int = 1):\n    '''doc'''  # note\n```\n\n|a|b|\n|-|-|\n|1|2|",
    )
    results = Axe().run(answer.page, context="#answer").response
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in results["violations"]] == []
