"""Model servers on this machine are found at their usual ports, and nothing else is taken for one."""

import socket
from contextlib import ExitStack, closing
from ipaddress import ip_network

import pytest

from llms import local_servers
from tests.helpers import played_servers as played
from tests.helpers.model_server import HANG, LOOPBACK, Script, model_server


@pytest.fixture
def machine(settings):
    """Starts servers, and looks for them where they are."""
    settings.ENDPOINT_NETWORKS = LOOPBACK
    with ExitStack() as running:

        class Machine:
            def start(self, kind):
                server = running.enter_context(model_server())
                server.played = kind
                return server

        yield Machine()


def test_they_are_found_with_their_models(machine):
    kinds = [played.vllm(), played.llama_server(), played.ollama(), played.transformers_serve()]
    servers = [machine.start(kind) for kind in kinds]
    found = local_servers.find([server.port for server in servers])
    assert [(one.base_url, one.server) for one in found] == [
        (servers[0].url, "vLLM 0.32.0"),
        (servers[1].url, "llama.cpp b6000-abc1234"),
        (servers[2].url, "Ollama 0.13.1"),
        (servers[3].url, "transformers serve"),
    ]
    assert found[0].models == (played.NAME,)
    assert found[0].words == f"It serves {played.NAME}."
    assert found[3].models == ()
    assert "status 500" in found[3].words


def test_a_server_of_an_unknown_kind_is_found_by_its_list(machine):
    server = machine.start(played.Played(facts={"/openapi.json": {"info": {"title": "Our own", "version": "2"}}}))
    (found,) = local_servers.find([server.port])
    assert (found.server, found.models) == ("Our own 2", (played.NAME,))


def test_a_server_without_models_says_so(machine):
    server = machine.start(lambda asked: Script(200 if "models" in asked.path else 404, body=[b'{"data": []}']))
    (found,) = local_servers.find([server.port])
    assert found.words == "It serves no model yet."


@pytest.mark.parametrize(
    "kind",
    [
        lambda asked: Script(404, body=[b"not here"]),
        lambda asked: Script(200, body=[b"<html>"]),
        lambda asked: Script(200, {"Server": "nginx"}, [b'{"data": "x"}']),
        played.Played(listing_status=404, facts={"/openapi.json": {"info": {"title": "Shop", "version": "1"}}}),
    ],
)
def test_other_web_servers_are_not_taken_for_one(kind, machine):
    assert local_servers.find([machine.start(kind).port]) == []


def test_silence_is_not_waited_for(machine, monkeypatch):
    silent, well = machine.start(lambda asked: Script(body=[HANG])), machine.start(played.vllm())
    with closing(socket.socket()) as mute:  # takes connections, and says nothing
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        found = local_servers.find([silent.port, mute.getsockname()[1], 1023, well.port])
    assert [one.base_url for one in found] == [well.url]


def test_our_own_port_is_left_alone(machine, settings):
    server = machine.start(played.vllm())
    settings.PORT = server.port
    assert local_servers.find([server.port]) == []
    assert server.asked == []


@pytest.mark.parametrize("networks", [(), (ip_network("10.0.0.0/8"),)])
def test_nothing_is_asked_where_the_settings_forbid_it(networks, machine, settings):
    server = machine.start(played.vllm())
    settings.ENDPOINT_NETWORKS = networks
    assert local_servers.find([server.port]) == []
    assert server.asked == []
    assert "ENDPOINT_NETWORKS" in local_servers.why_not()


def test_no_key_is_sent(machine):
    server = machine.start(played.vllm())
    local_servers.find([server.port])
    assert server.asked
    assert not [asked for asked in server.asked if "authorization" in asked.headers]


def test_the_usual_ports_are_those_of_servers_we_know():
    assert {8000, 8080, 30000, 11434, 1234, 3000, 1337} <= set(local_servers.USUAL_PORTS)
    assert len(set(local_servers.USUAL_PORTS)) == len(local_servers.USUAL_PORTS)
