"""Model servers in the registry: sealed keys, health, and the breaker."""

import json
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db.models.functions import Now

from llms import endpoints, sealing, tasks
from llms.endpoints import Address
from llms.engines.base import EngineOverloaded, EngineUnreachable, LoadingFailed, PromptTooLong
from llms.engines.openai_compatible import server_facts
from llms.models import Endpoint, LanguageModel
from llms.pool import Pool
from llms.sentences import Sentence, filled
from tests.helpers.model_server import CLOSE, HANG, LOOPBACK, Script, model_server

pytestmark = pytest.mark.django_db
SECRET = "sk-very-secret-indeed"


@pytest.fixture(scope="module")
def running():
    with model_server() as server:
        yield server


@pytest.fixture
def server(running, settings):
    settings.ENDPOINT_NETWORKS = LOOPBACK
    running.scripts = {"orion": Script(), "lyra": Script()}
    running.listing = Script()
    running.asked.clear()
    return running


@pytest.fixture
def endpoint(server):
    return Endpoint.objects.create(name="lab", base_url=server.url, sealed_key=sealing.seal(SECRET))


# --- keys


def test_a_key_is_sealed_in_the_database(endpoint):
    stored = Endpoint.objects.values_list("sealed_key", flat=True).get()
    assert SECRET not in stored
    assert sealing.unseal(stored) == SECRET
    assert sealing.seal("") == sealing.unseal("") == ""


def test_keys_can_be_changed(endpoint, settings):
    old = settings.FIELD_KEYS
    settings.FIELD_KEYS = ["n" * 40, *old]
    renewed = sealing.reseal(endpoint.sealed_key)
    settings.FIELD_KEYS = ["n" * 40]
    assert sealing.unseal(renewed) == SECRET
    with pytest.raises(sealing.WrongKey, match="type the server's key anew"):
        sealing.unseal(endpoint.sealed_key)


def test_a_lost_key_breaks_the_endpoint_and_nothing_else(endpoint, register, settings):
    register("Orion 7B", engine="openai_compatible", endpoint=endpoint, source="orion")
    settings.FIELD_KEYS = ["n" * 40]
    assert "type the server's key anew" in endpoints.ask(endpoint).words
    (llm,) = LanguageModel.objects.in_battles()
    pool = Pool()
    with pytest.raises(LoadingFailed, match="type the server's key anew"):
        pool.load(llm).result(5)
    assert isinstance(pool.failure(llm), Sentence)
    pool.close()


# --- health


@pytest.mark.parametrize(
    "error",
    [
        EngineUnreachable("a\x00b \ud83d"),
        EngineUnreachable(filled("a%(first)s", first=filled("%(x)s", x="\x00b \ud83d"))),
    ],
)
def test_what_no_database_takes_is_remembered_all_the_same(error, endpoint):
    endpoints.note_failure(endpoint.pk, error)
    endpoint.refresh_from_db()
    assert endpoint.last_error == "a\ufffdb \ufffd"


async def health_of(endpoint):
    return await endpoints.check(Address.of(endpoint))


async def test_a_server_tells_its_models(endpoint, server):
    health = await health_of(endpoint)
    assert (health.is_well, health.models) == (True, ("orion", "lyra"))
    assert server.asked[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        (Script(401, body=[b"{}"]), "does not accept the key"),
        (Script(404, body=[b"nothing"]), "lack its version"),
        (Script(500, body=[b"oh"]), "status 500"),
        (Script(200, body=[b"<html>"]), "no server of language models"),
        (Script(200, body=[b'{"data": "x"}']), "no server of language models"),
        (Script(200, body=[b"{", CLOSE]), "does not speak as it should"),
        (Script(200, body=[json.dumps({"data": [{"id": "a"}, {"id": 3}, {}, 5, {"id": ""}]}).encode()]), "1 model"),
    ],
)
async def test_what_is_wrong_is_said(listing, words, endpoint, server):
    server.listing = listing
    said = (await health_of(endpoint)).words
    assert words in said
    assert isinstance(said, Sentence)  # so that every reader has it in their own language


async def test_names_that_nobody_could_ask_for_are_left_out(endpoint, server):
    names = ["orion", "a\x00b", "a\ud83d", "\u202enoiro", "x" * 501, 7, ["lyra"]]
    server.listing = Script(200, body=[json.dumps({"data": [{"id": name} for name in names]}).encode()])
    assert (await health_of(endpoint)).models == ("orion",)


def test_a_list_without_end_is_cut_off_and_ends_the_rest_of_whom_it_names(endpoint, server, register, monkeypatch):
    monkeypatch.setattr(server_facts, "MOST_MODELS", 300_000)  # more than a query of SQLite takes
    llm = register("Orion 7B", engine="openai_compatible", endpoint=endpoint, source="orion", n_refusals=3)
    names = ["orion", *(str(n) for n in range(400_000))]
    server.listing = Script(200, body=[json.dumps({"data": [{"id": name} for name in names]}).encode()])
    health = endpoints.ask(endpoint)
    assert (health.is_well, len(health.models)) == (True, 300_000)
    llm.refresh_from_db()
    assert llm.n_refusals == 0


async def test_whether_a_key_is_wrong_or_missing(endpoint, server):
    server.listing = Script(401, body=[b"{}"])
    refused = await health_of(endpoint)
    assert refused.refuses_key
    assert "does not accept the key" in refused.words
    endpoint.sealed_key = ""
    missing = await health_of(endpoint)
    assert missing.refuses_key
    assert "wants a key" in missing.words


async def test_a_server_that_is_away(endpoint):
    endpoint.base_url = "http://127.0.0.1:1023/v1"
    words = (await health_of(endpoint)).words
    assert "cannot be reached" in words
    assert "Start the server" in words


async def test_an_address_that_the_guard_refuses(endpoint, settings):
    settings.ENDPOINT_NETWORKS = []
    words = (await health_of(endpoint)).words
    assert "ENDPOINT_NETWORKS=127.0.0.1" in words
    assert "cannot be reached" not in words
    assert isinstance(words.values["reason"], Sentence)


def test_what_is_remembered_of_it_can_be_said_in_any_language(endpoint, server, settings):
    server.listing = Script(500, body=[b"oh"])
    endpoints.ask(endpoint)
    endpoint.refresh_from_db()
    assert isinstance(endpoint.last_error, Sentence)
    endpoints.note_failure(endpoint.pk, EngineUnreachable(filled("%(n)s hosts are away", n=3)))
    endpoint.refresh_from_db()
    assert (str(endpoint.last_error), endpoint.last_error.values) == ("3 hosts are away", {"n": 3})
    endpoints.note_failure(endpoint.pk, EngineUnreachable("x" * 9000))
    endpoint.refresh_from_db()
    assert endpoint.last_error == "x" * 500


# --- the breaker


@pytest.fixture
def served(endpoint, register):
    return register("Orion 7B", engine="openai_compatible", endpoint=endpoint, source="orion")


def fail(endpoint, times, error=EngineUnreachable):
    for _ in range(times):
        endpoints.note_failure(endpoint.pk, error("connection refused"))


def test_after_three_failures_it_rests_and_is_not_drawn(endpoint, served):
    fail(endpoint, 2)
    assert served in LanguageModel.objects.in_battles()
    fail(endpoint, 1)
    assert served not in LanguageModel.objects.in_battles()
    endpoint.refresh_from_db()
    assert (endpoint.n_failures, endpoint.last_error) == (3, "connection refused")


def test_an_answer_in_between_begins_the_count_anew(endpoint, served):
    fail(endpoint, 2)
    endpoints.note_success(endpoint.pk)
    fail(endpoint, 2)
    assert served in LanguageModel.objects.in_battles()


@pytest.mark.parametrize("error", [EngineOverloaded, PromptTooLong])
def test_what_is_not_its_fault_does_not_count(error, endpoint, served):
    fail(endpoint, 9, error)
    assert served in LanguageModel.objects.in_battles()


def test_it_is_asked_again_and_comes_back(endpoint, served, server):
    fail(endpoint, 3)
    tasks.ask_resting_endpoints()  # it has just failed
    assert not server.asked
    Endpoint.objects.update(checked_at=Now() - timedelta(minutes=1))
    server.listing = Script(503, body=[b"loading"])
    assert endpoints.ask_those_that_rest() == 0
    Endpoint.objects.update(checked_at=Now() - timedelta(minutes=1))
    server.listing = Script()
    assert endpoints.ask_those_that_rest() == 1
    assert served in LanguageModel.objects.in_battles()


def test_one_of_two_processes_asks(endpoint, served, server, monkeypatch):
    fail(endpoint, 3)
    Endpoint.objects.update(checked_at=None)
    ask = endpoints.ask

    def ask_while_another_process_looks(endpoint):
        monkeypatch.setattr(endpoints, "ask", ask)
        assert endpoints.ask_those_that_rest() == 0
        return ask(endpoint)

    monkeypatch.setattr(endpoints, "ask", ask_while_another_process_looks)
    assert endpoints.ask_those_that_rest() == 1
    assert len(server.asked) == 1


# --- rows


def test_an_address_is_brought_into_form_or_refused(db):
    endpoint = Endpoint(name="x", base_url="127.0.0.1:8000")
    endpoint.full_clean()
    assert endpoint.base_url == "http://127.0.0.1:8000/v1"
    with pytest.raises(ValidationError, match="another kind of service"):
        Endpoint(name="x", base_url="http://127.0.0.1:6379").full_clean()


def test_engine_and_endpoint_belong_together(endpoint):
    with pytest.raises(ValidationError, match="Choose the endpoint"):
        LanguageModel(name="X", slug="x", engine="openai_compatible", source="x").full_clean()
    with pytest.raises(ValidationError, match="Only the engine openai_compatible"):
        LanguageModel(name="X", slug="x", engine="echo", endpoint=endpoint).full_clean()
    LanguageModel(name="X", slug="x", engine="openai_compatible", endpoint=endpoint, source="x").full_clean()


# --- the administration


def test_the_admin_never_shows_a_key(endpoint, adem, sign_in):
    client = sign_in(adem)
    for path in ("/admin/llms/endpoint/", f"/admin/llms/endpoint/{endpoint.pk}/change/"):
        page = client.get(path).content.decode()
        assert SECRET not in page
        assert endpoint.sealed_key not in page


def test_a_key_is_typed_kept_and_forgotten(adem, sign_in, endpoint):
    client = sign_in(adem)
    path = f"/admin/llms/endpoint/{endpoint.pk}/change/"
    form = {"name": "lab", "base_url": endpoint.base_url, "max_concurrent": "4"}

    def key_after(**fields):
        assert client.post(path, {**form, **fields}).status_code == 302
        endpoint.refresh_from_db()
        return sealing.unseal(endpoint.sealed_key)

    assert key_after(api_key="") == SECRET
    assert key_after(api_key="sk-other") == "sk-other"
    assert key_after(api_key="", forget_key="on") == ""


@pytest.mark.parametrize("fields", [{}, {"api_key": ""}])
def test_a_key_is_not_sent_to_another_server(fields, adem, sign_in, endpoint):
    form = {"name": "lab", "base_url": "http://evil.example/v1", "max_concurrent": "4", **fields}
    page = sign_in(adem).post(f"/admin/llms/endpoint/{endpoint.pk}/change/", form)
    assert "type the key of the new server" in page.content.decode()
    endpoint.refresh_from_db()
    assert "evil" not in endpoint.base_url


@pytest.mark.parametrize("key", ["sk secret", "sk-\u00fc", "a\tb"])
def test_a_key_that_cannot_be_one_is_refused(key, adem, sign_in, endpoint):
    form = {"name": "lab", "base_url": endpoint.base_url, "max_concurrent": "4", "api_key": key}
    page = sign_in(adem).post(f"/admin/llms/endpoint/{endpoint.pk}/change/", form)
    assert "Copy it again" in page.content.decode()


def test_an_answer_that_breaks_us_is_said_and_the_others_are_asked(endpoint, served, server, monkeypatch):
    Endpoint.objects.create(name="aaa", base_url="http://127.0.0.1:1023/v1", n_failures=3, resting_since=Now())
    fail(endpoint, 3)
    Endpoint.objects.update(checked_at=None)
    check = endpoints.check

    async def fragile(address):
        if "1023" in address.base_url:
            raise RecursionError("nested")
        return await check(address)

    monkeypatch.setattr(endpoints, "check", fragile)
    assert endpoints.ask_those_that_rest() == 1
    assert "The log says why" in Endpoint.objects.get(name="aaa").last_error


async def test_a_server_that_never_answers_does_not_hold_us(endpoint, server, monkeypatch):
    monkeypatch.setattr(endpoints, "CHECK_SECONDS", 0.2)
    server.listing = Script(body=[HANG])
    assert "did not answer within" in (await health_of(endpoint)).words


def test_an_administrator_can_ask_how_it_is(adem, sign_in, endpoint, server):
    fail(endpoint, 3)
    client = sign_in(adem)
    assert "rests since" in client.get("/admin/llms/endpoint/").content.decode()
    action = {"action": "ask", "_selected_action": [endpoint.pk]}
    page = client.post("/admin/llms/endpoint/", action, follow=True).content.decode()
    assert "2 models" in page
    assert "rests since" not in page
