"""While models are being loaded: the page says how far that is, keeps the prompt, and lets people start with two."""

import sys

import pytest
from playwright.sync_api import expect

from tests.e2e.battle_page import BattlePage
from tests.helpers.server import Server
from tests.llms.engines.tiny import save_tiny_model

pytestmark = pytest.mark.e2e
NAMES = ("lyra", "orion", "pavo")  # in the order in which they are loaded


class GatedServer(Server):
    def start(self, *arguments: str) -> None:
        self._start_process([sys.executable, "-m", "tests.e2e.harness.gated_up", *arguments])

    def open_gate(self, name: str) -> None:
        (self.data_dir / name).touch()


@pytest.fixture(scope="module")
def server(make_server, tmp_path_factory):
    folders = tmp_path_factory.mktemp("models")
    plain = make_server()
    server = GatedServer(plain.data_dir, plain.port, {"GATE": str(plain.data_dir)})
    for name in NAMES:
        save_tiny_model(folders / name)
        server.register(name.title(), engine="huggingface", source=str(folders / name), options={"device": "cpu"})
    server.start()
    yield server
    server.stop()


def test_the_page_follows_the_loading_and_a_start_that_comes_too_early_loses_nothing(server, open_page):
    page = open_page(server)
    note = page.locator("[data-warming]")
    expect(note).to_contain_text("Models are being loaded: 0 of 3 ready.")
    server.open_gate("lyra")
    expect(note).to_contain_text("Models are being loaded: 1 of 3 ready.", timeout=60_000)

    battle = BattlePage(page)
    battle.ask("Why is the sky blue?")
    expect(page.locator("[data-ask] [data-error]")).to_contain_text("1 of 3 ready")
    box = page.get_by_label("Your prompt", exact=True)
    expect(box).to_have_value("Why is the sky blue?")
    expect(box).to_be_focused()

    server.open_gate("orion")
    expect(note).to_contain_text("2 of 3 models are ready, so you can start.", timeout=60_000)
    box.press("Enter")
    battle.wait_for_votes(timeout=60_000)

    elsewhere = open_page(server, context=page.context)
    expect(elsewhere.locator("[data-warming]")).to_be_visible()
    server.open_gate("pavo")
    expect(elsewhere.locator("[data-warming]")).to_be_hidden(timeout=60_000)
