"""Models that are found on this machine, and put into the arena by one click."""

import pytest
from django.test import AsyncClient
from django.urls import reverse
from django.utils.html import strip_tags

from llms import checking, local_servers
from llms.engines.openai_compatible.server import close_connections
from llms.local_servers import FoundServer
from llms.models import Endpoint, LanguageModel
from llms.sentences import filled
from tests.helpers.model_server import Script, model_server

pytestmark = pytest.mark.django_db
REGISTER = "/models/register/"


def step(name, llm):
    return reverse(f"llms:{name}", args=[llm.pk])


def words(response):
    return " ".join(strip_tags(response.content.decode()).split()).replace("&#x27;", "'").replace("&quot;", '"')


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


@pytest.fixture
def found(monkeypatch, server, client):
    """What a look around finds, after it was asked for."""
    server_found = FoundServer(server.url, "vLLM 0.32.0", ("org/Orion-7B-Instruct",), filled("1 model"))
    monkeypatch.setattr(local_servers, "find", lambda: [server_found])
    assert client.post("/models/look/")["Location"] == REGISTER
    return {"base_url": server.url, "model": "org/Orion-7B-Instruct"}


@pytest.fixture
async def use(adem):
    """Presses “Use it”, in the loop of the test, as the server does in its own."""
    client = AsyncClient()
    await client.aforce_login(adem)

    async def use(**fields):
        return await client.post("/models/use/", fields)

    yield use
    await close_connections()


def test_nothing_is_asked_before_the_button_is_pressed(client, monkeypatch):
    monkeypatch.setattr(local_servers, "find", lambda: pytest.fail("asked"))
    page = client.get(REGISTER)
    assert page.context["found"] is None
    assert client.get("/models/look/").status_code == 405


def test_what_was_found_is_offered(client, found):
    said = words(client.get(REGISTER))
    assert "vLLM 0.32.0" in said
    assert "Use it with two settings" in said


@pytest.mark.django_db(transaction=True)
async def test_one_click_puts_a_model_into_the_arena(found, use, begun):
    assert (await use(**found))["Location"] == REGISTER
    llm = await LanguageModel.objects.select_related("endpoint").aget()
    assert (llm.status, llm.name, llm.decoding) == ("enabled", "Orion-7B-Instruct", {})
    assert (llm.endpoint.server, llm.endpoint.name.startswith("vLLM 127.0.0.1:")) == ("vLLM 0.32.0", True)
    assert begun == [llm]


@pytest.mark.django_db(transaction=True)
async def test_one_click_makes_two_contenders_of_one_model(found, use):
    for _ in range(2):
        assert (await use(**found, two_settings="yes"))["Location"] == "/"
    llms = [llm async for llm in LanguageModel.objects.order_by("slug")]
    assert [(llm.slug, llm.decoding, llm.status) for llm in llms] == [
        ("orion-7b-instruct-t0", {"temperature": 0}, "enabled"),
        ("orion-7b-instruct-t1", {"temperature": 1}, "enabled"),
    ]
    assert await Endpoint.objects.acount() == 1


@pytest.mark.django_db(transaction=True)
async def test_a_model_that_does_not_answer_stays_a_draft(found, use, server):
    server.scripts["org/Orion-7B-Instruct"] = Script(status=404, body=["no"])
    response = await use(**found)
    llm = await LanguageModel.objects.aget()
    assert (llm.status, response["Location"]) == ("disabled", step("check", llm))


@pytest.mark.django_db(transaction=True)
async def test_only_what_was_found_can_be_used(found, use):
    for fields in ({**found, "base_url": "http://127.0.0.1:9999/v1"}, {**found, "model": "other"}, {}):
        assert (await use(**fields))["Location"] == REGISTER
    assert not await LanguageModel.objects.aexists()
