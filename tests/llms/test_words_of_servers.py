"""What a server's state and a refused address are called, at every door: in the reader's language, whoever wrote it."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from config.doctor import contents
from llms import endpoints, refusals, translations
from llms.engines.base import RequestRejected
from llms.models import Endpoint, LanguageModel
from llms.sealing import seal
from llms.sentences import filled

pytestmark = pytest.mark.django_db
REGISTER = "/models/register/?from=server"
AWAY = "http://127.0.0.1:1023/v1"


@pytest.fixture(autouse=True)
def _another_language(monkeypatch):
    """One in which every sentence begins with three dots."""
    monkeypatch.setattr(translations, "gettext", lambda template: f"… {template}")


@pytest.fixture
def client(adem, sign_in):
    return sign_in(adem)


@pytest.fixture
def away():
    return Endpoint.objects.create(name="lab", base_url=AWAY)


def text(response):
    return response.content.decode()


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://user@example.org/v1", "… The address holds a name or a password"),
        ("ftp://example.org/v1", "does not begin with http:// or https://"),
        ("http://example.org:6379/v1", "… Port 6379 belongs to another kind of service"),
        ("http://169.254.169.254/v1", "… 169.254.169.254 is not a public address"),
        (AWAY, f"… {AWAY} cannot be reached"),
    ],
)
def test_an_address_that_is_refused_when_a_server_is_added(address, sentence, client):
    assert sentence in text(client.post(REGISTER, {"address": address}))


def test_a_refused_address_is_remembered(client, settings, away):
    settings.ENDPOINT_NETWORKS = ()
    assert "… 127.0.0.1 is not a public address" in text(client.get(f"{REGISTER}&endpoint={away.pk}"))
    away.refresh_from_db()
    assert away.last_error.values["reason"].values["network"] == "127.0.0.1"


def test_a_server_that_is_away_when_a_model_is_chosen(away, client):
    assert f"… {AWAY} cannot be reached" in text(client.get(f"{REGISTER}&endpoint={away.pk}"))


def test_its_page_and_the_button_that_asks_it(away, client):
    asked = client.post(reverse("llms:ask_endpoint", args=[away.pk]), follow=True)
    assert f"… {AWAY} cannot be reached" in text(asked)
    Endpoint.objects.update(resting_since=timezone.now())
    assert f'<p class="said">… {AWAY} cannot be reached' in text(client.get(reverse("llms:endpoint", args=[away.pk])))


def test_the_part_of_its_page_that_asks_for_its_list(away, client):
    page = reverse("llms:endpoint", args=[away.pk])
    assert text(client.get(f"{page}?look&fragment")).count(f"… {AWAY} cannot be reached") == 1
    endpoints.ask(away)
    Endpoint.objects.update(resting_since=timezone.now())
    assert text(client.get(f"{page}?look")).count(f"… {AWAY} cannot be reached") == 1  # above, and not again


def test_the_lists_of_the_administration(away, client, register):
    endpoints.ask(away)
    Endpoint.objects.update(n_failures=1)
    assert f"… {AWAY} cannot be reached" in text(client.get("/admin/llms/endpoint/"))
    llm = register("Orion 7B", engine="openai_compatible", endpoint=away, source="orion")
    for _ in range(refusals.REFUSALS_UNTIL_REST):
        refusals.note_refusal(llm.pk, RequestRejected(filled("It knows no %(name)s.", name="orion")))
    assert "… It knows no orion." in text(client.get("/admin/llms/languagemodel/"))


def test_the_address_in_the_administration(client):
    form = {"name": "lab", "base_url": "http://a@b/v1", "max_concurrent": 4}
    assert "… The address holds a name" in text(client.post("/admin/llms/endpoint/add/", form))


def test_the_step_that_says_what_will_serve_it(away, client, register):
    endpoints.ask(away)
    Endpoint.objects.update(resting_since=timezone.now())
    llm = register("Orion 7B", engine="openai_compatible", endpoint=away, source="orion")
    assert f"… {AWAY} cannot be reached" in text(client.get(reverse("llms:publish", args=[llm.pk])))


def test_a_missing_name_is_a_problem_in_words_too(away, client, register):
    llm = register("Orion 7B", engine="openai_compatible", endpoint=away, source="")
    LanguageModel.objects.update(status="disabled")
    assert "… The source must be" in text(client.get(reverse("llms:check", args=[llm.pk])))


def test_the_command_that_probes(away):
    with pytest.raises(CommandError, match=f"… {AWAY} cannot be reached"):
        call_command("probe", "lab", stdout=io.StringIO())


def test_a_key_that_cannot_be_read(away, client, settings):
    Endpoint.objects.update(sealed_key=seal("sk-1"))
    settings.FIELD_KEYS = ["n" * 40]
    assert "… A stored key was sealed" in text(client.get(f"{REGISTER}&endpoint={away.pk}"))


def test_the_doctor_stays_with_one_language(away):
    (found,) = contents.model_servers()
    assert found.words.startswith(f"{AWAY} cannot be reached")
