"""A registered language model: what may be written into its row, and what it says of itself."""

import json
import re

import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from llms.chat import Message, Role, SamplingParams
from llms.models import LanguageModel, sampling_from


def errors_of(**fields):
    """What `full_clean` says of a model with these fields, by field."""
    llm = LanguageModel(**{"slug": "orion", "name": "Orion", "engine": "echo", **fields})
    try:
        llm.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        return error.message_dict
    return {}


def test_a_plain_row_is_right():
    assert errors_of() == {}


# --- decoding ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decoding", "sampling"),
    [
        ({}, SamplingParams()),
        ({"temperature": 0}, SamplingParams(temperature=0)),
        ({"stop": "END"}, SamplingParams(stop=("END",))),
        ({"stop": ["a", "b"]}, SamplingParams(stop=("a", "b"))),
        (
            {"temperature": 1.5, "top_p": 0.9, "top_k": 40, "max_new_tokens": 10, "stop": [], "seed": 7},
            SamplingParams(temperature=1.5, top_p=0.9, top_k=40, max_new_tokens=10, seed=7),
        ),
        ({"seed": None}, SamplingParams()),
    ],
    ids=str,
)
def test_decoding_is_read(decoding, sampling):
    assert sampling_from(decoding) == sampling
    assert LanguageModel(decoding=decoding).sampling() == sampling
    assert errors_of(decoding=decoding) == {}


@pytest.mark.parametrize(
    ("decoding", "sentence"),
    [
        ([], "Decoding must be an object"),
        ("hot", "Decoding must be an object"),
        (None, "Decoding must be an object"),
        ({"temprature": 1}, "Unknown decoding fields: temprature. Known are temperature, top_p"),
        ({"temperature": "warm"}, "Option temperature must be a number, not 'warm'."),
        ({"temperature": True}, "Option temperature must be a number, not True."),
        ({"temperature": None}, "Option temperature must be a number, not None."),
        ({"temperature": float("nan")}, "Option temperature must be a number"),
        ({"temperature": 9}, "temperature must lie between 0 and 5, not 9"),
        ({"top_p": 0}, "top_p must lie above 0"),
        ({"top_k": 1.5}, "Option top_k must be a whole number, not 1.5."),
        ({"max_new_tokens": 2.5}, "Option max_new_tokens must be a whole number"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1"),
        ({"seed": "x"}, "Option seed must be a whole number or null"),
        ({"stop": 5}, "Option stop must be a list of text, not 5."),
        ({"stop": None}, "Option stop must be a list of text"),
        ({"stop": [1]}, "Option stop must be a list of text"),
        ({"stop": ""}, "a stop string must not be empty"),
    ],
    ids=str,
)
def test_what_is_no_decoding_is_told_in_a_sentence(decoding, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        sampling_from(decoding)
    assert sentence in errors_of(decoding=decoding)["decoding"][0]


# --- the other fields --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [[], "x", 5, None, True, {"x": float("nan")}, {"x": "a\x00b"}, {"x": "\ud800"}], ids=ascii
)
def test_options_are_an_object_that_every_database_can_keep(options):
    (sentence,) = errors_of(options=options)["options"]
    assert isinstance(json.loads(sentence.removeprefix("Write an object, for example ").removesuffix(".")), dict)


@pytest.mark.parametrize(
    "aliases", [{}, "Orion", None, [1], [["Orion"]], [""], ["  "], ["a\x00b"], ["\udfff"], [None]], ids=ascii
)
def test_other_names_are_a_list_of_names(aliases):
    (sentence,) = errors_of(aliases=aliases)["aliases"]
    assert isinstance(json.loads(sentence.removeprefix("Write a list of names, for example ").removesuffix(".")), list)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), None, "much"])
def test_a_weight_is_a_number(weight):
    assert "battle_weight" in errors_of(battle_weight=weight)


def test_a_weight_is_not_negative():
    assert "battle_weight" in errors_of(battle_weight=-1)
    assert errors_of(battle_weight=0) == {}


@pytest.mark.parametrize(
    "field", [{"engine": "abacus"}, {"status": "asleep"}, {"visibility": "secret"}, {"stage": "raw"}, {"slug": "a b"}]
)
def test_a_choice_is_one_of_the_known(field):
    assert set(errors_of(**field)) == set(field)


@pytest.mark.django_db
def test_the_database_itself_refuses_a_negative_weight(register):
    with pytest.raises(IntegrityError):
        register("Orion", battle_weight=-1.0)


@pytest.mark.django_db
def test_a_model_is_not_made_from_itself(orion, lyra, pavo):
    lyra.parent = orion
    lyra.full_clean()
    lyra.save()
    for ancestor in (orion, lyra):
        orion.parent = ancestor
        with pytest.raises(ValidationError, match="A model cannot be made from itself"):
            orion.full_clean()
    orion.parent = pavo
    orion.full_clean()


def test_several_errors_are_told_at_once():
    assert set(errors_of(options=[], aliases={}, decoding=3, battle_weight=None)) == {
        "options",
        "aliases",
        "decoding",
        "battle_weight",
    }


# --- what it says of itself --------------------------------------------------------------------------------------


def test_telling_names_are_all_that_mean_nothing_else():
    llm = LanguageModel(name="Orion 7B", slug="orion-7b", aliases=["Orion-7B-Chat"], organisation="Northlab")
    assert set(llm.telling_names()) == {"Orion 7B", "orion-7b", "Orion-7B-Chat"}
    assert set(LanguageModel(name="Orion", slug="").telling_names()) == {"Orion"}


@pytest.mark.parametrize(
    ("name", "organisation", "ordinary"),
    [
        ("Orion 7B", "Northlab", ["Northlab", "Orion"]),
        ("Çınar-2", "", ["Çınar"]),
        ("GPT-4", "", ["GPT"]),
        ("SmolLM2-135M", "Hugging Face", ["Hugging Face", "SmolLM"]),
        ("7B", "", []),
        ("", "", []),
    ],
)
def test_ordinary_names_are_the_maker_and_the_family(name, organisation, ordinary):
    assert LanguageModel(name=name, organisation=organisation).ordinary_names() == ordinary


def test_a_system_prompt_comes_first():
    turns = [Message(Role.USER, "Hello")]
    assert LanguageModel().conversation(turns) == turns
    assert LanguageModel(system_prompt="Be brief.").conversation(turns) == [Message(Role.SYSTEM, "Be brief."), *turns]


def test_it_is_called_by_its_name():
    assert str(LanguageModel(name="Orion 7B")) == "Orion 7B"


# --- who sees it, and when it is drawn ---------------------------------------------------------------------------


@pytest.fixture
def nova(register):
    return register("Nova 70B", visibility="internal")


def test_an_internal_model_is_for_who_may_see_internal_ones(orion, nova, vera, rana, adem):
    def seen(user):
        return set(LanguageModel.objects.visible_to(user))

    assert seen(AnonymousUser()) == seen(vera) == {orion}
    assert seen(rana) == seen(adem) == {orion, nova}


def test_it_is_the_permission_that_counts_and_only_while_active(nova, vera):
    vera.user_permissions.add(Permission.objects.get(codename="view_internal"))
    vera = type(vera).objects.get(pk=vera.pk)
    assert list(LanguageModel.objects.visible_to(vera)) == [nova]
    vera.is_active = False
    assert not LanguageModel.objects.visible_to(vera)


@pytest.mark.parametrize(
    ("fields", "drawn"),
    [
        ({}, True),
        ({"battle_weight": 0.01}, True),
        ({"visibility": "internal"}, True),
        ({"battle_weight": 0}, False),
        ({"status": "disabled"}, False),
        ({"status": "retired"}, False),
        ({"status": "listed"}, False),
    ],
)
def test_only_enabled_models_with_a_weight_are_drawn(fields, drawn, register):
    register("Orion", **fields)
    assert LanguageModel.objects.in_battles().exists() is drawn
