"""The five steps of a registration, as the page shows them at its side."""

from typing import NamedTuple

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from llms import probing, registration
from llms.models import LanguageModel

TITLES: dict[str, Promise] = {
    "source": _("Source"),
    "check": _("Check"),
    "template": _("Template & decoding"),
    "try": _("Try it live"),
    "publish": _("Publish"),
}


class Step(NamedTuple):
    key: str
    number: int
    title: str
    url: str
    """Empty while there is no draft yet."""
    is_current: bool
    state: str
    """`done`, `bad` or `open`."""


def steps(current: str, llm: LanguageModel | None = None) -> list[Step]:
    return [
        Step(
            key,
            number,
            str(title),
            reverse(f"llms:{key}", args=[llm.pk]) if llm else "",
            key == current,
            _state(key, llm),
        )
        for number, (key, title) in enumerate(TITLES.items(), start=1)
    ]


def next_url(current: str, llm: LanguageModel) -> str:
    keys = list(TITLES)
    following = keys[keys.index(current) + 1 :]
    return reverse(f"llms:{following[0]}", args=[llm.pk]) if following else ""


def _is_checked(llm: LanguageModel) -> bool:
    probed = llm.endpoint is not None and probing.findings(llm.endpoint, llm.source)
    return bool(llm.weights_identity or probed)


def _state(key: str, llm: LanguageModel | None) -> str:
    if llm is None:
        return "open"
    if key == "source":
        return "done"
    if key == "check":
        return "bad" if registration.problems(llm) else "done" if _is_checked(llm) else "open"
    if key == "publish":
        return "done" if llm.status == LanguageModel.Status.ENABLED else "open"
    return "open"
