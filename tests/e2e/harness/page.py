"""The harness page in a browser, and everything that must not happen on it."""

from __future__ import annotations

import json
from typing import Any


class Harness:
    """Calls the functions of harness.js and notes every fault."""

    def __init__(self, browser: Any, site: str) -> None:
        self.address = f"{site}/harness/index.html"
        self.faults: list[str] = []
        self.context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        self.page = self.context.new_page()
        self._listen(site)
        self.page.goto(self.address)
        self.page.locator("html[data-ready]").wait_for(state="attached")

    def _listen(self, site: str) -> None:
        note = self.faults.append
        own = (f"{site}/static/", f"{site}/harness/")
        self.page.on("dialog", lambda dialog: (note(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("console", lambda message: note(message.text) if message.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: note(f"exception {error}"))
        self.page.on("request", lambda request: None if request.url.startswith(own) else note(request.url))
        self.page.on("requestfailed", lambda request: note(f"failed {request.url}"))
        self.page.on(
            "response", lambda response: note(f"{response.status} {response.url}") if response.status > 399 else None
        )
        self.context.on("page", lambda page: note(f"opened {page.url}"))

    def run(self, script: str, *arguments: object) -> object:
        """Calls `harness.<script>(...arguments)`; JSON text also carries unpaired surrogates."""
        return self.page.evaluate(
            "([path, given]) => harness[path](...JSON.parse(given))", [script, json.dumps(arguments)]
        )

    def structure(self, text: str) -> str:
        return str(self.run("structure", text))

    def check_clean(self) -> None:
        state = self.page.evaluate("[typeof window.pwned, location.href, harness.violations, ({}).pwned]")
        assert state == ["undefined", self.address, [], None]
        assert self.faults == []
