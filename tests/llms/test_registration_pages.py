"""The guided registration, step by step, as a person with a browser and without scripts goes through it."""

import json
import shutil

import pytest
from django.urls import reverse
from django.utils import translation
from django.utils.html import strip_tags

from llms import checking, inspection
from llms.models import Endpoint, LanguageModel
from llms.sealing import unseal
from tests.helpers.model_server import Script, model_server
from tests.llms.engines.huggingface.lora import save_adapter
from tests.llms.engines.tiny import change_json, save_tiny_model

pytestmark = pytest.mark.django_db
REGISTER = "/models/register/"


@pytest.fixture
def client(adem, sign_in):
    return sign_in(adem)


@pytest.fixture
def server():
    with model_server() as server:
        server.scripts["org/Orion-7B-Instruct"] = Script()
        yield server


@pytest.fixture(autouse=True)
def begun(monkeypatch):
    """Whose slow check was begun. It runs in a thread of its own, see `test_checking.py`."""
    begun = []
    monkeypatch.setattr(checking, "begin", lambda llm: begun.append(llm) or True)
    return begun


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny-model")
    save_tiny_model(folder)
    return folder


@pytest.fixture
def tiny_folder(tiny_model, tmp_path):
    """A folder of a small model, to be spoilt."""
    folder = tmp_path / "Tiny-1M"
    shutil.copytree(tiny_model, folder)
    return folder


@pytest.fixture(scope="module")
def saved_adapter(tiny_model, tmp_path_factory):
    return save_adapter(tmp_path_factory.mktemp("adapter"), tiny_model)


@pytest.fixture
def tiny_adapter(saved_adapter, tmp_path):
    folder = tmp_path / "adapter"
    shutil.copytree(saved_adapter, folder)
    return folder


@pytest.fixture
def draft(server):
    endpoint = Endpoint.objects.create(name="lab", base_url=server.url)
    return LanguageModel.objects.create(
        slug="orion", name="Orion 7B", engine="openai_compatible", endpoint=endpoint, source="org/Orion-7B-Instruct"
    )


def step(name, llm):
    return reverse(f"llms:{name}", args=[llm.pk])


def words(response):
    return " ".join(strip_tags(response.content.decode()).split()).replace("&#x27;", "'").replace("&quot;", '"')


def files_of(folder):
    (folder / "README.md").write_text("---\nlicense: apache-2.0\norganization: Northlab\n---\n# Orion\n")
    return folder


# --- a server ----------------------------------------------------------------------------------------------------


def test_a_server_is_added_once_it_answers_and_offers_what_it_serves(client, server):
    address = f"{REGISTER}?from=server"
    response = client.post(address, {"address": f"127.0.0.1:{server.port}", "api_key": "sk-secret"})
    endpoint = Endpoint.objects.get()
    assert (endpoint.base_url, unseal(endpoint.sealed_key)) == (server.url, "sk-secret")
    assert response["Location"] == f"{REGISTER}?from=server&endpoint={endpoint.pk}"
    page = client.get(response["Location"])
    assert "org/Orion-7B-Instruct" in words(page)
    assert "sk-secret" not in page.content.decode()
    response = client.post(response["Location"], {"model": "org/Orion-7B-Instruct"})
    llm = LanguageModel.objects.get()
    assert response["Location"] == step("source", llm)
    assert (llm.name, llm.organisation, llm.parameters) == ("Orion-7B-Instruct", "org", 7_000_000_000)
    assert (llm.slug, llm.aliases, llm.status) == ("orion-7b-instruct", ["Orion"], "disabled")


def test_who_asks_twice_gets_one_draft(client, draft):
    address = f"{REGISTER}?from=server&endpoint={draft.endpoint.pk}"
    for _ in range(2):
        assert client.post(address, {"model": draft.source})["Location"] == step("source", draft)
    assert LanguageModel.objects.count() == 1


@pytest.mark.parametrize("name", ["", " ", "a\x00b", "a\u202eb", "x" * 501])
def test_a_name_that_no_server_can_know_makes_no_draft(name, client, draft):
    response = client.post(f"{REGISTER}?from=server&endpoint={draft.endpoint.pk}", {"model": name})
    assert "as the server knows it" in words(response)
    assert LanguageModel.objects.count() == 1


def test_a_server_that_lists_thousands_is_shown_in_part(client, draft, server):
    names = [f"org/model-{n}" for n in range(300)]
    server.listing = Script(body=[json.dumps({"data": [{"id": name} for name in [*names, "a\x00b"]]}).encode()])
    page = client.get(f"{REGISTER}?from=server&endpoint={draft.endpoint.pk}&model=org/model-299")
    assert page.context["shown"][:2] == ["org/model-299", "org/model-0"]
    assert len(page.context["shown"]) == 200
    assert "100 more are not shown" in words(page)
    assert "\x00" not in page.content.decode()


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("127.0.0.1:1", "belongs to another kind of service"),
        ("http://169.254.169.254/v1", "169.254.169.254"),
        ("127.0.0.1:65001", "cannot be reached"),
        ("", "This field is required."),
    ],
)
def test_a_server_that_does_not_answer_is_not_added(address, sentence, client):
    response = client.post(f"{REGISTER}?from=server", {"address": address})
    assert response.status_code == 422
    assert sentence in words(response)
    assert not Endpoint.objects.exists()


def test_a_key_that_the_server_refuses_is_said_beside_the_key(client, server):
    server.listing = Script(status=401)
    response = client.post(f"{REGISTER}?from=server", {"address": server.url, "api_key": "wrong"})
    assert "does not accept the key" in response.context["form"].errors["api_key"][0]


# --- files -------------------------------------------------------------------------------------------------------


def test_a_folder_says_who_it_is(client, tiny_folder):
    response = client.post(f"{REGISTER}?from=files", {"source": str(files_of(tiny_folder))})
    llm = LanguageModel.objects.get()
    assert response["Location"] == step("source", llm)
    assert (llm.organisation, llm.licence, llm.name) == ("Northlab", "Apache-2.0", tiny_folder.name)
    assert llm.parameters > 1000


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("/nowhere/model", "There is no folder /nowhere/model"),
        ("/nowhere/model.gguf", "There is no file /nowhere/model.gguf"),
        ("not a source", "is neither a hub id"),
        ("", "This field is required."),
    ],
)
def test_a_source_that_cannot_be_loaded_is_refused_beside_its_field(source, sentence, client):
    response = client.post(f"{REGISTER}?from=files", {"source": source})
    assert response.status_code == 422
    assert sentence in response.context["form"].errors["source"][0]
    assert not LanguageModel.objects.exists()


def test_program_code_of_a_model_is_refused(client, tiny_folder):
    change_json(tiny_folder / "config.json", auto_map={"AutoModel": "evil.Evil"})
    response = client.post(f"{REGISTER}?from=files", {"source": str(tiny_folder)})
    assert "which this server never runs" in response.context["form"].errors["source"][0]


def test_an_adapter_finds_its_base_and_its_line_of_descent(client, tiny_folder, tiny_adapter):
    base = LanguageModel.objects.create(
        slug="tiny", name="Tiny", source=str(tiny_folder), options={"max_context": 256}, licence="MIT", parameters=9
    )
    change_json(tiny_adapter / "adapter_config.json", base_model_name_or_path=f"northlab/{tiny_folder.name}")
    response = client.post(f"{REGISTER}?from=adapter", {"folder": str(tiny_adapter)})
    llm = LanguageModel.objects.exclude(pk=base.pk).get()
    assert response["Location"] == step("source", llm)
    assert (llm.parent, llm.source, llm.licence, llm.parameters) == (base, str(tiny_folder), "MIT", 9)
    assert llm.options == {"max_context": 256, "adapter": str(tiny_adapter)}


def test_the_words_of_an_adapter_are_checked_as_they_will_be_loaded(tiny_folder, tiny_adapter):
    llm = LanguageModel(source=str(tiny_folder), options={"adapter": str(tiny_adapter)})
    of_base = inspection.template_of(llm)
    (tiny_adapter / "chat_template.jinja").write_text("Mine")
    assert inspection.template_of(llm) == of_base  # a template without its tokenizer is not loaded either
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_folder / name, tiny_adapter)
    (tiny_folder / "chat_template.jinja").unlink()
    assert inspection.template_of(llm).text == "Mine"
    assert inspection.is_right(inspection.findings(llm))
    llm.options = {}
    assert not inspection.is_right(inspection.findings(llm))


def test_an_adapter_whose_base_is_missing_says_what_to_register_first(client, tiny_adapter):
    change_json(tiny_adapter / "adapter_config.json", base_model_name_or_path="northlab/orion-7b")
    response = client.post(f"{REGISTER}?from=adapter", {"folder": str(tiny_adapter)})
    assert response.status_code == 422
    assert "northlab/orion-7b, which is not registered" in words(response)
    assert f"{REGISTER}?from=files&source=northlab/orion-7b".replace(REGISTER, "") in response.content.decode().replace(
        "&amp;", "&"
    ).replace("%2F", "/")


# --- the steps ---------------------------------------------------------------------------------------------------

FACTS = {"name": "Orion", "slug": "orion", "stage": "sft", "options": "{}", "parameters": "", "parent": ""}


def test_the_facts_can_be_corrected_and_the_check_begins(client, draft, begun):
    response = client.post(step("source", draft), {**FACTS, "licence": "MIT"})
    assert response["Location"] == step("check", draft)
    draft.refresh_from_db()
    assert (draft.name, draft.licence) == ("Orion", "MIT")
    assert begun == [draft]


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"options": '{"repyl": 1}'}, "options", "Unknown option repyl; known are"),
        ({"options": "{"}, "options", "Enter a valid JSON."),
        ({"slug": "Not a slug"}, "slug", "Enter a valid “slug”"),
        ({"name": ""}, "name", "This field is required."),
    ],
)
def test_what_is_wrong_with_the_facts_stands_beside_the_field(change, field, sentence, client, draft):
    response = client.post(step("source", draft), {**FACTS, **change})
    assert response.status_code == 422
    assert sentence in response.context["form"].errors[field][0]
    draft.refresh_from_db()
    assert draft.name == "Orion 7B"


def test_the_check_shows_what_is_wrong_and_leads_back(client, draft):
    LanguageModel.objects.filter(pk=draft.pk).update(options={"repyl": 1})
    page = client.get(step("check", draft))
    assert "Unknown option repyl" in words(page)
    assert "Mend the source" in words(page)


def test_the_check_of_files_reads_them(client, tiny_folder):
    llm = LanguageModel.objects.create(slug="tiny", name="Tiny", source=str(tiny_folder))
    said = words(client.get(step("check", llm)))
    for part in ("1 file of safetensors", "config.json and the tokenizer are there", "Never run", "free on cpu"):
        assert part in said


def test_web_processes_that_load_no_weights_say_who_would_serve(client, tiny_folder, settings):
    settings.LOADS_WEIGHTS = False
    llm = LanguageModel.objects.create(slug="tiny", name="Tiny", source=str(tiny_folder))
    assert "load no weights (LOADS_WEIGHTS)" in words(client.get(step("check", llm)))
    response = client.post(step("publish", llm), {"visibility": "public", "in_battles": "on", "battle_weight": "1"})
    assert response.status_code == 422
    llm.refresh_from_db()
    assert llm.status == "disabled"


def test_the_raw_prompt_of_files_is_shown_as_their_template_writes_it(client, tiny_folder):
    llm = LanguageModel.objects.create(slug="tiny", name="Tiny", source=str(tiny_folder), system_prompt="Be brief.")
    page = client.get(step("template", llm))
    assert page.context["example"] == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is the capital of France?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_decoding_is_kept_as_it_was_typed(client, draft):
    typed = {"temperature": "0", "stop": "###\n\n END ", "aliases": "Orion\n Ori \nOrion", "system_prompt": "Be brief."}
    response = client.post(step("template", draft), {**typed, "next": "try"})
    assert response["Location"] == step("try", draft)
    draft.refresh_from_db()
    assert draft.decoding == {"temperature": 0.0, "stop": ["###", " END "]}
    assert (draft.aliases, draft.system_prompt) == (["Orion", "Ori"], "Be brief.")
    form = client.get(step("template", draft)).context["form"]
    assert (form["stop"].value(), form["temperature"].value()) == ("###\n END ", 0.0)


@pytest.mark.parametrize(("language", "written"), [("en", "0.7"), ("tr", "0,7")])
def test_defaults_are_written_as_the_reader_writes_numbers(language, written, client, draft):
    form = client.get(step("template", draft), headers={"accept-language": language}).context["form"]
    with translation.override(language):
        assert written in str(form["temperature"].help_text)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("temperature", "9", "temperature must lie between 0 and 5"),
        ("top_p", "0", "top_p must lie above 0"),
        ("top_k", "-1", "top_k must be 0"),
        ("max_new_tokens", "0", "max_new_tokens must be at least 1"),
        ("seed", "x", "Enter a whole number."),
    ],
)
def test_a_decoding_that_cannot_be_is_said_beside_its_field(field, value, sentence, client, draft):
    response = client.post(step("template", draft), {field: value})
    assert response.status_code == 422
    assert sentence in response.context["form"].errors[field][0]


def test_publishing_puts_it_into_the_arena(client, draft):
    typed = {"visibility": "internal", "in_battles": "on", "battle_weight": "2"}
    assert client.post(step("publish", draft), typed)["Location"] == step("publish", draft)
    draft.refresh_from_db()
    assert (draft.status, draft.visibility, draft.battle_weight) == ("enabled", "internal", 2)
    assert "Orion 7B is in the arena." in words(client.get(step("publish", draft)))


def test_what_cannot_answer_is_not_published(client, draft):
    LanguageModel.objects.filter(pk=draft.pk).update(options={"repyl": 1})
    response = client.post(step("publish", draft), {"visibility": "public", "in_battles": "on", "battle_weight": "1"})
    assert "Unknown option repyl" in response.context["form"].errors["in_battles"][0]
    draft.refresh_from_db()
    assert draft.status == "disabled"


@pytest.mark.parametrize("status", ["retired", "listed"])
def test_what_is_never_drawn_stays_so_until_the_administration_says_otherwise(status, client, draft):
    LanguageModel.objects.update(status=status)
    chosen = {"visibility": "internal", "battle_weight": "1"}
    response = client.post(step("publish", draft), {**chosen, "in_battles": "on"})
    assert response.status_code == 422
    assert "Change that in the administration first." in words(response)
    assert client.post(step("publish", draft), chosen)["Location"] == step("publish", draft)
    draft.refresh_from_db()
    assert (draft.status, draft.visibility) == (status, "internal")


@pytest.mark.parametrize("number", ["x", "0", "99", "-1", "\u0661", "9" * 19, "9" * 5000])
def test_a_server_that_nobody_added_is_not_found(number, client, draft):
    assert client.get(f"{REGISTER}?from=server&endpoint={number}").status_code == 404


def test_every_step_leads_to_every_other(client, draft):
    for name in ("source", "check", "template", "try", "publish"):
        page = client.get(step(name, draft)).content.decode()
        for other in ("source", "check", "template", "try", "publish"):
            assert f'href="{step(other, draft)}"' in page


def test_the_registry_lists_drafts_and_what_is_published(client, draft, orion):
    page = client.get("/models/")
    assert [row.llm.name for row in page.context["drafts"]] == ["Orion 7B"]
    assert [row.llm.name for row in page.context["rows"]] == ["Orion 7B"]
