"""The battle page as a person would speak of it, so that tests read as what somebody does."""

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

READY = "Your vote is final. Then you see the names."


class BattlePage:
    def __init__(self, page: Any) -> None:
        self.page = page

    # --- doing

    def ask(self, prompt: str = "What is the capital of France?") -> None:
        box = self.page.get_by_label("Your prompt", exact=True)
        box.fill(prompt)
        box.press("Enter")

    def go_on(self, prompt: str) -> None:
        box = self.page.get_by_label("Your next prompt to both models")
        box.fill(prompt)
        box.press("Enter")

    def vote(self, name: str = "A is better") -> None:
        self.vote_button(name).click()

    def wait_for_votes(self, timeout: float = 30_000) -> None:
        expect(self.page.locator("[data-vote-hint]")).to_have_text(READY, timeout=timeout)

    # --- seeing

    def vote_button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name)

    def pane(self, side: str) -> Any:
        return self.page.locator(f"[data-side={side}]").last

    def text(self, side: str) -> str:
        return str(self.pane(side).locator("[data-md]").inner_text())

    def status(self, side: str) -> Any:
        return self.pane(side).locator("[data-status]")

    @property
    def verdict(self) -> Any:
        return self.page.locator("[data-verdict]")

    def everything(self) -> str:
        """The whole document as the browser holds it, attributes included, and every frame that came."""
        return str(self.page.content()) + "\n".join(self.page.watch.received)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 15) -> None:
    """The page's policy forbids `wait_for_function`, so ask again and again."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)
