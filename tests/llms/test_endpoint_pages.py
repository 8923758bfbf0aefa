"""Pages about model servers: how they are, what their models can do, and no key."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from llms import probing, sealing, tasks
from llms.engines.openai_compatible.asking import Patience
from llms.models import Endpoint, Probe
from tests.helpers import played_servers as played
from tests.helpers.model_server import LOOPBACK, Script, model_server

pytestmark = pytest.mark.django_db
SECRET = "sk-very-secret-indeed"


@pytest.fixture(scope="module")
def running():
    with model_server() as server:
        yield server


@pytest.fixture
def server(running, settings, monkeypatch):
    settings.ENDPOINT_NETWORKS = LOOPBACK
    monkeypatch.setattr(probing, "PATIENCE", Patience(one_reply=5, about_itself=2, all_together=30, when_busy=0.01))
    running.played = played.vllm()
    cache.clear()
    yield running
    running.played = None
    cache.clear()


@pytest.fixture
def endpoint(server):
    return Endpoint.objects.create(name="lab", base_url=server.url, sealed_key=sealing.seal(SECRET))


@pytest.fixture
def client(sign_in, adem):
    return sign_in(adem)


@pytest.fixture
def queued(monkeypatch, django_capture_on_commit_callbacks):
    """Probes that the pages asked the background for."""
    queue = []
    monkeypatch.setattr(tasks.probe_model, "delay", lambda *, probe_id: queue.append(probe_id))
    return queue


def page(client, endpoint, query=""):
    response = client.get(reverse("llms:endpoint", args=[endpoint.pk]) + query)
    assert response.status_code == 200
    text = response.content.decode()
    assert SECRET not in text
    assert endpoint.sealed_key not in text
    return text


def test_the_list_shows_each_server_and_its_health(client, endpoint, register):
    register("Orion 7B", engine="openai_compatible", endpoint=endpoint, source=played.NAME)
    Endpoint.objects.create(name="tired", base_url="http://10.0.0.1/v1", n_failures=3, resting_since=timezone.now())
    text = client.get(reverse("llms:endpoints")).content.decode()
    assert reverse("llms:endpoint", args=[endpoint.pk]) in text
    assert "well" in text
    assert "rests" in text


def test_without_servers_it_says_how_to_find_one(client, db):
    text = client.get(reverse("llms:endpoints")).content.decode()
    assert "No server is known yet" in text
    assert reverse("llms:register") in text


def test_a_page_does_not_wait_for_the_server(client, endpoint, server):
    text = page(client, endpoint)
    assert server.played.asked == []
    assert "Asking the server for its list" in text
    assert "?fragment&amp;look" in text


def test_the_list_of_models_comes_after_the_page(client, endpoint, server):
    text = page(client, endpoint, "?fragment&look")
    assert "It lists 1 model." in text
    assert f"{reverse('llms:register')}?endpoint={endpoint.pk}&amp;model=lab%2Forion-7b" in text
    assert "hx-get" not in text  # nothing to wait for
    asked = len(server.played.asked)
    assert "It lists 1 model." in page(client, endpoint)
    assert len(server.played.asked) == asked  # it is remembered for a while


def test_what_is_registered_is_linked_not_registered_again(client, endpoint, register):
    llm = register("Orion 7B", engine="openai_compatible", endpoint=endpoint, source=played.NAME)
    register("Gone", engine="openai_compatible", endpoint=endpoint, source="not there")
    text = page(client, endpoint, "?look")
    assert reverse("admin:llms_languagemodel_change", args=[llm.pk]) in text
    assert "model=lab%2Forion-7b" not in text
    assert text.count("not in its list") == 1


def test_findings_are_shown_with_their_evidence(client, endpoint, server):
    server.played = played.llama_cpp_python()
    probing.probe(endpoint, played.NAME)
    text = page(client, endpoint, "?look")
    assert "llama-cpp-python 0.3.36" in text
    assert "answers, but wrongly" in text
    assert "shifted by one" in text
    assert "2,048 tokens" in text
    assert "20 alternatives" in text
    assert text.count('class="capability is-') == 8


def test_a_probe_is_begun_in_the_background_and_followed(client, endpoint, queued, django_capture_on_commit_callbacks):
    address = reverse("llms:probe_endpoint", args=[endpoint.pk])
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(address, {"model": played.NAME})
    assert response["Location"] == reverse("llms:endpoint", args=[endpoint.pk])
    probe = Probe.objects.get()
    assert queued == [probe.pk]
    Probe.objects.update(n_done=3)
    text = page(client, endpoint, "?look")
    assert "3 of 8 questions" in text
    assert 'hx-trigger="every 2s"' in text
    tasks.probe_model(probe_id=probe.pk)
    text = page(client, endpoint)
    assert "every 2s" not in text
    assert "Probe again" in text


def test_two_clicks_are_one_probe(client, endpoint, queued, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            response = client.post(
                reverse("llms:probe_endpoint", args=[endpoint.pk]), {"model": played.NAME}, follow=True
            )
    assert len(queued) == 1
    assert "is being probed already" in response.content.decode()


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "a\u202eb", "x" * 501])
def test_a_name_that_cannot_be_one_is_refused(name, client, endpoint, queued, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        text = client.post(reverse("llms:probe_endpoint", args=[endpoint.pk]), {"model": name}, follow=True)
    assert "as the server knows it" in text.content.decode()
    assert not Probe.objects.exists()
    assert queued == []


def test_a_probe_that_failed_says_why(client, endpoint, server):
    probe = probing.begin(endpoint, played.NAME)
    Endpoint.objects.update(base_url="http://127.0.0.1:1023/v1")
    tasks.probe_model(probe_id=probe.pk)
    assert "mend its address" in page(client, endpoint)


def test_a_probe_that_was_cut_off_says_so(client, endpoint):
    probing.begin(endpoint, played.NAME)
    Probe.objects.update(asked_at=timezone.now() - probing.GIVEN_UP_AFTER - timedelta(seconds=1))
    text = page(client, endpoint, "?look")
    assert "was cut off" in text
    assert "every 2s" not in text


def test_ask_now_ends_a_rest(client, endpoint):
    Endpoint.objects.update(n_failures=3, resting_since=timezone.now(), last_error="connection refused")
    text = page(client, endpoint)
    assert "It rests since" in text
    assert "connection refused" in text
    response = client.post(reverse("llms:ask_endpoint", args=[endpoint.pk]), follow=True).content.decode()
    assert "lab is well" in response
    assert "It rests since" not in response


def test_ask_now_says_what_is_wrong(client, endpoint, server):
    server.played = lambda asked: Script(401, body=[b"{}"])
    response = client.post(reverse("llms:ask_endpoint", args=[endpoint.pk]), follow=True)
    assert "does not accept the key" in response.content.decode()


def test_names_from_a_server_are_text(client, endpoint, server):
    hostile = b'{"data": [{"id": "<script>alert(1)</script>"}, {"id": "\\ud800"}, {"id": "a\\u0000b"}, {"id": "ok"}]}'
    server.played = lambda asked: Script(body=[hostile])
    text = page(client, endpoint, "?look")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert "It lists 2 models." in text


def test_the_admin_leads_there(client, endpoint):
    assert reverse("llms:endpoint", args=[endpoint.pk]) in client.get("/admin/llms/endpoint/").content.decode()
