"""A model that its server does not want to be asked for is not drawn again and again."""

import pytest

from llms import endpoints, refusals
from llms.engines.base import (
    AccessRefused,
    EngineOverloaded,
    EngineUnreachable,
    GenerationFailed,
    PromptTooLong,
    RequestRejected,
)
from llms.models import Endpoint, LanguageModel
from tests.helpers.model_server import LOOPBACK, Script, model_server

pytestmark = pytest.mark.django_db
MISNAMED = RequestRejected("status 404: the model lyra does not exist")


@pytest.fixture
def endpoint():
    return Endpoint.objects.create(name="GPU", base_url="http://127.0.0.1:1/v1")


@pytest.fixture
def lyra(register, endpoint):
    return register("Lyra", engine="openai_compatible", endpoint=endpoint, source="lyra")


@pytest.fixture
def pavo(register, endpoint):
    return register("Pavo", engine="openai_compatible", endpoint=endpoint, source="pavo")


def refuse(llm, times=refusals.REFUSALS_UNTIL_REST, error=MISNAMED):
    for _ in range(times):
        refusals.note_refusal(llm.pk, error)


def drawn():
    return {llm.name for llm in LanguageModel.objects.in_battles()}


def test_after_three_refusals_in_a_row_it_is_not_drawn_and_the_reason_is_kept(lyra, pavo):
    refuse(lyra, 2)
    assert drawn() == {"Lyra", "Pavo"}
    refuse(lyra, 1)
    assert drawn() == {"Pavo"}
    lyra.refresh_from_db()
    assert "does not exist" in lyra.last_refusal


def test_an_answer_in_between_begins_the_count_anew(lyra, endpoint):
    refuse(lyra, 2)
    endpoints.note_answer(lyra.pk, endpoint.pk)
    refuse(lyra, 2)
    assert drawn() == {"Lyra"}


def test_a_good_answer_mends_it(lyra, endpoint):
    refuse(lyra)
    endpoints.note_answer(lyra.pk, endpoint.pk)
    lyra.refresh_from_db()
    assert (lyra.n_refusals, lyra.refused_since, lyra.last_refusal) == (0, None, "")


@pytest.mark.parametrize(
    "error",
    [AccessRefused("403"), EngineOverloaded("429"), EngineUnreachable("x"), GenerationFailed("x"), PromptTooLong("x")],
)
def test_what_is_not_the_models_own_fault_does_not_count(error, lyra):
    refuse(lyra, 10, error)
    assert drawn() == {"Lyra"}


def test_an_answer_of_a_model_that_is_well_writes_nothing(lyra, endpoint, django_assert_num_queries):
    with django_assert_num_queries(1):
        endpoints.note_answer(lyra.pk, endpoint.pk)


def test_an_answer_ends_the_rest_of_its_endpoint(lyra, endpoint):
    for _ in range(endpoints.FAILURES_UNTIL_REST):
        endpoints.note_failure(endpoint.pk, EngineUnreachable("gone"))
    endpoints.note_answer(lyra.pk, endpoint.pk)
    endpoint.refresh_from_db()
    assert (endpoint.n_failures, endpoint.resting_since) == (0, None)


def test_a_server_that_lists_it_again_mends_it(register, settings):
    settings.ENDPOINT_NETWORKS = LOOPBACK
    with model_server() as server:
        server.scripts["lyra"] = Script()
        endpoint = Endpoint.objects.create(name="GPU", base_url=server.url)
        for name in ("Lyra", "Vega"):
            refuse(register(name, engine="openai_compatible", endpoint=endpoint, source=name.lower()))
        assert drawn() == set()
        assert endpoints.ask(endpoint).models == ("lyra",)
    assert drawn() == {"Lyra"}


ROW = {
    "name": "Lyra",
    "slug": "lyra",
    "stage": "sft",
    "aliases": "[]",
    "engine": "openai_compatible",
    "source": "lyra",
    "options": "{}",
    "decoding": "{}",
    "status": "enabled",
    "battle_weight": "1",
    "visibility": "public",
}


def test_editing_the_row_mends_it(lyra, endpoint, adem, sign_in):
    refuse(lyra)
    address = f"/admin/llms/languagemodel/{lyra.pk}/change/"
    answer = sign_in(adem).post(address, {**ROW, "endpoint": endpoint.pk, "source": "lyra-13b"})
    assert answer.status_code == 302
    assert drawn() == {"Lyra"}


def test_the_admin_sees_why_and_may_have_it_drawn_again(lyra, adem, sign_in):
    refuse(lyra)
    client = sign_in(adem)
    shown = client.get("/admin/llms/languagemodel/").content.decode()
    assert "the model lyra does not exist" in shown
    client.post("/admin/llms/languagemodel/", {"action": "draw_again", "_selected_action": [lyra.pk]})
    assert drawn() == {"Lyra"}
