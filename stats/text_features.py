"""What an answer looks like, as numbers: its length and its Markdown, which win votes whatever the answer says.

Markup counts where it would be rendered, so not inside fenced code and, for spans, not inside inline code. Where
Markdown has corner cases, the rule is the one of CommonMark 0.31, read line by line. Every counter takes time linear in
the length of the text, whatever the text: no pattern below can try the same stretch of it twice.
"""

import re
from itertools import pairwise
from typing import Final, NamedTuple

from stats.tone_words import count_tone


class TextFeatures(NamedTuple):
    """Counts of one text. Sizes are of the whole text, code included; the others leave fenced code out."""

    n_tokens: int
    n_tokens_is_estimated: bool  # counted here as words and marks, not by the engine's tokenizer: never compare the two
    n_characters: int
    n_words: int
    n_headers: int
    n_bold: int
    n_ordered_items: int
    n_unordered_items: int
    n_code_blocks: int
    n_inline_code: int
    n_emoji: int
    n_tables: int
    n_links: int  # and images, and bare web addresses
    n_boosters: int  # words of certainty, English and Turkish, outside code: see `tone_words`
    n_hedges: int  # words of doubt

    @property
    def n_list_items(self) -> int:
        return self.n_ordered_items + self.n_unordered_items


# Scripts written without spaces: each character is taken for a word.
_UNSPACED: Final = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_LETTERS: Final = rf"[^\W{_UNSPACED}]++"
# ++ and *+ never give back what they took, which is what keeps the patterns linear.
_WORD: Final = re.compile(rf"[{_UNSPACED}]|{_LETTERS}(?:['\u2019-]{_LETTERS})*+")
_TOKEN: Final = re.compile(rf"[{_UNSPACED}]|{_LETTERS}|[^\w\s]")
_BULLET: Final = r"[-*+•]"
_NUMBER: Final = r"[0-9]{1,9}[.)]"
_FENCE: Final = re.compile(rf"[ \t>]*+(?:(?:{_BULLET}|{_NUMBER})[ \t]++)?+(`{{3,}}+(?=[^`]*+\Z)|~{{3,}}+)")
_BACKTICKS: Final = re.compile(r"`++")
_HEADER: Final = re.compile(r"^ {0,3}#{1,6}(?=[ \t]|$)", re.MULTILINE)
_ORDERED_ITEM: Final = re.compile(rf"^[ \t>]*+{_NUMBER}(?=[ \t]|$)", re.MULTILINE)
_UNORDERED_ITEM: Final = re.compile(rf"^[ \t>]*+{_BULLET}(?=[ \t]|$)", re.MULTILINE)
_BOLD: Final = re.compile(
    r"\*\*(?=[^\s*])(?:[^*\n]++|\*(?!\*))++(?<!\s)\*\*|(?<!\w)__(?=[^\s_])(?:[^_\n]++|_(?!_))++(?<!\s)__(?!\w)"
)
_LINK: Final = re.compile(r"!?\[[^\[\]\n]*+\]\([^()\n]*+\)|https?://[^\s<>()\[\]]++")
_FLAG: Final = r"[\U0001f1e6-\U0001f1ff]{2}"
_KEYCAP: Final = r"[0-9#*]\ufe0f?\u20e3"
# Pictographs, the older symbols that are drawn in colour by default, and any symbol that asks for colour (U+FE0F).
_PICTURE: Final = (
    r"(?:[\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff\u231a\u231b\u23e9-\u23ec\u23f0\u23f3"
    r"\u25fd\u25fe\u2614\u2615\u2648-\u2653\u267f\u2693\u26a1\u26aa\u26ab\u26bd\u26be\u26c4\u26c5\u26ce\u26d4\u26ea"
    r"\u26f2\u26f3\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728\u274c\u274e\u2753-\u2755\u2757\u2795-\u2797\u27b0\u27bf"
    r"\u2b1b\u2b1c\u2b50\u2b55][\ufe0f\U0001f3fb-\U0001f3ff]?|[^\w\s]\ufe0f)"
)
_EMOJI: Final = re.compile(rf"{_FLAG}|{_KEYCAP}|{_PICTURE}(?:\u200d{_PICTURE})*+")
_OBJECT: Final = "\ufffc"  # stands where inline code was, so that **`name`** stays bold


class MarkdownCounts(NamedTuple):
    """What the arenas control for; as in `TextFeatures`."""

    n_tokens: int
    n_headers: int
    n_bold: int
    n_ordered_items: int
    n_unordered_items: int


def text_features(text: str, *, n_tokens: int | None = None) -> TextFeatures:
    """Measure one text. Pass `n_tokens` if the engine counted them; else words and punctuation marks are counted."""
    prose, n_code_blocks = _without_fenced_code(text)
    prose, n_inline_code = _without_inline_code(prose)
    markdown = "\n".join(prose)
    tone = count_tone(markdown)
    return TextFeatures(
        n_tokens=_count(_TOKEN, text) if n_tokens is None else n_tokens,
        n_tokens_is_estimated=n_tokens is None,
        n_characters=len(text),
        n_words=_count(_WORD, text),
        n_headers=_count(_HEADER, markdown),
        n_bold=_count(_BOLD, markdown),
        n_ordered_items=_count(_ORDERED_ITEM, markdown),
        n_unordered_items=_count(_UNORDERED_ITEM, markdown),
        n_code_blocks=n_code_blocks,
        n_inline_code=n_inline_code,
        n_emoji=_count(_EMOJI, markdown),
        n_tables=_n_tables(prose),
        n_links=_count(_LINK, markdown),
        n_boosters=tone.n_boosters,
        n_hedges=tone.n_hedges,
    )


def markdown_counts(text: str) -> MarkdownCounts:
    """The part of `text_features` that a style-controlled fit needs, in a fraction of the time."""
    prose, _ = _without_inline_code(_without_fenced_code(text)[0])
    markdown = "\n".join(prose)
    patterns = (_HEADER, _BOLD, _ORDERED_ITEM, _UNORDERED_ITEM)
    return MarkdownCounts(_count(_TOKEN, text), *(_count(pattern, markdown) for pattern in patterns))


def _count(pattern: re.Pattern[str], text: str) -> int:
    return len(pattern.findall(text))


def _without_fenced_code(text: str) -> tuple[list[str], int]:
    """The lines outside ``` and ~~~ fences, blank in place of a block, and the number of blocks.

    A fence that is never closed reaches to the end, as in an answer that was cut off.
    """
    prose: list[str] = []
    n_blocks = 0
    fence = ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if fence:
            if _closes(fence, line):
                fence = ""
        elif opening := _FENCE.match(line):
            fence = opening[1]
            n_blocks += 1
            prose.append(line[: opening.start(1)])
        elif not _is_rule(line):
            prose.append(line)
    return prose, n_blocks


def _closes(fence: str, line: str) -> bool:
    mark = line.lstrip(" \t>").rstrip()
    return len(mark) >= len(fence) and mark == fence[0] * len(mark)


def _is_rule(line: str) -> bool:
    """Whether the line is a horizontal rule, which looks like a list item when it is spelt - - -."""
    marks = line.replace(" ", "").replace("\t", "")
    return len(marks) >= 3 and marks[0] in "-*_" and marks == marks[0] * len(marks)


def _without_inline_code(lines: list[str]) -> tuple[list[str], int]:
    prose: list[str] = []
    n_spans = 0
    for line in lines:
        if "`" not in line:
            prose.append(line)
            continue
        spans = _inline_code(line)
        ends = [0, *(end for _, end in spans)]
        starts = [*(start for start, _ in spans), len(line)]
        prose.append(_OBJECT.join(line[end:start] for end, start in zip(ends, starts, strict=True)))
        n_spans += len(spans)
    return prose, n_spans


def _inline_code(line: str) -> list[tuple[int, int]]:
    """Where inline code stands: from a run of backticks to the next run of the same length."""
    runs = [run.span() for run in _BACKTICKS.finditer(line)]
    closing: dict[int, int] = {}  # run -> the next one as long, found from the end to stay linear
    nearest: dict[int, int] = {}
    for index in reversed(range(len(runs))):
        length = runs[index][1] - runs[index][0]
        if length in nearest:
            closing[index] = nearest[length]
        nearest[length] = index
    spans: list[tuple[int, int]] = []
    for index, (start, _) in enumerate(runs):
        if index in closing and (not spans or start >= spans[-1][1]):
            spans.append((start, runs[closing[index]][1]))
    return spans


def _n_tables(lines: list[str]) -> int:
    """Tables are told by the row under their head: | --- | :-: |."""
    return sum("|" in head and _is_delimiter_row(line) for head, line in pairwise(lines))


def _is_delimiter_row(line: str) -> bool:
    return "|" in line and "-" in line and not line.strip("|-: \t")
