"""What the check of a registration finds, line by line: what is there, what is missing, and what nobody can tell yet.

Reads headers and small files only; digests and probes are begun elsewhere, and their results are read here.
"""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from llms import model_facts, probing, registration
from llms.engines.base import EngineError
from llms.engines.huggingface.adapters import own_tokenizer
from llms.engines.huggingface.checks import gguf_problems, settings_problems
from llms.engines.huggingface.memory import available_memory, device_of, estimate
from llms.engines.huggingface.options import HuggingFaceOptions
from llms.engines.huggingface.sources import BadSource, Folder, GgufFile, HubId, parse_source
from llms.engines.huggingface.templates import Template, template_in, template_of_gguf
from llms.engines.huggingface.tensors import BrokenWeights, weight_files
from llms.engines.huggingface.weight_files import weight_problems
from llms.engines.options import read_options
from llms.models import REMOTE_ENGINE, Capability, LanguageModel, ProbeResult
from llms.registration import LOCAL_ENGINE
from llms.translations import translated


class State(StrEnum):
    OK = "ok"
    BAD = "bad"
    UNKNOWN = "unknown"


class Finding(NamedTuple):
    what: str
    state: State
    words: str
    """Where something is wrong: what, and how to mend it."""
    is_code: bool = False


def findings(llm: LanguageModel) -> list[Finding]:
    if llm.engine == REMOTE_ENGINE:
        found = list(_of_endpoint(llm))
    elif llm.engine == LOCAL_ENGINE:
        found = list(_of_files(llm))
    else:
        found = []
    said = {finding.words for finding in found}
    others = [Finding(_("Engine"), State.BAD, words) for words in registration.problems(llm) if words not in said]
    able = registration.serving(llm)
    return [*found, *others, Finding(_("Served by"), State.OK if able.is_possible else State.BAD, able.words)]


def is_right(found: list[Finding]) -> bool:
    return all(finding.state is not State.BAD for finding in found)


def template_of(llm: LanguageModel) -> Template | None:
    """The chat template of a model whose files are here; None where a server has it."""
    if llm.engine != LOCAL_ENGINE:
        return None
    try:
        place = parse_source(llm.source, llm.revision)
    except BadSource:
        return None
    if own := own_tokenizer(_adapter_of(llm)):
        return template_in(own)
    if isinstance(place, GgufFile):
        return template_of_gguf(place)
    folder = folder_of(llm)
    return template_in(folder) if folder else None


def folder_of(llm: LanguageModel) -> Path | None:
    """Where the files are that a load would read; None where it would fetch or convert them first."""
    try:
        place = parse_source(llm.source, llm.revision)
    except BadSource:
        return None
    match place:
        case Folder(path):
            return path
        case HubId(name, revision):
            return model_facts.hub_snapshot(name, revision)
        case _:
            return None


def _adapter_of(llm: LanguageModel) -> Path | None:
    """As its options have it, which may be wrong."""
    adapter = llm.options.get("adapter")
    return Path(adapter) if isinstance(adapter, str) and adapter else None


# --- files on this machine ---------------------------------------------------------------------------------------


def _of_files(llm: LanguageModel) -> Iterator[Finding]:
    try:
        place = parse_source(llm.source, llm.revision)
    except BadSource as error:
        yield Finding(_("Source"), State.BAD, translated(error.args[0]))
        return
    folder = folder_of(llm)
    match place:
        case GgufFile(path):
            yield from _of_gguf(path)
        case HubId(name, _revision) if folder is None:
            words = _("%(name)s is fetched from the hub when it is loaded, its settings first and then its weights.")
            yield Finding(_("Weights"), State.UNKNOWN, words % {"name": name})
        case _ if folder is not None:
            yield from _of_folder(folder, _adapter_of(llm))
    template = template_of(llm)
    if template:
        words = ngettext("%(n)d character", "%(n)d characters", len(template.text)) % {"n": len(template.text)}
        yield Finding(_("Chat template"), State.OK, words)
    yield Finding(
        _("Program code of its own"), State.OK, _("Never run: this server knows only what transformers brings along.")
    )
    if folder is not None and settings.LOADS_WEIGHTS:
        yield from _memory(llm, folder)
    yield _identity(llm)


def _of_gguf(path: Path) -> Iterator[Finding]:
    bad = gguf_problems(path)
    yield from (Finding(_("Weights"), State.BAD, translated(words)) for words in bad)
    if not bad:
        words = _("One GGUF file, %(size)s. It is converted to safetensors once, when it is first loaded.")
        yield Finding(_("Weights"), State.OK, words % {"size": filesizeformat(path.stat().st_size)})


def _of_folder(folder: Path, adapter: Path | None) -> Iterator[Finding]:
    try:
        bad = weight_problems(folder)
        files = [] if bad else weight_files(folder)
        n_bytes = sum(path.stat().st_size for path in files)
    except (OSError, BrokenWeights):
        return  # the engine's own words say it
    yield from (Finding(_("Weights"), State.BAD, translated(words)) for words in bad)
    if not bad:
        words = ngettext(
            "%(n)d file of safetensors, %(size)s: a format that holds numbers and no program.",
            "%(n)d files of safetensors, %(size)s: a format that holds numbers and no program.",
            len(files),
        )
        yield Finding(_("Weights"), State.OK, words % {"n": len(files), "size": filesizeformat(n_bytes)})
    bad = settings_problems(folder, adapter)
    yield from (Finding(_("Settings"), State.BAD, translated(words)) for words in bad)
    if not bad:
        yield Finding(_("Settings"), State.OK, _("config.json and the tokenizer are there and can be read."))


def _memory(llm: LanguageModel, folder: Path) -> Iterator[Finding]:
    try:
        options = read_options(HuggingFaceOptions, llm.options)
        device = device_of(options)
        needed, free = estimate(folder, options), available_memory(device)
    except (EngineError, BrokenWeights, OSError, ValueError, RuntimeError):
        return  # a wrong option or file, which has a line of its own, or a device that is not here
    values = {"needed": filesizeformat(needed), "free": filesizeformat(free), "device": device}
    if needed <= free:
        words = _("About %(needed)s while it is loaded, of %(free)s that are free on %(device)s.")
        yield Finding(_("Memory"), State.OK, words % values)
    else:
        words = _(
            "About %(needed)s while it is loaded, and %(free)s are free on %(device)s. Models that nobody uses give "
            "way; if that is not enough, choose a smaller dtype or another device in the engine's options."
        )
        yield Finding(_("Memory"), State.UNKNOWN, words % values)


def _identity(llm: LanguageModel) -> Finding:
    if llm.weights_identity:
        return Finding(_("Identity"), State.OK, llm.weights_identity, is_code=True)
    if llm.engine == REMOTE_ENGINE:
        words = _("Unpinned: the server does not state which weights it serves, and may change them unnoticed.")
    else:
        words = _("Not computed yet: a digest over weights, tokenizer and template, which shows later if they changed.")
    return Finding(_("Identity"), State.UNKNOWN, words)


# --- a model at an endpoint --------------------------------------------------------------------------------------


def _of_endpoint(llm: LanguageModel) -> Iterator[Finding]:
    endpoint = llm.endpoint
    if endpoint is None:
        return
    if endpoint.last_error and (endpoint.n_failures or endpoint.resting_since):
        yield Finding(_("Server"), State.UNKNOWN, translated(endpoint.last_error))
    else:
        yield Finding(_("Server"), State.OK, endpoint.server or endpoint.base_url)
    chat = probing.findings(endpoint, llm.source).get(Capability.CHAT)
    if chat is not None and chat.verdict in {ProbeResult.Verdict.NO, ProbeResult.Verdict.WRONG}:
        yield Finding(_("Chat"), State.BAD, translated(chat.evidence))
    yield _identity(llm)
