import time

import pytest

from stats.text_features import text_features

ANSWER = """# Sorting

Use **`sorted`** or __list.sort__, *not* `**kwargs`:

1. Read
2) Sort
   - by key
   * by size
- - -
```python
# not a header
- not an item
**not bold** `not code` 😀 [x](y)
```
| call | copies |
|---|:-:|
| `sorted` | yes |

See [the docs](https://docs.example/sort) or https://example.org/x 🎉.
"""


def test_it_counts_the_markup_of_an_answer():
    features = text_features(ANSWER)

    assert features.n_headers == 1
    assert features.n_bold == 2
    assert features.n_ordered_items == 2
    assert features.n_unordered_items == 2
    assert features.n_list_items == 4
    assert features.n_code_blocks == 1
    assert features.n_inline_code == 3
    assert features.n_emoji == 1
    assert features.n_tables == 1
    assert features.n_links == 2
    assert features.n_characters == len(ANSWER)


def test_an_empty_text_has_no_features():
    assert text_features("") == (0, True, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def test_an_engines_token_count_is_believed():
    features = text_features("one two three", n_tokens=17)

    assert features.n_tokens == 17
    assert not features.n_tokens_is_estimated


@pytest.mark.parametrize(
    ("text", "n_tokens", "n_words"),
    [
        ("one two  three", 3, 3),
        ("Don't stop, well-known \u2019tis!", 11, 4),
        ("1.5 km", 4, 3),
        ("日本語 text", 4, 4),
        ("한국", 2, 2),
        ("naïve Übung", 2, 2),
        ("... --", 5, 0),
    ],
)
def test_tokens_without_an_engine_are_words_and_marks(text, n_tokens, n_words):
    features = text_features(text)

    assert (features.n_tokens, features.n_words) == (n_tokens, n_words)
    assert features.n_tokens_is_estimated


@pytest.mark.parametrize(
    ("text", "n_headers"),
    [
        ("# a\n## b\n###### c", 3),
        ("#", 1),
        ("   # a", 1),
        ("    # a", 0),
        ("####### a", 0),
        ("#hashtag", 0),
        ("a # b", 0),
        ("a\r\n# b\r# c", 2),
    ],
)
def test_it_counts_headers(text, n_headers):
    assert text_features(text).n_headers == n_headers


@pytest.mark.parametrize(
    ("text", "n_bold"),
    [
        ("**a** and __b__", 2),
        ("**a *b* c**", 1),
        ("***a***", 1),
        ("**`a`**", 1),
        ("`**a**`", 0),
        ("2 ** 3 ** 4", 0),
        ("**a **", 0),
        ("**a\nb**", 0),
        ("a__b__c", 0),
        ("__a _b_ c__", 1),
        ("*a* _b_", 0),
        ("**** ****", 0),
        ("**a", 0),
    ],
)
def test_it_counts_bold_spans(text, n_bold):
    assert text_features(text).n_bold == n_bold


@pytest.mark.parametrize(
    ("text", "n_ordered", "n_unordered"),
    [
        ("1. a\n2. b\n10) c", 3, 0),
        ("- a\n* b\n+ c\n• d", 0, 4),
        ("> - a\n\t- b\n> 1. c", 1, 2),
        ("-a\n1.a\n1 a", 0, 0),
        ("- - -\n***\n_ _ _\n* * *", 0, 0),
        ("1234567890. a", 0, 0),
        ("a - b", 0, 0),
        ("-", 0, 1),
    ],
)
def test_it_counts_list_items(text, n_ordered, n_unordered):
    features = text_features(text)

    assert (features.n_ordered_items, features.n_unordered_items) == (n_ordered, n_unordered)


@pytest.mark.parametrize(
    ("text", "n_blocks", "n_headers"),
    [
        ("```\n# a\n```\n# b", 1, 1),
        ("~~~\n# a\n~~~\n# b", 1, 1),
        ("```\n# a", 1, 0),
        ("````\n```\n# a\n````\n# b", 1, 1),
        ("```\n~~~\n# a\n`````\n# b", 1, 1),
        ("```\n``` python\n# a\n```   \n# b", 1, 1),
        ("   ```js\n# a\n  ```\n# b", 1, 1),
        ("> ```\n> # a\n> ```\n# b", 1, 1),
        ("- ```\n  # a\n  ```\n# b", 1, 1),
        ("1. ```\n# a\n   ```\n# b", 1, 1),
        ("``` not a fence `\n# a", 0, 1),
        ("``\n# a\n``", 0, 1),
        ("```\n```\n```\n```", 2, 0),
    ],
)
def test_fenced_code_is_counted_and_left_out(text, n_blocks, n_headers):
    features = text_features(text)

    assert (features.n_code_blocks, features.n_headers) == (n_blocks, n_headers)


def test_the_list_item_that_opens_a_fence_counts():
    assert text_features("- ```sh\n  ls\n  ```\n- b").n_unordered_items == 2


@pytest.mark.parametrize(
    ("text", "n_spans"),
    [
        ("`a` and `b`", 2),
        ("``a ` b``", 1),
        ("`a", 0),
        ("`a\nb`", 0),
        ("``a` b``` c", 0),
        ("`a``b`", 1),
        ("a ``` b ``` c", 1),
    ],
)
def test_it_counts_inline_code(text, n_spans):
    assert text_features(text).n_inline_code == n_spans


@pytest.mark.parametrize(
    ("text", "n_emoji"),
    [
        ("😀🎉", 2),
        ("👍🏽", 1),
        ("👨\u200d👩\u200d👧", 1),
        ("🇹🇷🇩🇪", 2),
        ("1\ufe0f\u20e3 #\u20e3", 2),
        ("✅ ❤\ufe0f", 2),
        ("❤\ufe0f\u200d🔥", 1),
        ("✓ → ★ © 5 #", 0),
        ("`😀`", 0),
    ],
)
def test_it_counts_an_emoji_sequence_once(text, n_emoji):
    assert text_features(text).n_emoji == n_emoji


@pytest.mark.parametrize(
    ("text", "n_tables"),
    [
        ("|a|b|\n|-|-|\n|1|2|", 1),
        ("a | b\n--- | :---:\n1 | 2", 1),
        ("|a|\n|-|\n\n|b|\n|-|", 2),
        ("a\n|-|", 0),
        ("|a|\n---", 0),
        ("|a|\n| |", 0),
        ("|a|\n|-b|", 0),
        ("```\n|a|\n|-|\n```", 0),
    ],
)
def test_it_counts_tables(text, n_tables):
    assert text_features(text).n_tables == n_tables


@pytest.mark.parametrize(
    ("text", "n_links"),
    [
        ("[a](b) ![c](d)", 2),
        ("<https://a.example> http://b.example", 2),
        ("[https://a.example](https://a.example)", 1),
        ("[a](https://e.example/Foo_(bar))", 1),
        ("`[a](b)` [a] (b) [c]", 0),
    ],
)
def test_it_counts_links(text, n_links):
    assert text_features(text).n_links == n_links


@pytest.mark.parametrize(
    "pattern",
    [
        "*", "`", "#", "- ", "_", "\n", " ", "|-\n", "[", "[a](", "**a ", "__a ", "**a*", "`a``b```", "```\n",
        "~~~\n", "> ", "- - ", "1. ", "a'", "http://", "👨\u200d", "1\ufe0f",
    ],
)  # fmt: skip
def test_a_hostile_megabyte_takes_seconds_at_most(pattern):
    text = pattern * (1_000_000 // len(pattern))

    started = time.process_time()
    text_features(text)

    assert time.process_time() - started < 30  # quadratic time would be hours


def test_backticks_in_runs_of_every_length_take_linear_time():
    text = "a".join("`" * length for length in range(1, 1400))

    started = time.process_time()
    features = text_features(text)

    assert features.n_inline_code == 0
    assert time.process_time() - started < 30


def test_it_counts_a_confident_tone_outside_code():
    features = text_features("It is **definitely** so. Perhaps not.\n```\nmaybe = certainly\n```\n`perhaps`")

    assert (features.n_boosters, features.n_hedges) == (1, 1)
