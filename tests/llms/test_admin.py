"""Registering a model in the real admin, by the admin role."""

import re

import pytest
from django.urls import reverse
from django.utils.html import strip_tags

from arena.models import Battle
from leaderboard import live
from llms import admin
from llms.models import LanguageModel
from llms.pool import Readiness, pool

ADD = "/admin/llms/languagemodel/add/"
FORM = {
    "name": "Orion 7B",
    "slug": "orion-7b",
    "organisation": "Northlab",
    "licence": "",
    "parameters": "7000000000",
    "stage": "sft",
    "parent": "",
    "aliases": '["Orion"]',
    "engine": "echo",
    "source": "",
    "revision": "",
    "options": '{"reply": "Hello"}',
    "decoding": "{}",
    "system_prompt": "",
    "status": "enabled",
    "battle_weight": "1",
    "visibility": "public",
}


@pytest.fixture
def send(adem, sign_in):
    return lambda address=ADD, **fields: sign_in(adem).post(address, {**FORM, **fields})


def errors(response):
    assert response.status_code == 200, "it was saved"
    return response.context["adminform"].form.errors


def test_the_admin_role_registers_a_model(send):
    assert send().status_code == 302
    llm = LanguageModel.objects.get()
    assert (llm.name, llm.parameters, llm.aliases, llm.options) == (
        "Orion 7B",
        7_000_000_000,
        ["Orion"],
        {"reply": "Hello"},
    )


def test_what_may_be_drawn_is_loaded_at_once(send):
    send()
    llm = LanguageModel.objects.get()
    pool.load(llm).result(5)
    assert pool.readiness(llm) is Readiness.READY


@pytest.mark.parametrize("resting", [{"status": "disabled"}, {"battle_weight": "0"}, {"status": "listed"}])
def test_what_may_not_be_drawn_is_not_loaded(resting, send):
    send(**resting)
    assert pool.readiness(LanguageModel.objects.get()) is Readiness.COLD


def test_an_enabled_model_with_a_bad_source_is_refused_with_the_sentence(send):
    response = send(engine="huggingface", source="/nowhere/model", options="{}")
    (sentence,) = errors(response)["source"]
    assert "/nowhere/model" in sentence
    assert sentence in strip_tags(response.content.decode()).replace("&quot;", '"').replace("&#x27;", "'")
    assert not LanguageModel.objects.exists()


@pytest.mark.parametrize("status", ["disabled", "retired", "listed"])
def test_one_that_does_not_run_may_be_saved_with_it(status, send):
    assert send(engine="huggingface", source="/nowhere/model", options="{}", status=status).status_code == 302


def test_enabling_a_model_with_a_bad_source_is_refused(send, register):
    llm = register("Orion 7B", status="disabled", repyl="typo")
    address = reverse("admin:llms_languagemodel_change", args=[llm.pk])
    assert "repyl" in errors(send(address, options='{"repyl": "typo"}'))["source"][0]
    assert send(address).status_code == 302


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("options", "{", "Enter a valid JSON."),
        ("options", "[]", "Write an object, for example"),
        ("options", "[1, 2]", "Write an object, for example"),
        ("options", '"text"', "Write an object, for example"),
        ("options", "5", "Write an object, for example"),
        ("options", '{"reply": NaN}', "Write an object, for example"),
        ("aliases", '{"a": 1}', "Write a list of names, for example"),
        ("aliases", "[1]", "Write a list of names, for example"),
        ("aliases", '[""]', "Write a list of names, for example"),
        ("decoding", '{"temperature": "hot"}', "Option temperature must be a number"),
        ("decoding", '{"heat": 1}', "Unknown decoding fields: heat"),
        ("battle_weight", "-1", "greater than or equal to 0"),
        ("battle_weight", "nan", "Enter a number."),
        ("slug", "Orion 7B", "Enter a valid “slug”"),
        ("parameters", "-7", "greater than or equal to 0"),
    ],
)
@pytest.mark.parametrize("status", ["enabled", "disabled"])
def test_a_field_says_in_words_what_is_wrong_with_it(field, text, sentence, status, send):
    found = errors(send(**{field: text, "status": status}))
    assert list(found) == [field]
    assert sentence in found[field][0]
    assert not LanguageModel.objects.exists()


@pytest.mark.parametrize("nothing", ["", "null"])
def test_an_emptied_box_means_the_defaults(nothing, send):
    assert send(options=nothing, decoding=nothing, aliases=nothing).status_code == 302
    llm = LanguageModel.objects.get()
    assert (llm.options, llm.decoding, llm.aliases) == ({}, {}, [])


def test_the_engine_is_not_asked_about_a_row_that_is_wrong_in_itself(send, monkeypatch):
    monkeypatch.setattr(admin.registration, "problems", lambda llm: pytest.fail("asked"))
    errors(send(options="[]"))
    errors(send(decoding='{"heat": 1}'))


def test_a_name_that_is_taken(send, orion):
    assert "already exists" in errors(send())["slug"][0]


def test_the_list_says_what_is_loaded_in_this_process(send, adem, sign_in, orion, lyra):
    pool.load(orion).result(5)
    page = sign_in(adem).get(reverse("admin:llms_languagemodel_changelist")).content.decode()
    readiness = re.findall(r'field-readiness">([^<]*)<', page)
    assert sorted(readiness) == ["ready", "ready"]  # both are the same weights
    assert "Orion 7B" in page


def test_the_list_says_why_a_model_could_not_be_loaded(adem, sign_in, register):
    broken = register("Broken", repyl="<typo>")
    assert pool.load(broken).exception(5)
    page = sign_in(adem).get(reverse("admin:llms_languagemodel_changelist")).content.decode()
    assert "failed: Unknown option repyl; known are reply" in page


def test_a_list_may_be_searched_and_filtered(adem, sign_in, orion, lyra):
    address = reverse("admin:llms_languagemodel_changelist")
    page = sign_in(adem).get(address, {"q": "lyra", "status": "enabled"}).content.decode()
    assert "Lyra 13B" in page
    assert "Orion 7B" not in page


def test_a_model_with_battles_cannot_be_deleted(adem, sign_in, orion, lyra, voted):
    voted()
    live.refresh_all()
    address = reverse("admin:llms_languagemodel_delete", args=[orion.pk])
    sign_in(adem).post(address, {"post": "yes"})
    assert LanguageModel.objects.filter(pk=orion.pk).exists()
    assert Battle.objects.count() == 1


def test_a_model_without_any_is_deleted_with_its_line(adem, sign_in, orion, lyra, voted, register):
    voted()
    newcomer = register("Newcomer")
    live.refresh_all()
    address = reverse("admin:llms_languagemodel_delete", args=[newcomer.pk])
    assert sign_in(adem).post(address, {"post": "yes"}).status_code == 302
    assert not LanguageModel.objects.filter(pk=newcomer.pk).exists()
    assert live.refresh_all() == 2
