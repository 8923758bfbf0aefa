"""Which weights a registered model stands for: found out, remembered, and watched for changes."""

import logging
from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from llms import probing
from llms.engines.base import EngineUnreachable
from llms.engines.registry import UnknownEngine, engine_class
from llms.file_hashes import FileHashes
from llms.models import Endpoint, LanguageModel

logger = logging.getLogger(__name__)

DECIDES_THE_WEIGHTS = frozenset({"engine", "endpoint", "source", "revision", "options"})
"""Fields of a model. Options may name an adapter."""
hashes = FileHashes(settings.DATA_DIR / "file_hashes.json")


def identify(llm: LanguageModel) -> str:
    """Find out, remember and return; empty if nothing pins the weights. May read many gigabytes once, or asks the
    endpoint. Raises `EngineError` for files that cannot be read and servers that do not answer."""
    found = _identity_of(llm)
    if llm.pk is not None and found != llm.weights_identity:
        _remember(llm, found)
    llm.weights_identity = found
    return found


def forget(llm: LanguageModel) -> None:
    """Other weights are wanted of it now: those that are found next have not changed under the same source. Unsaved."""
    llm.weights_identity, llm.former_identity, llm.identity_changed_at = "", "", None


def check_again(ids: Collection[int]) -> None:
    """After a load, in its thread. Whatever is found out, the engine serves. The ids are of models that share it."""
    try:
        for llm in LanguageModel.objects.filter(pk__in=ids).select_related("endpoint"):
            identify(llm)
    except Exception:  # the edge of a thread: an engine that is ready must not fail for its papers
        logger.exception("the identity of loaded weights could not be checked")
    finally:
        connection.close()


def of_files(engine: str, source: str, revision: str, options: Mapping[str, Any]) -> str:
    """Of weights on this machine, as they are now. Raises `EngineError` for files that cannot be read."""
    try:
        return engine_class(engine).identity(source, revision, options, hashes)
    except UnknownEngine:
        return ""


def _identity_of(llm: LanguageModel) -> str:
    if llm.endpoint:
        return _stated(llm.endpoint, llm.source, llm.weights_identity)
    return of_files(llm.engine, llm.source, llm.revision, llm.options)


def _stated(endpoint: Endpoint, served_name: str, former: str) -> str:
    try:
        return probing.stated_identity(endpoint, served_name, former)
    except probing.ProbeFailed as error:
        raise EngineUnreachable(error.args[0]) from error


def _remember(llm: LanguageModel, found: str) -> None:
    """Other weights than before are said, never taken over in silence: what the former ones did is not its own."""
    rows = LanguageModel.objects.filter(pk=llm.pk, weights_identity=llm.weights_identity)
    if found and found == llm.former_identity:
        if rows.update(weights_identity=found, former_identity="", identity_changed_at=None):
            logger.warning("%s has its former weights again: %s", llm.slug, found)
    elif not llm.weights_identity:
        rows.update(weights_identity=found)
    elif rows.update(weights_identity=found, former_identity=llm.weights_identity, identity_changed_at=Now()):
        logger.warning("%s has other weights than before: %s, formerly %s", llm.slug, found, llm.weights_identity)
