"""Random Markdown, the same for the same seed, rich in what is hard to render while it grows."""

from __future__ import annotations

from random import Random

from tests.e2e.xss_corpus import CORPUS

INLINE = [
    "plain words", "**bold**", "*em*", "***both***", "__under__", "_a_", "snake_case_name", "~~gone~~",
    "`code`", "``a ` b``", "[link](https://a.example/x)", "[ref][one]", "[one]", "![alt](https://i.example/p.png)",
    "<https://auto.example/>", "https://bare.example/a_b_c", "mailto:a@b.example", "$x^2$", "\\(y_1\\)", "$5 and $10",
    "\\[z\\]", "&amp; &copy;", "\\*escaped\\*", "<br>", "<b>tag</b>", "2 * 3 * 4", "**open", "`open", "[open](",
    "$open", "\u202ebidi", "مرحبا", "日本語**太字**です", "line  \nbreak", "soft\nbreak", "a\\\nb", "👩‍👩‍👧", "|pipe|",
]  # fmt: skip
LANGUAGES = ["python", "js", "html", "", "text", "c++", "diff", "nosuch", "json"]
CODE = [
    "x = 1\n", "def f(a):\n    return a\n", "<p>hi</p>\n", "- not a list\n", "\n", "const a = `${b}`\n",
    "```\n", "~~~\n", "+added\n-removed\n", '{"a": [1, 2]}\n', "# comment\n", "\tindented\n",
]  # fmt: skip
FORMULAS = ["a = b", "\\frac{1}{2}", "x\n= y", "\\begin{aligned}a&=b\\\\c&=d\\end{aligned}", "\\nosuch{", "- x"]


class MarkdownGrammar:
    """Each method makes one kind of block."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def text(self) -> str:
        blocks = [self.block() for _ in range(self.random.randint(1, 8))]
        thinking = f"<think>\n{self.paragraph()}\n</think>\n\n" if self.random.random() < 0.15 else ""
        return thinking + "".join(block + self.random.choice(["\n\n", "\n\n", "\n"]) for block in blocks)

    def block(self) -> str:
        kinds = [
            self.paragraph, self.paragraph, self.heading, self.bullets, self.numbers, self.fence,
            self.quote, self.table, self.formula, self.definition, self.hostile, self.setext, self.rule,
        ]  # fmt: skip
        return self.random.choice(kinds)()

    def words(self, most: int = 5) -> str:
        return " ".join(self.random.choices(INLINE, k=self.random.randint(1, most)))

    def line(self) -> str:
        return self.words().replace("\n", " ")

    def paragraph(self) -> str:
        return self.words(8)

    def heading(self) -> str:
        return "#" * self.random.randint(1, 6) + " " + self.line()

    def setext(self) -> str:
        return f"{self.line()}\n{self.random.choice(['===', '---'])}"

    def rule(self) -> str:
        return self.random.choice(["---", "***", "___", "- - -"])

    def bullets(self, depth: int = 0) -> str:
        mark = self.random.choice("-*+")
        items = [f"{mark} {self.random.choice(['', '[ ] ', '[x] '])}{self.inside(depth)}" for _ in range(self.many())]
        return self.random.choice(["\n", "\n\n"]).join(items)

    def numbers(self, depth: int = 0) -> str:
        end = self.random.choice(".)")
        first = self.random.choice([1, 1, 3])
        return "\n".join(f"{first + i}{end} {self.inside(depth)}" for i in range(self.many()))

    def many(self) -> int:
        return self.random.randint(1, 4)

    def inside(self, depth: int) -> str:
        """The content of a list item, sometimes with blocks of its own."""
        if depth > 2 or self.random.random() < 0.6:
            return self.line()
        kind = self.random.choice([self.fence, self.quote, self.formula, self.nested(depth), self.table])
        return f"{self.line()}\n" + indent(kind(), self.random.choice([2, 3, 4]))

    def nested(self, depth: int):
        return lambda: self.random.choice([self.bullets, self.numbers])(depth + 1)

    def fence(self) -> str:
        mark = self.random.choice(["```", "~~~", "````"])
        body = "".join(self.random.choices(CODE, k=self.random.randint(0, 6)))
        end = mark if self.random.random() < 0.9 else ""
        return f"{mark}{self.random.choice(LANGUAGES)}\n{body}{end}"

    def quote(self) -> str:
        content = self.random.choice([self.paragraph, self.fence, self.heading])()
        return "\n".join(f"> {line}" for line in content.split("\n"))

    def table(self) -> str:
        columns = self.random.randint(1, 4)
        rule = "|".join(self.random.choice(["---", ":--", "--:", ":-:"]) for _ in range(columns))
        rows = ["|".join(self.line().replace("|", "/") for _ in range(columns)) for _ in range(self.many())]
        return "\n".join(f"|{row}|" for row in [rows[0], rule, *rows[1:]])

    def formula(self) -> str:
        start, end = self.random.choice([("$$", "$$"), ("\\[", "\\]")])
        return f"{start}\n{self.random.choice(FORMULAS)}\n{end}"

    def definition(self) -> str:
        return f"[one]: https://{self.random.choice('abc')}.example/one"

    def hostile(self) -> str:
        return self.random.choice([case.text for case in CORPUS if len(case.text) < 200])


def indent(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.split("\n"))


def generated(count: int, seed: int = 2026) -> list[str]:
    return [MarkdownGrammar(seed + number).text() for number in range(count)]


def long_answer(length: int) -> str:
    """Prose, code, formulas and tables up to a length."""
    grammar = MarkdownGrammar(7)
    kinds = [grammar.paragraph, grammar.bullets, grammar.fence, grammar.table, grammar.formula]
    parts: list[str] = []
    while sum(map(len, parts)) < length:
        parts.append(grammar.random.choice(kinds)() + "\n\n")
    return "".join(parts)[:length]
