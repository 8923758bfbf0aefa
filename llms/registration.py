"""From a source to a model that may serve: drafts, what is still wrong with them, and what will serve them.

The same answers for the admin, commands and pages. A draft is a disabled row: whoever reloads, goes back or comes again
tomorrow finds it as it was.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from llms import model_facts
from llms.engines.huggingface.sources import BadSource
from llms.engines.registry import UnknownEngine, engine_class
from llms.local_servers import FoundServer
from llms.model_facts import Facts
from llms.models import REMOTE_ENGINE, Endpoint, LanguageModel
from llms.pool import NOT_HERE
from llms.sealing import seal
from llms.translations import translated

LOCAL_ENGINE = "huggingface"
Status = LanguageModel.Status
TWO_SETTINGS = (("t0", 0), ("t1", 1))
"""One model cannot meet itself, but two ways of decoding it can meet: for a server that has one model only."""


class Refused(Exception):
    """A source that could not serve; each text says how to mend it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class Serving(NamedTuple):
    """What will answer for a model."""

    is_possible: bool
    words: str


def problems(llm: LanguageModel) -> list[str]:
    """What would keep this model from answering, each as a sentence that says how to mend it. Loads no weights."""
    if llm.status == Status.LISTED:
        return []
    try:
        engine = engine_class(llm.engine)
    except UnknownEngine as error:
        return [str(error)]
    return [translated(problem) for problem in engine.problems(llm.source, llm.revision, llm.options)]


def serving(llm: LanguageModel) -> Serving:
    if llm.engine == REMOTE_ENGINE:
        return _serving_endpoint(llm.endpoint)
    if llm.engine != LOCAL_ENGINE:
        return Serving(True, _("This server itself, by a script: nothing has to be loaded."))
    if not settings.LOADS_WEIGHTS:
        return Serving(False, translated(NOT_HERE))
    return Serving(True, _("This server itself: it loads the weights into its own memory when the model is published."))


def _serving_endpoint(endpoint: Endpoint | None) -> Serving:
    if endpoint is None:
        return Serving(False, _("Choose the endpoint that has the model, or add it first."))
    values = {"endpoint": endpoint.name, "address": endpoint.base_url, "error": translated(endpoint.last_error)}
    if endpoint.resting_since:
        words = _(
            "The endpoint %(endpoint)s, which rests at the moment (%(error)s). Its models are drawn as soon as it "
            "answers again."
        )
        return Serving(True, words % values)
    return Serving(True, _("The endpoint %(endpoint)s at %(address)s.") % values)


# --- drafts ------------------------------------------------------------------------------------------------------


def draft_at(endpoint: Endpoint, served_name: str) -> LanguageModel:
    facts = model_facts.of_served_name(served_name)
    return _draft({"engine": REMOTE_ENGINE, "endpoint": endpoint, "source": served_name}, facts)


def draft_from(source: str, revision: str = "") -> LanguageModel:
    """Of a hub id, a folder or a GGUF file. Raises `Refused`."""
    row = {"engine": LOCAL_ENGINE, "source": source, "revision": revision}
    _refuse(problems(LanguageModel(**row)))
    try:
        return _draft(row, model_facts.of_source(source, revision))
    except BadSource as error:
        raise Refused([translated(error.args[0])]) from error


def draft_adapter(folder: str, base: LanguageModel) -> LanguageModel:
    """Of an adapter on a registered base, whose weights, revision and options it shares. Raises `Refused`."""
    row = {
        "engine": base.engine,
        "source": base.source,
        "revision": base.revision,
        "options": {**base.options, "adapter": folder},
    }
    _refuse(problems(LanguageModel(**row)))
    facts = model_facts.of_adapter(folder)
    facts = facts._replace(licence=facts.licence or base.licence, parameters=base.parameters)
    return _draft({**row, "parent": base}, facts)


def bases_named(name: str) -> list[LanguageModel]:
    """Registered models whose weights an adapter may mean by a name: a hub id, or a folder that has moved since."""
    last = name.rstrip("/").rpartition("/")[2].lower()
    candidates = LanguageModel.objects.filter(engine=LOCAL_ENGINE).exclude(options__has_key="adapter").order_by("pk")
    exact = [llm for llm in candidates if llm.source == name]
    return exact or [llm for llm in candidates if last and last in {_last_part(llm.source), llm.name.lower(), llm.slug}]


def _last_part(source: str) -> str:
    return source.rstrip("/").rpartition("/")[2].lower()


def _refuse(found: list[str]) -> None:
    if found:
        raise Refused(found)


def _draft(row: Mapping[str, Any], facts: Facts) -> LanguageModel:
    """The draft of this very source where there is one already: who asks twice gets one."""
    return _registered(row, _described(facts), model_facts.slug_base(facts.name), {Status.DISABLED})


def _described(facts: Facts) -> dict[str, Any]:
    stage = LanguageModel.Stage.QUANTISED if facts.is_quantised else LanguageModel.Stage.SFT
    return {
        "name": facts.name,
        "organisation": facts.organisation,
        "licence": facts.licence,
        "parameters": facts.parameters,
        "aliases": facts.aliases,
        "stage": stage,
    }


def _registered(row: Mapping[str, Any], described: Mapping[str, Any], slug: str, usable: set[Status]) -> LanguageModel:
    """What answers in the same way and has a usable status, or a new draft. Two who ask at once get one: the slug of
    both is the same, and the database lets one of them make it."""
    whole = {"endpoint": None, "revision": "", "options": {}, "decoding": {}, **row}
    llms = LanguageModel.objects.select_related("endpoint")
    found = llms.filter(status__in=usable, **whole).order_by("pk").first()
    number = 0
    while found is None:
        number += 1
        wanted = slug if number == 1 else f"{slug}-{number}"
        llm, is_new = llms.get_or_create(slug=wanted, defaults={**whole, **described})
        if is_new or (llm.status in usable and all(getattr(llm, name) == value for name, value in whole.items())):
            found = llm
    return found


# --- endpoints ---------------------------------------------------------------------------------------------------


def endpoint_at(base_url: str, *, key: str = "", name: str = "") -> Endpoint:
    """The endpoint of an address, new if nobody added it. A key that is given replaces the one that it had."""
    endpoint = Endpoint.objects.filter(base_url=base_url).order_by("pk").first()
    if endpoint is None:
        endpoint = _new_endpoint(base_url, name or urlsplit(base_url).netloc)
    if key:
        endpoint.sealed_key = seal(key)
        endpoint.save(update_fields=["sealed_key"])
    return endpoint


def _new_endpoint(base_url: str, name: str) -> Endpoint:
    number = 0
    while True:
        number += 1
        wanted = name[:70] if number == 1 else f"{name[:70]} {number}"
        endpoint, is_new = Endpoint.objects.get_or_create(name=wanted, defaults={"base_url": base_url})
        if is_new or endpoint.base_url == base_url:
            return endpoint


def use_found(server: FoundServer, served_name: str, *, two_settings: bool = False) -> list[LanguageModel]:
    """Register what a server on this machine has, as drafts. Who asks twice gets the same."""
    product = server.server.partition(" ")[0]
    address = urlsplit(server.base_url).netloc
    endpoint = endpoint_at(server.base_url, name=f"{product} {address}".strip())
    if server.server and not endpoint.server:
        Endpoint.objects.filter(pk=endpoint.pk).update(server=server.server[:120])
    facts = model_facts.of_served_name(served_name)
    settings_wanted = TWO_SETTINGS if two_settings else (("", None),)
    return [_used(endpoint, served_name, facts, ending, temperature) for ending, temperature in settings_wanted]


def _used(endpoint: Endpoint, served_name: str, facts: Facts, ending: str, temperature: float | None) -> LanguageModel:
    decoding: dict[str, Any] = {} if temperature is None else {"temperature": temperature}
    row = {"engine": REMOTE_ENGINE, "endpoint": endpoint, "source": served_name, "decoding": decoding}
    described, slug = _described(facts), model_facts.slug_base(facts.name)
    if temperature is not None:
        words = _("%(name)s, temperature %(temperature)s")
        described["name"] = words % {"name": facts.name[:90], "temperature": temperature}
        described["aliases"] = list(dict.fromkeys([*facts.aliases, facts.name]))
        slug = f"{slug}-{ending}"
    return _registered(row, described, slug, set(Status) - {Status.RETIRED, Status.LISTED})
