"""Battles of models that are elsewhere: what the voter sees when a server is busy, thinks, or dies."""

import pytest

from arena.models import Answer
from llms.engines.base import EngineError
from llms.engines.openai_compatible import engine as engine_module
from llms.models import Endpoint
from tests.helpers.model_server import CLOSE, HANG, LOOPBACK, Script, event, model_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def running():
    with model_server() as server:
        yield server


@pytest.fixture
async def serve(running, settings, in_thread, register, monkeypatch):
    """Two models of one endpoint, each by its script."""
    settings.ENDPOINT_NETWORKS = LOOPBACK
    monkeypatch.setattr(engine_module, "LONGEST_PAUSE_SECONDS", 0.5)

    async def serve(orion, lyra, **options):
        running.scripts = {"orion": orion, "lyra": lyra}

        def rows():
            endpoint = Endpoint.objects.create(name="lab", base_url=running.url, **options)
            for name in ("orion", "lyra"):
                register(f"{name.title()} 7B", engine="openai_compatible", endpoint=endpoint, source=name)
            return endpoint

        return await in_thread(rows)

    return serve


async def test_a_battle_over_the_wire(serve, visits, in_thread):
    await serve(Script(), Script())
    page = await visits.open()
    await page.start()
    await page.until_phase("voting")
    await page.ask("vote", outcome="a")
    await page.until_phase("revealed")
    assert {page.battle["reveal"][side]["name"] for side in "ab"} == {"Orion 7B", "Lyra 7B"}


async def test_thoughts_are_stored_and_told_to_nobody(serve, visits, in_thread):
    thought = '{"choices": [{"delta": {"reasoning_content": "Let me see."}}]}'
    script = Script(body=[thought, event("Four.", finish="stop")])
    await serve(script, script)
    page = await visits.open()
    await page.start()
    await page.until_phase("voting")
    assert await in_thread(lambda: set(Answer.objects.values_list("reasoning", "text"))) == {("Let me see.", "Four.")}
    assert not [frame for frame in page.received if "Let me see" in frame]


async def test_whoever_stands_in_line_hears_it(serve, visits):
    await serve(Script(body=[event("x"), HANG]), Script(body=[event("x"), HANG]), max_concurrent=1)
    page = await visits.open()
    await page.start()
    await page.until(lambda page: "1 answer is before this one." in str(page.received))
    assert {page.answer(side)["message"] for side in "ab"} <= {"", "1 answer is before this one."}


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (Script(body=[event("Once upon a "), CLOSE]), "generation_failed"),
        (Script(body=[event("Once upon a "), b"data: " + b"\xff" * 10_000_000]), "generation_failed"),
        (Script(429, {"Retry-After": "60"}, [b"{}"]), "overloaded"),
        (Script(500, body=[b"{}"]), "unreachable"),
        (Script(401, body=[b"{}"]), "access_refused"),
        (Script(body=[event("Once upon a "), HANG]), "stalled"),
        (Script(body=[HANG]), "first_token_timeout"),
    ],
)
async def test_a_server_that_fails_costs_a_sentence_and_nothing_else(script, code, serve, visits, settings, in_thread):
    settings.STALLED_SECONDS, settings.FIRST_TOKEN_SECONDS = 1, 4
    await serve(script, script)
    page = await visits.open()
    await page.start("Tell me a story.")
    await page.until_phase("stuck")
    assert await in_thread(lambda: set(Answer.objects.values_list("error_code", flat=True))) == {code}
    assert page.battle["turns"][0]["prompt"] == "Tell me a story."
    assert all(page.answer(side)["message"].endswith(".") for side in "ab")
    assert not [frame for frame in page.received if "127.0.0.1" in frame]


@pytest.mark.parametrize("status", [500, 401, 404, 429])
async def test_no_sentence_says_that_a_model_is_elsewhere(status, serve, visits):
    script = Script(status, {"Retry-After": "60"}, [b"{}"])
    await serve(script, script)
    page = await visits.open()
    await page.start()
    await page.until_phase("stuck")
    assert {page.answer(side)["message"] for side in "ab"} == {EngineError.user_message}


async def test_a_server_that_dies_rests_and_its_models_are_drawn_no_more(serve, visits, in_thread):
    endpoint = await serve(Script(500, body=[b"{}"]), Script(500, body=[b"{}"]))
    page = await visits.open()
    await page.start()
    await page.until_phase("stuck")
    await page.ask("retry")
    await page.until(lambda page: [a["attempt"] for a in page.battle["turns"][0]["answers"].values()] == [2, 2])
    await page.until_phase("stuck")
    await in_thread(endpoint.refresh_from_db)
    assert endpoint.resting_since
    await page.start("Another one?")
    assert (await page.until_refused())["code"] == "not_enough_models"
