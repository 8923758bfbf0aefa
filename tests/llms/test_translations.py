"""What engines say in English is said again in the reader's language."""

import pytest
from django.utils import translation

from llms import registration
from llms.chat import SamplingParams
from llms.engines.huggingface.checks import problems
from llms.engines.options import BadOptions, read_options
from llms.models import LanguageModel
from llms.sentences import filled, mark
from llms.translations import translated


@pytest.fixture
def in_turkish():
    with translation.override("tr"):
        yield


def test_a_sentence_is_its_english_self():
    sentence = filled("There is no %(what)s in %(where)s.", what="file", where="50% of them")
    assert sentence == "There is no file in 50% of them."
    assert translated(sentence) == sentence


def test_it_is_said_in_the_readers_language(in_turkish):
    (problem,) = problems("/nowhere/model", "", {})
    assert problem.startswith("There is no folder /nowhere/model")
    assert "There is" not in translated(problem)
    assert "/nowhere/model" in translated(problem)


def test_so_are_the_sentences_inside_it(in_turkish):
    with pytest.raises(BadOptions) as refusal:
        read_options(SamplingParams, {"seed": "text"})
    said = translated(refusal.value.args[0])
    assert "a whole number" not in said
    assert "'text'" in said


def test_a_value_that_happens_to_be_a_sentence_of_ours_stays(in_turkish):
    assert "“Tie”" in translated(filled(mark("“%(source)s”"), source="Tie"))


@pytest.mark.parametrize("words", ["", "CUDA out of memory", "Tie"])
def test_what_is_no_sentence_of_ours_stays(words, in_turkish):
    assert translated(words) == words


def test_registration_says_it_translated(in_turkish):
    llm = LanguageModel(engine="huggingface", source="", status=LanguageModel.Status.ENABLED)
    (problem,) = registration.problems(llm)
    assert "The source is empty" not in problem


def test_amounts_are_grouped_and_decimals_written_as_the_reader_writes_them():
    words = filled("%(n)s rows, off by %(nats)s, status %(status)s, %(total)s more", n=14042, nats=0.676, status=1001,
                   total=2500)  # fmt: skip
    assert words == "14042 rows, off by 0.676, status 1001, 2500 more"
    assert translated(words) == "14,042 rows, off by 0.676, status 1001, 2,500 more"
    with translation.override("tr"):
        assert translated(words) == "14.042 rows, off by 0,676, status 1001, 2.500 more"


def test_a_template_that_formats_a_number_itself_gets_the_number(in_turkish):
    assert translated(filled("%(n)d rows, %(share).2f", n=14042, share=0.5)) == "14042 rows, 0.50"
