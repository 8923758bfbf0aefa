"""`manage.py register --probe`: what the file names is looked at closely, and what could not be is said."""

import io

import pytest
from django.core.management import CommandError, call_command

from llms import probing
from llms.engines.openai_compatible.asking import Patience
from llms.models import Capability, LanguageModel, Probe, ProbeResult
from tests.helpers import played_servers as played
from tests.helpers.model_server import LOOPBACK, model_server
from tests.llms.engines.tiny import save_tiny_model

pytestmark = pytest.mark.django_db
SECRET = "sk-very-secret-indeed"


@pytest.fixture
def server(settings, monkeypatch):
    settings.ENDPOINT_NETWORKS = LOOPBACK
    monkeypatch.setenv("LAB_API_KEY", SECRET)
    monkeypatch.setattr(probing, "PATIENCE", Patience(one_reply=5, about_itself=2, all_together=30, when_busy=0.01))
    with model_server() as server:
        server.played = played.vllm()
        yield server


@pytest.fixture
def register(tmp_path):
    """`register(text, "--probe")`: what it says."""

    def register(text, *flags):
        file = tmp_path / "models.yaml"
        file.write_text(text)
        said = io.StringIO()
        try:
            call_command("register", "-f", str(file), *flags, stdout=said)
        finally:
            register.said = said.getvalue()
        return register.said

    return register


def model_at(endpoint, slug, source=played.NAME):
    return f"  - {{slug: {slug}, name: {slug}, engine: openai_compatible, endpoint: {endpoint}, source: {source}}}\n"


def endpoint_at(name, address):
    return f"  - {{name: {name}, base_url: '{address}', api_key_env: LAB_API_KEY}}\n"


def test_a_model_is_probed_and_pinned(server, register):
    said = register("endpoints:\n" + endpoint_at("lab", server.url) + "models:\n" + model_at("lab", "orion"), "--probe")
    assert {result.capability for result in ProbeResult.objects.all()} == set(Capability.values)
    for capability in Capability.values:
        assert f"orion: {capability} yes: " in said
    assert f"orion: {LanguageModel.objects.get().weights_identity or 'unpinned'}\n" in said
    assert SECRET not in said


def test_two_settings_of_one_model_are_probed_once(server, register, monkeypatch):
    begun = []
    probe = probing.probe
    monkeypatch.setattr(probing, "probe", lambda *asked: begun.append(asked) or probe(*asked))
    models = model_at("lab", "orion") + model_at("lab", "orion-cold")
    said = register("endpoints:\n" + endpoint_at("lab", server.url) + "models:\n" + models, "--probe")
    assert len(begun) == 1
    assert "orion-cold: " in said


def test_one_that_is_away_is_said_and_costs_the_others_nothing(server, register):
    endpoints = endpoint_at("away", "http://127.0.0.1:1023/v1") + endpoint_at("lab", server.url)
    models = model_at("away", "lyra") + model_at("lab", "orion")
    with pytest.raises(CommandError) as failed:
        register(f"endpoints:\n{endpoints}models:\n{models}", "--probe")
    assert "lyra: http://127.0.0.1:1023/v1 cannot be reached" in str(failed.value)
    assert "registered all the same" in str(failed.value)
    assert SECRET not in str(failed.value)
    assert "orion: chat yes: " in register.said
    assert LanguageModel.objects.count() == 2
    assert Probe.objects.get(endpoint__name="away").failure


def test_files_are_pinned_by_their_digest(register, tmp_path):
    save_tiny_model(tmp_path / "tiny")
    said = register(
        f"models:\n  - {{slug: tiny, name: Tiny, engine: huggingface, source: {tmp_path / 'tiny'}}}\n", "--probe"
    )
    identity = LanguageModel.objects.get().weights_identity
    assert identity
    assert f"tiny: {identity}" in said
    (tmp_path / "tiny" / "model.safetensors").unlink()
    with pytest.raises(CommandError, match="tiny: "):
        register("models:\n  - {slug: tiny, name: Tiny}\n", "--probe")
    assert LanguageModel.objects.get().weights_identity == identity


def test_without_the_flag_nobody_is_asked(server, register):
    register("endpoints:\n" + endpoint_at("lab", server.url) + "models:\n" + model_at("lab", "orion"))
    assert not server.played.asked
    assert not Probe.objects.exists()


def test_a_dry_run_and_a_probe_do_not_go_together(server, register):
    with pytest.raises(CommandError, match="not allowed with"):
        register("endpoints:\n" + endpoint_at("lab", server.url), "--dry-run", "--probe")
    assert not server.played.asked
