"""What must be right before a model may serve."""

import pytest

from llms import registration
from llms.models import LanguageModel


def problems(**fields):
    return registration.problems(LanguageModel(**{"engine": "echo", "status": "enabled", **fields}))


def test_nothing_is_wrong():
    assert problems(options={"reply": "Hello"}) == []


def test_an_unknown_engine():
    assert problems(engine="abacus") == ["no engine is called 'abacus'; known are echo, huggingface, openai_compatible"]


def test_what_the_engine_itself_says():
    (problem,) = problems(options={"repyl": "Hello"})
    assert problem.startswith("Unknown option repyl; known are reply, replies")


def test_a_model_that_never_runs_may_name_any_source():
    assert problems(status="listed", engine="abacus", source="/nowhere") == []


@pytest.mark.parametrize("source", ["", "/nowhere/at/all", "/nowhere/model.gguf"])
def test_a_source_that_is_not_there(source):
    found = problems(engine="huggingface", source=source)
    assert found
    assert all(sentence.rstrip().endswith(".") for sentence in found)
