"""Letting a registered model meet people, and what the registry says of each."""

from collections.abc import Iterable
from typing import NamedTuple

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from llms import refusals, registration
from llms.models import LanguageModel
from llms.pool import Readiness, pool
from llms.translations import translated

READINESS_WORDS = {
    Readiness.COLD: _("not loaded"),
    Readiness.WARMING: _("loading"),
    Readiness.READY: _("ready"),
    Readiness.FAILED: _("failed"),
    Readiness.BARRED: _("nobody serves it here"),
}


NEVER_DRAWN = (LanguageModel.Status.RETIRED, LanguageModel.Status.LISTED)
"""Only the administration takes a model out of these, and by name."""


def objection(llm: LanguageModel) -> str:
    """Why it must not be put into battles, with the mend; empty where nothing speaks against it."""
    if llm.status in NEVER_DRAWN:
        words = _("Its status is “%(status)s”. Change that in the administration first.")
        return words % {"status": llm.get_status_display()}
    able = registration.serving(llm)
    return " ".join(registration.problems(llm)) or ("" if able.is_possible else able.words)


class Registered(NamedTuple):
    llm: LanguageModel
    is_draft: bool
    """Never published so far, as far as its row tells."""
    is_listed: bool
    """Known from imports: it has no engine and no weight."""
    url: str
    """Where its registration goes on."""
    readiness: str
    failure: str


def registered(llm: LanguageModel) -> Registered:
    is_draft = llm.status == LanguageModel.Status.DISABLED
    return Registered(
        llm,
        is_draft,
        llm.status == LanguageModel.Status.LISTED,
        reverse("llms:check" if is_draft else "llms:publish", args=[llm.pk]),
        str(READINESS_WORDS[pool.readiness(llm)]),
        translated(pool.failure(llm)),
    )


def put_into_battles(llms: Iterable[LanguageModel]) -> None:
    """Enabled at once, and loaded where that is needed, so that the first battle does not wait for it."""
    for llm in llms:
        refusals.forget(LanguageModel.objects.filter(pk=llm.pk))
        llm.status = LanguageModel.Status.ENABLED
        llm.battle_weight = llm.battle_weight or 1.0
        llm.save(update_fields=["status", "battle_weight"])
    pool.warm_up(llms)


def publish(llm: LanguageModel, *, visibility: str, in_battles: bool, battle_weight: float) -> None:
    llm.visibility, llm.battle_weight = visibility, battle_weight
    if in_battles:
        llm.status = LanguageModel.Status.ENABLED
    elif llm.status not in NEVER_DRAWN:
        llm.status = LanguageModel.Status.DISABLED
    llm.save(update_fields=["visibility", "battle_weight", "status"])
    if in_battles and battle_weight:
        pool.warm_up([llm])
