"""The page of a response that had instructions to follow: each in words, its verdicts, and why."""

import html
import json
import re

import pytest
from django.urls import reverse

from evaluation.benchmarks.registry import benchmark
from evaluation.datasets import from_samples
from evaluation.instruction_pages import LONGEST_ANSWER
from evaluation.models import Run
from evaluation.scoring.instructions.checking import INSTRUCTIONS
from evaluation.scoring.instructions.descriptions import DESCRIPTIONS, described
from tests.helpers.run_rows import run_row

pytestmark = pytest.mark.django_db

COMMAS = {"key": 7, "response": "These forty characters come first; count, then, a third, end"}
LOOSELY = {"key": 8, "response": 'Sure:\n"one two three"'}


@pytest.fixture
def page_of(own_data, score, orion, rana, sign_in):
    """The first sample's page of a run of these responses, as one line of text, after something has happened to it."""

    def page_of(*rows, after=lambda run: None, language="en"):
        score("ifeval", rows, model=orion.slug)
        run = Run.objects.get()
        after(run)
        address = reverse("evaluation:sample", args=[run.pk, 1])
        return sign_in(rana).get(address, headers={"Accept-Language": language}).text

    return page_of


def words_of(page):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def reworded(folder, old, new):
    """The folder's rows, with one word of them another one."""
    path = folder / "ifeval" / "input_data.jsonl"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_instruction_has_its_verdicts_and_the_reason(page_of):
    assert COMMAS["response"].index(",") == 40  # the first is character 0
    words = words_of(page_of(COMMAS))

    assert "Instructions followed 0 of 1 Loosely 0 of 1" in words
    assert "No comma punctuation:no_comma not followed not followed found 3 commas, first at character 41" in words
    assert "No commas." in words
    assert COMMAS["response"] in words


def test_what_is_followed_only_loosely_has_both_reasons(page_of):
    words = words_of(page_of(LOOSELY))

    assert "Instructions followed 1 of 2 Loosely 2 of 2" in words
    assert "All of it between double quotation marks startend:quotation not followed followed" in words
    assert 'it begins with “S” and ends with “"”, not with double quotation marks' in words
    assert "Loosely: without its first line: it stands between double quotation marks" in words
    assert (
        "Number of words: at least 3 length_constraints:number_words followed followed"
        " words: 4 found, at least 3 asked for"
    ) in words


def test_reasons_are_in_the_readers_language(page_of):
    assert "3 virgül var, ilki 41. karakterde" in words_of(page_of(COMMAS, language="tr"))


def test_what_a_model_wrote_is_no_markup_in_a_reason_either(own_data, page_of):
    reworded(own_data, "punctuation:no_comma", "detectable_format:title")
    page = page_of({"key": 7, "response": "<<<script>alert(1)</script>>>"})

    assert "the title is “script&gt;alert(1)&lt;/script”" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("old", "new"), [("No commas.", "No comma."), ('"key": 7', '"key": 70'), ('"prompt"', '"words"')],
    ids=["other words", "not there", "unreadable"],
)  # fmt: skip
def test_without_the_row_that_was_asked_only_the_counts_are_told(own_data, page_of, old, new):
    words = words_of(page_of(COMMAS, after=lambda run: reworded(own_data, old, new)))

    assert "Instructions followed 0 of 1" in words
    assert "the row that was asked is not on this server" in words
    assert "first at character 41" not in words


def test_verdicts_that_are_not_those_of_the_score_are_told_apart(own_data, page_of):
    words = words_of(page_of(LOOSELY, after=lambda run: reworded(own_data, '"num_words": 3', '"num_words": 30')))

    assert "the verdicts here are not those of the score" in words
    assert "Number of words: at least 30" in words


def test_nobody_waits_for_the_checks_of_an_endless_response(page_of):
    words = words_of(page_of({"key": 7, "response": "a," * (LONGEST_ANSWER // 2) + "."}))

    assert "Instructions followed 0 of 1" in words
    assert "too long for its checks to be told here" in words
    assert "first at character 2" not in words


def test_a_response_that_could_not_be_scored_has_no_verdicts(page_of):
    words = words_of(page_of({"key": 7, "response": None}, LOOSELY))

    assert "“response” must be a text" in words
    assert "Instructions" not in words


def test_the_list_says_how_many_instructions_were_followed(own_data, score, orion, rana, sign_in):
    score("ifeval", [COMMAS, LOOSELY], model=orion.slug)
    words = words_of(sign_in(rana).get(reverse("evaluation:samples", args=[Run.objects.get().pk])).text)

    assert "Instructions followed The model writes" in words
    assert "No commas. 0 of 1 These forty" in words
    assert "Three words in quotes. 1 of 2 loosely 2 of 2 Sure:" in words


def test_samples_without_instructions_have_none_on_their_pages(orion, client):
    run = run_row(orion, 1)

    for address in (f"/runs/{run.pk}/samples/", f"/runs/{run.pk}/samples/1/"):
        assert "Instructions" not in words_of(client.get(address).text), address


def test_the_built_in_prompts_need_no_rows_from_elsewhere(orion, client, settings):
    settings.BENCHMARK_DATA_DIR = None
    ifeval = benchmark("ifeval")
    first = ifeval.samples(from_samples(ifeval).rows)[0]
    run = run_row(orion, 1, benchmark="ifeval", data=Run.Data.SAMPLE)
    answer = "Trees, and a bakery."
    values = dict(ifeval.judged(first, answer))
    run.samples.update(sample_id=first.id, question=first.questions[0], answer=answer, choices=[], values=values)
    words = words_of(client.get(f"/runs/{run.pk}/samples/1/").text)

    assert "Number of words: fewer than 60" in words
    assert "words: 4 found, fewer than 60 asked for" in words
    assert "found 1 comma, at character 6" in words
    assert "those of the score" not in words


# --- what is told is what is scored


def test_every_kind_of_instruction_is_described():
    assert set(DESCRIPTIONS) == set(INSTRUCTIONS)


def test_every_published_instruction_is_told_in_words(public_data):
    rows = [json.loads(line) for line in (public_data / "ifeval" / "input_data.jsonl").read_text().splitlines()]
    told = {}
    for row in rows:
        for kind, words in zip(
            row["instruction_id_list"], described(row["instruction_id_list"], row["kwargs"]), strict=True
        ):
            told.setdefault(kind, []).append(words)

    assert sum(map(len, told.values())) == sum(len(row["instruction_id_list"]) for row in rows) > 800
    assert set(told) == set(INSTRUCTIONS)
    assert "How often “#” occurs: at least 4" in told["keywords:letter_frequency"]
    assert "Language of the whole response: Kannada (kn)" in told["language:response_language"]
    first_words = told["length_constraints:nth_paragraph_first_word"]
    assert "Number of paragraphs: exactly 4; paragraph 1 begins with “weekend”" in first_words


def test_explained_verdicts_are_the_published_ones(public_data):
    """On the recorded responses of GPT-4, with the verdicts of the authors' checker."""
    folder = public_data / "ifeval"
    ifeval = benchmark("ifeval")
    rows = map(json.loads, (folder / "input_data.jsonl").read_text().splitlines())
    samples = {sample.questions[0]: sample for sample in ifeval.samples(list(rows))}
    recorded = map(json.loads, (folder / "ifeval.gpt4_responses.jsonl").read_text().splitlines())
    explained = {
        samples[row["prompt"]].id: ifeval.explained(samples[row["prompt"]], row["response"])
        for row in recorded
        if row["prompt"] in samples
    }
    expected = map(json.loads, (folder / "ifeval.gpt4_expected.jsonl").read_text().splitlines())
    for row in expected:
        if row["key"] in (1122, 1129, 2785):  # drawn at random, and a language guessed without a seed
            continue
        found = explained[str(row["key"])]
        verdicts = [one.is_followed if row["mode"] == "strict" else one.is_followed_loosely for one in found]
        assert verdicts == row["follow_instruction_list"], row["key"]
        assert all(one.reason and one.loose_reason for one in found)
    assert len(explained) == 540
