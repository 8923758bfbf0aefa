"""Names are hidden wherever the borders between the pieces fall, and nothing else is."""

import itertools
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arena.masking import MASK, Masker, Names, fold, mask

NAMES = Names(
    ["Orion 7B", "orion-7b", "SmolLM2-135M-Instruct", "SmolLM2-135M", "GPT-4", "通义千问"],
    ["Orion", "Northlab", "Blue Peak"],
)


def pieces(text, *borders):
    """The text, cut at these places."""
    places = [0, *sorted(border % (len(text) + 1) for border in borders), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(places)]


def masked_in_pieces(parts):
    masker = Masker(NAMES)
    return "".join([masker.feed(part) for part in parts] + [masker.finish()])


# --- names that can mean nothing else


@pytest.mark.parametrize(
    "written",
    [
        "Orion 7B",
        "orion 7b",
        "ORION 7B",
        "Orion-7B",
        "Orion_7B",
        "orion7b",
        "Orion  7B",
        "Orion - 7B",
        "**Orion** 7B",
        "**Orion 7B**",
        "`orion-7b`",
        "Ori**on** *7*B",
        "_Orion 7B_",
        "Orion\\_7B",
        "~~Orion 7B~~",
        "Orion/7B",
        "Orion: 7B",
        "Orion\u00a07B",
        "Orion\u20117B",
        "O\u200brion\u200d 7\ufeffB",
        "O\u00adri\u00adon 7B",
        "ORİON 7B",
        "Orıon 7B",
        "Oriôn 7B",
        "Orio\u0302n 7B",
        "Ｏｒｉｏｎ ７Ｂ",
        "𝐎𝐫𝐢𝐨𝐧 7B",
        "Orion™ 7B",
        "smollm2-135m-instruct",
        "Smol LM 2 135M Instruct",
        "SmolLM2‑135M",
        "&#79;rion 7B",
        "&#x4F;rion 7B",
        "&#X4f;rion&nbsp;7B",
        "Ori&#8203;on 7&ZeroWidthSpace;B",
        "O&shy;rion 7B",
        "Orion 7&#66;",
        "Orion&#45;7B",
        "&Oscr;rion 7B",
        "Orion&minus;7B",
        "Orion\u20147B",
        "O&lrm;rion\u20067B",
        "Ori&InvisibleTimes;on 7B",
        "O~~rio~~n 7B",
    ],
)
@pytest.mark.parametrize(("before", "after"), [("", ""), ("This is ", ", yes."), ("(", ")"), ("“", "”s"), ("\n", "\n")])
def test_a_name_is_hidden_however_it_is_written(written, before, after):
    shown = mask(before + written + after, NAMES)
    assert MASK in shown
    assert not any(letters in fold_all(shown) for letters in ("orion", "smollm", "135m"))
    assert shown.startswith(before)
    assert shown.endswith(after)


@pytest.mark.parametrize(
    "text",
    ["AT&T", "R&D &amp; more", "&#79;", "&#0; &#9999999; &unknown; &#x110000; &", "if (a && b) &c", "&Orion 70B"],
)
def test_an_ampersand_is_no_harm(text):
    assert mask(text, NAMES) == text


def test_an_entity_may_come_in_pieces():
    masker = Masker(NAMES)
    assert [masker.feed(part) for part in ("It is &", "#7", "9;rion", " 7&#6", "6;, yes")] == [
        "It is ", "", "", "", f"{MASK}, yes",
    ]  # fmt: skip


def test_an_entity_may_stand_for_two_letters():
    assert mask("This is &fjlig;ord 3B.", Names(["Fjord 3B"])) == f"This is {MASK}."


def test_what_began_like_an_entity_is_shown_when_it_is_none():
    masker = Masker(NAMES)
    assert masker.feed("Research &de") == "Research "
    assert masker.feed("velopment.") == "&development."
    assert masker.feed(" &am") + masker.finish() == " &am"


def fold_all(text):
    return "".join(map(fold, text))


def test_the_longest_name_is_hidden_whole():
    assert mask("SmolLM2-135M-Instruct", NAMES) == MASK
    assert mask("SmolLM2-135M-Instructor", NAMES) == f"{MASK}-Instructor"


@pytest.mark.parametrize(
    "text",
    [
        "orionid meteors",
        "the Orion nebula",
        "an atom or ion 7 b",
        "Northlabs and Southlab",
        "a biorion 7b",
        "re\u0301orion 7b",
        "Orion 70B",
        "Orion 7Beta",
        "xSmolLM2-135M",
        "O R I O N 7B",
        "Orion\n\n7B",
        "Orion (7B)",
        "Orion - - - 7B",
        "güneş, NFD gu\u0308nes\u0327",
        "blue peaks",
        "gpt-45",
        "Привет, мир 🙂 \U0001f469\u200d\U0001f680",
    ],
)
def test_other_words_are_left_alone(text):
    assert mask(text, NAMES) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("我是通义千问，由阿里云研发", f"我是{MASK}，由阿里云研发"),
        ("我叫Orion，", f"我叫{MASK}，"),
        ("the ABC通义千问", f"the ABC{MASK}"),
        ("これはOrion-7Bです", f"これは{MASK}です"),
        ("저는 Orion 7B입니다", f"저는 {MASK}입니다"),
        ("ผมชื่อOrion 7Bครับ", f"ผมชื่อ{MASK}ครับ"),
    ],
)
def test_scripts_that_set_no_blanks_have_borders_everywhere(text, shown):
    assert mask(text, NAMES) == shown


def test_a_version_does_not_hide_a_name():
    assert mask("I am Orion3-8B", NAMES) == f"I am {MASK}3-8B"
    assert mask("GPT-4o", NAMES) == f"{MASK}o"


def test_a_name_too_short_to_be_one_is_not_hidden():
    assert mask("Yi is a name, o1 too", Names(["Yi", "o1", "--", ""])) == "Yi is a name, o1 too"


def test_a_name_with_a_trade_mark_is_known_without_it():
    assert mask("I like Orion 7B", Names(["Orion™ 7B"])) == f"I like {MASK}"


# --- words that may mean something else


@pytest.mark.parametrize(
    "text",
    [
        "I am {}.",
        "I'm {}!",
        "I’m **{}**",
        "Hello! My name is {}.",
        "You can call me {}",
        "I was trained by {}, a company.",
        "As an AI developed by {}, I cannot",
        "As a language model from {}",
        "a model created by {}",
        "an assistant named {}",
        "{} trained me",
        "{} is my name",
        "Ben {}",
        "Ben **{}**'um",
        "Ben, {} tarafından",
        "ben bir modelim: {}",
        "Benim adım {}",
        "İsmim {}",
        "Bana {} diyebilirsin",
        "{} tarafından eğitildim",
        "**{}** tarafından geliştirilen",
        "&#73; am {}",
        "I&nbsp;am {}",
        "Ich bin {}",
        "Je suis {}",
        "我是{}",
    ],
)
@pytest.mark.parametrize("word", ["Orion", "NORTHLAB", "blue-peak"])
def test_an_ordinary_word_is_hidden_where_the_writer_speaks_of_itself(text, word):
    assert mask(text.format(word), NAMES) == text.format(MASK)


@pytest.mark.parametrize(
    "text",
    [
        "the Orion nebula",
        "Orion is a hunter. Northlab makes phones.",
        "I am an astronomer. Orion is a constellation.",
        "I am tired!\nOrion rises.",
        "Northlab trained mechanics",
        "Benjamin Orion",
        "I am " + "very " * 20 + "fond of Orion",
        "I am " + "very " * 20 + "fond of Orion, too",
        "sambaed by Orion",
        "Bananas of Orion",
    ],
)
def test_an_ordinary_word_stays_where_it_does_not(text):
    assert mask(text, NAMES) == text


def test_the_end_of_an_answer_settles_what_a_word_means():
    masker = Masker(NAMES)
    assert masker.feed("They say Northlab tarafı") == "They say "
    assert masker.finish() == "Northlab tarafı"


# --- piece by piece


def test_what_may_become_a_name_is_held_back():
    masker = Masker(NAMES)
    assert masker.feed("It is SmolLM2-1") == "It is "
    assert masker.feed("35") == ""
    assert masker.feed("M") == ""
    assert masker.feed("-") == ""
    assert masker.feed("Instruct") == ""
    assert masker.feed(".") == f"{MASK}."


def test_what_was_held_back_is_released_when_it_is_no_name():
    masker = Masker(NAMES)
    assert masker.feed("It is Smol") == "It is "
    assert masker.feed(" talk") == "Smol talk"


def test_what_was_held_back_is_released_at_the_end():
    masker = Masker(NAMES)
    assert masker.feed("It is SmolLM") == "It is "
    assert masker.finish() == "SmolLM"
    assert masker.finish() == ""


def test_half_a_name_does_not_show_when_the_text_was_interrupted():
    assert mask("It is SmolLM", NAMES, is_whole=False) == "It is "
    assert mask("It is over", NAMES, is_whole=False) == "It is over"


WORDS = "Orion|orion|7|B|Smol|LM2|135M|Instruct|Northlab|I am |by |trained |tarafından|ben|x|é|我是|通义|千问|İ|ı|ﬁ|GPT"
BETWEEN = " |-|**|. |\n|e\u0301|\u200b|™|_|&#79;|&nbsp;|&#8203;|&"
FRAGMENTS = st.sampled_from(f"{WORDS}|{BETWEEN}".split("|"))
TEXTS = st.lists(FRAGMENTS, max_size=14).map("".join)


@settings(max_examples=400, deadline=None, database=None, derandomize=True)
@given(TEXTS, st.lists(st.integers(0, 80), max_size=8))
@example("I am Orion 7B by Northlab tarafından", list(range(40)))
def test_the_borders_between_pieces_change_nothing(text, borders):
    assert masked_in_pieces(pieces(text, *borders)) == mask(text, NAMES)


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(TEXTS)
def test_letter_by_letter_is_the_same_as_at_once(text):
    assert masked_in_pieces(list(text)) == mask(text, NAMES)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(st.text(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_nothing_is_lost_or_changed_where_no_name_is(text, borders):
    nobody = Names(["zqxj vkwy zqxj"], ["wvutsrqponml"])
    masker = Masker(nobody)
    parts = pieces(text, *borders)
    assert "".join([masker.feed(part) for part in parts] + [masker.finish()]) == text


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(TEXTS, TEXTS)
def test_what_surrounds_a_hidden_name_is_kept(before, after):
    """With the masks taken out, what is shown is what was written with some pieces taken out."""
    written, shown = f"{before}, Orion 7B, {after}", mask(f"{before}, Orion 7B, {after}", NAMES)
    assert MASK in shown
    place = 0
    for part in shown.split(MASK):
        place = written.index(part, place) + len(part)


def test_a_long_text_costs_no_more_than_its_length():
    near_miss = "so Orio met SmolLM2-135 and I am by Northla "

    def seconds(n):
        started = time.perf_counter()
        masked = mask(near_miss * n, NAMES)
        assert len(masked) == len(near_miss) * n
        return time.perf_counter() - started

    short, long = min(seconds(300) for _ in range(3)), min(seconds(3_000) for _ in range(2))
    assert long < 30 * short


def test_a_long_text_in_small_pieces_costs_no_more_than_its_length():
    def seconds(n):
        masker = Masker(NAMES)
        started = time.perf_counter()
        for _ in range(n):
            masker.feed("Or")
            masker.feed("io and ")
        return time.perf_counter() - started

    short, long = min(seconds(500) for _ in range(3)), min(seconds(5_000) for _ in range(2))
    assert long < 30 * short
