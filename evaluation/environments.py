"""What computes a run, settled before its first sample and noted beside it: engine, device, dtype, versions."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from evaluation import self_checks
from evaluation.benchmarks.base import Benchmark, Method
from evaluation.errors import EvaluationError
from evaluation.models import Run
from llms.engines.base import Engine, NotSupported, ScoringMethod
from llms.models import DeviceCheck
from llms.sentence_field import parts_of, sentence_of
from llms.sentences import Sentence, filled, mark

SAID: Final = ("scheme", "reason", "evidence")
"""What an engine says of itself in words."""
NOT_SCORED: Final = ScoringMethod("", "", "", "", 0, {})


def settle(
    run: Run, chosen: Benchmark, engine: Engine, *, tell: Callable[[Sentence], None], stopping: Callable[[], bool]
) -> ScoringMethod | None:
    """Checks the device, or probes the server. None where it was told to stop. `run.llm` as `identification.identify`
    left it. Raises EngineError, EvaluationError."""
    _check_weights(run)
    checked = None
    if chosen.method is Method.LOGLIKELIHOOD and engine.holds_weights:  # texts are read in plain rows anyway
        checked = self_checks.settle(run.llm, engine, stopping=stopping, tell=tell)
        if stopping():
            return None
    method = _method_of(engine, chosen)
    run.environment = _environment(run, method, checked)
    Run.objects.filter(pk=run.pk, status=Run.Status.RUNNING).update(environment=run.environment)
    tell(_begun(run, method))
    return method


def said(run: Run, name: str) -> str:
    """One of `SAID`, in English, and where it can be a sentence for the reader's language."""
    parts = (run.environment.get("said") or {}).get(name)
    return sentence_of(parts) if parts else str(run.environment.get(name) or "")


def _check_weights(run: Run) -> None:
    """Half a run of other weights would be a score of no model."""
    identity = run.llm.weights_identity
    if run.n_done and run.environment.get("weights_identity", identity) != identity:
        words = mark("The weights of %(llm)s have changed since this run began. Start a new one.")
        raise EvaluationError(filled(words, llm=run.llm.name))


def _method_of(engine: Engine, chosen: Benchmark) -> ScoringMethod:
    """A server is probed for this. Raises EngineError where scores are wanted, and cannot be had."""
    if chosen.method is not Method.GENERATION:
        return engine.scoring_method()
    try:
        return engine.scoring_method() if engine.holds_weights else NOT_SCORED
    except NotSupported:  # an engine that only writes
        return NOT_SCORED


def _environment(run: Run, method: ScoringMethod, checked: DeviceCheck | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "engine": run.llm.engine,
        "options": run.llm.options,
        "weights_identity": run.llm.weights_identity,
    }
    found |= asdict(method) | {"versions": dict(method.versions)}
    said = {name: _sayable(getattr(method, name)) for name in SAID}
    found["said"] = {name: parts_of(words) for name, words in said.items() if isinstance(words, Sentence)}
    return found | ({"self_check": self_checks.as_record(checked)} if checked else {})


def _begun(run: Run, method: ScoringMethod) -> Sentence:
    words = mark("begun with %(engine)s on %(device)s (%(dtype)s, %(scheme)s)")
    if not method.device:
        words = mark("begun with %(engine)s (%(scheme)s)")
    where = {"device": method.device, "dtype": method.dtype or "–", "scheme": _sayable(method.scheme) or "–"}
    begun = filled(words, engine=run.llm.engine, **where)
    for more in (method.reason, method.evidence):
        if more:
            begun = filled("%(begun)s: %(more)s", begun=begun, more=_sayable(more))
    return begun


def _sayable(text: str) -> str:
    """What an engine says of itself, so that it is translated with the sentence around it."""
    return text if isinstance(text, Sentence) or not text else filled(text.replace("%", "%%"))
