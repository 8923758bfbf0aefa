"""`/metrics`: who may read it, and what of the installation it shows."""

from ipaddress import ip_network

import pytest
from django.utils import timezone

from config import metrics, probes
from leaderboard import live
from leaderboard.models import LiveBoard
from llms.models import Endpoint

pytestmark = pytest.mark.django_db

TOKEN = "t" * 40


def ask(client, peer="127.0.0.1", **headers):
    return client.get("/metrics", REMOTE_ADDR=peer, headers=headers)


def number(client, line):
    """The value of a line, or None if it is not there."""
    found = [row.rpartition(" ")[2] for row in ask(client).content.decode().splitlines() if row.startswith(line + " ")]
    return float(found[0]) if found else None


def test_this_machine_may_read(client):
    response = ask(client)
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=")
    assert b"# TYPE hakem_active_turns gauge" in response.content
    assert ask(client, "::1").status_code == 200


@pytest.mark.parametrize("peer", ["192.0.2.7", "10.0.0.1", "2001:db8::1", "", "unix:"])
def test_nobody_else_may(peer, client):
    response = ask(client, peer)
    assert response.status_code == 403
    assert b"METRICS_NETWORKS" in response.content
    assert b"hakem_" not in response.content


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"])
def test_a_proxy_on_this_machine_is_not_this_machine(header, client):
    """Nobody told us of it, so whoever is behind it could be anybody."""
    assert ask(client, **{header: "127.0.0.1"}).status_code == 403


def test_behind_a_known_proxy_the_asker_counts(client, settings):
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    settings.METRICS_NETWORKS = [ip_network("10.9.0.0/16")]
    assert ask(client, **{"X-Forwarded-For": "10.9.1.2"}).status_code == 200
    assert ask(client, **{"X-Forwarded-For": "10.9.1.2, 192.0.2.7"}).status_code == 403
    assert ask(client, **{"X-Forwarded-For": "127.0.0.1"}).status_code == 403
    assert ask(client, "10.9.1.2").status_code == 200


def test_a_token_opens_it_from_anywhere(client, settings):
    settings.METRICS_TOKEN = TOKEN
    assert ask(client, "192.0.2.7", Authorization=f"Bearer {TOKEN}").status_code == 200
    for wrong in (f"Bearer {TOKEN}x", "Bearer ", "", "Bearer ş"):
        assert ask(client, "192.0.2.7", Authorization=wrong).status_code == 403


def test_without_a_token_an_empty_one_opens_nothing(client, settings):
    settings.METRICS_TOKEN = ""
    assert ask(client, "192.0.2.7", Authorization="Bearer ").status_code == 403


def test_it_is_read_and_not_written(client):
    assert client.post("/metrics").status_code == 405


def test_endpoints_and_whether_they_rest(client):
    Endpoint.objects.create(name="well", base_url="http://127.0.0.1:9/v1")
    Endpoint.objects.create(name="tired", base_url="http://127.0.0.1:9/v1", resting_since=timezone.now())
    assert number(client, 'hakem_endpoint_resting{endpoint="well"}') == 0
    assert number(client, 'hakem_endpoint_resting{endpoint="tired"}') == 1


def test_how_old_the_board_is_and_whether_votes_wait_for_it(client, begin, finish, visitor):
    live.refresh_all()
    computed = LiveBoard.objects.get(audience="public").computed_at
    line = 'hakem_board_computed_seconds{audience="public"}'
    assert number(client, line) == pytest.approx(computed.timestamp(), abs=1)
    assert number(client, 'hakem_board_behind{audience="public"}') == 0
    LiveBoard.objects.update(mark="another")
    assert number(client, 'hakem_board_behind{audience="public"}') == 1


def test_local_models_by_what_has_become_of_them(client, orion, lyra):
    assert number(client, 'hakem_local_models{state="cold"}') == 2
    assert number(client, 'hakem_local_models{state="ready"}') == 0


def test_no_model_is_named(client, orion, lyra):
    assert b"orion" not in ask(client).content.lower()


def test_a_broker_that_is_away_costs_its_own_numbers_only(client, settings, monkeypatch, caplog):
    settings.EMBEDDED = False
    monkeypatch.setattr(probes, "queue_depths", lambda: {"default": 7})
    assert number(client, 'hakem_queue_depth{queue="default"}') == 7
    assert number(client, 'hakem_part_away{part="broker"}') == 0

    def away():
        raise OSError("gone")

    monkeypatch.setattr(probes, "queue_depths", away)
    assert number(client, 'hakem_part_away{part="broker"}') == 1
    assert number(client, 'hakem_part_away{part="database"}') == 0
    assert number(client, 'hakem_queue_depth{queue="default"}') is None
    assert "broker has no numbers" in caplog.text


def test_tasks_that_wait_are_counted_in_each_queue(client, settings):
    settings.EMBEDDED, settings.CELERY_BROKER_URL = False, "memory://"
    with probes.broker() as opened, opened.SimpleQueue("gpu") as queue:
        queue.put({})
        queue.put({})
        try:
            depths = {
                name: number(client, f'hakem_queue_depth{{queue="{name}"}}') for name in ("gpu", "judge", "default")
            }
        finally:
            queue.clear()
    assert depths == {"gpu": 2, "judge": 0, "default": 0}


def test_a_database_that_is_away_does_not_hide_the_rest(client, monkeypatch):
    def away():
        raise OSError("gone")

    monkeypatch.setattr(metrics, "_endpoints", away)
    assert number(client, 'hakem_part_away{part="database"}') == 1
    assert number(client, "hakem_active_turns") is not None
