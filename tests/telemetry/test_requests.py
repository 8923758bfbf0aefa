"""Every request has an id, which its answer and its log lines say; and is counted under its route."""

import logging

import pytest
from prometheus_client import REGISTRY

from telemetry import context
from telemetry.request_ids import RequestIds


async def ask(application, *headers, kind="http"):
    sent = []

    async def send(message):
        sent.append(message)

    await RequestIds(application)({"type": kind, "headers": list(headers)}, None, send)
    return sent


async def answers(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": context.current()["request"].encode()})


async def test_an_id_is_made_told_and_known_inside():
    start, body = await ask(answers)
    (name, given) = start["headers"][-1]
    assert start["headers"][0] == (b"a", b"b")
    assert (name, given) == (b"x-request-id", body["body"])
    assert len(given) == 32
    assert "request" not in context.current()


async def test_the_id_of_a_proxy_is_kept():
    start, body = await ask(answers, (b"X-Request-ID", b"from-the-proxy.1"))
    assert body["body"] == b"from-the-proxy.1"
    assert start["headers"][-1] == (b"x-request-id", b"from-the-proxy.1")


@pytest.mark.parametrize("hostile", [b"a\r\nSet-Cookie: x=1", b"\xff" * 10, b"x" * 1000, b""])
async def test_an_id_that_could_harm_is_not(hostile):
    _start, body = await ask(answers, (b"x-request-id", hostile))
    assert body["body"] != hostile
    assert body["body"].isalnum()


async def test_a_socket_has_one_too():
    seen = []

    async def socket(scope, receive, send):
        seen.append(context.current()["request"])
        await send({"type": "websocket.accept"})

    assert await ask(socket, (b"x-request-id", b"a-socket-1"), kind="websocket") == [{"type": "websocket.accept"}]
    assert seen == ["a-socket-1"]


async def test_pages_and_sockets_of_the_site_have_them():
    from config.asgi import application

    assert isinstance(application.application_mapping["http"], RequestIds)
    assert isinstance(application.application_mapping["websocket"], RequestIds)


def counted(**labels):
    return REGISTRY.get_sample_value("hakem_http_seconds_count", labels) or 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "method", "route", "status"),
    [
        ("/leaderboard/", "get", "leaderboard/", "200"),
        ("/battle/00000000-0000-4000-8000-000000000000/", "get", "battle/<uuid:battle_id>/", "404"),
        ("/nowhere/at/all", "get", "nowhere", "404"),
        ("/static/nowhere.css", "get", "static", "404"),
        ("/", "get", "/", "200"),
    ],
)
def test_a_request_is_counted_by_its_route(path, method, route, status, client):
    labels = {"method": method.upper(), "route": route, "status": status}
    before = counted(**labels)
    getattr(client, method)(path)
    assert counted(**labels) == before + 1


@pytest.mark.django_db
def test_an_invented_method_makes_no_new_label(client):
    before = counted(method="other", route="/", status="405")
    client.generic("BREW", "/")
    assert counted(method="other", route="/", status="405") == before + 1


@pytest.mark.django_db
def test_the_log_has_the_path_and_not_what_was_asked_of_it(client, caplog):
    caplog.set_level(logging.INFO, "telemetry.middleware")
    client.get("/leaderboard/?secret=12345")
    client.get("/a%0aforged line")
    client.get("/healthz")
    lines = [r.getMessage() for r in caplog.records if r.name == "telemetry.middleware"]
    assert [line.rpartition(" in ")[0] for line in lines] == ["GET /leaderboard/ 200", "GET /a%0Aforged%20line 404"]
