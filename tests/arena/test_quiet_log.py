"""What the log of a whole battle holds: which one it was, and nothing that anybody typed, wrote or keeps secret."""

import io
import json
import logging

import pytest

from llms.models import Endpoint
from llms.sealing import seal
from telemetry.logs import JsonFormatter
from tests.helpers.model_server import CLOSE, Script, event, model_server

PROMPT = "Zanzibar-shaped question about my salary"
ANSWER = "Quetzal-feathered answer"
KEY = "sk-quite-secret-key-of-the-lab"


@pytest.fixture
def written():
    """Everything at INFO and above, as a machine would read it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    handler.setLevel(logging.INFO)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def serve(register, in_thread):
    """Two models at an endpoint that wants a key. It repeats in its errors what it was asked, as servers do."""
    with model_server() as running:

        def rows():
            endpoint = Endpoint.objects.create(name="lab", base_url=running.url, sealed_key=seal(KEY))
            for name in ("orion", "lyra"):
                register(f"{name.title()} 7B", engine="openai_compatible", endpoint=endpoint, source=name)

        async def serve(script):
            running.scripts = {"orion": script, "lyra": script}
            await in_thread(rows)

        yield serve


async def test_a_battle_with_its_vote_leaves_no_word_of_it(serve, visits, written):
    await serve(Script(body=[event(ANSWER), event(" in two.", finish="stop")]))
    page = await visits.open()
    await page.start(PROMPT)
    await page.until_phase("voting")
    await page.go_on(PROMPT)
    await page.until(lambda page: len(page.battle["turns"]) == 2)
    await page.until_phase("voting")
    await page.ask("vote", outcome="a")
    await page.until_phase("revealed")
    await page.ask("feedback", reasons=[], comment=PROMPT)
    assert_quiet(written())


@pytest.mark.parametrize(
    "script",
    [
        Script(400, body=[json.dumps({"error": {"message": f"{PROMPT} {ANSWER} {KEY}"}}).encode()]),
        Script(500, body=[f"<html>{PROMPT} Authorization: Bearer {KEY}</html>".encode()]),
        Script(body=[event(ANSWER), CLOSE]),
        Script(body=[event(ANSWER), "data that is no JSON: " + PROMPT]),
    ],
    ids=["refused", "broken", "cut", "garbled"],
)
async def test_nor_does_one_that_fails(script, serve, visits, written, monkeypatch):
    monkeypatch.setattr("llms.engines.openai_compatible.engine.LONGEST_PAUSE_SECONDS", 0.0)
    await serve(script)
    for _ in range(2):
        page = await visits.open()
        await page.start(PROMPT)
        await page.until_phase("stuck")
    lines = written()
    assert_quiet(lines)
    failures = [line for line in lines if "failed in turn" in line["message"]]
    assert failures
    assert len({line["battle"] for line in failures}) == 2
    assert all(f"failed in turn {line['turn']}:" in line["message"] for line in failures)


def assert_quiet(lines):
    text = json.dumps(lines)
    for secret in ("Zanzibar", "salary", "Quetzal", "feathered", KEY):
        assert secret not in text
