"""What computes a run, settled before its first sample and noted beside it: engine, device, dtype, versions."""

import json
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
CONDITIONS: Final = {
    "engine": mark("Engine"),
    "options": mark("Options of the model"),
    "dtype": mark("Number format"),
    "max_length": mark("Tokens seen at once"),
}
"""What must be the same for all samples of a run, beside the weights."""
ORIGIN: Final = {"source": mark("Source"), "revision": mark("Revision"), "endpoint": mark("Endpoint")}
"""Where weights come from that nothing pins: all that tells whether they are the same."""
FOR_INSIDERS: Final = ("options", *ORIGIN)
"""They name folders and servers."""
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
    environment = _environment(run, method, checked)
    _check_conditions(run, environment)
    run.environment = environment
    held = Run.objects.filter(pk=run.pk, epoch=run.epoch, status=Run.Status.RUNNING)
    held.update(environment=environment)
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


def _check_conditions(run: Run, environment: dict[str, Any]) -> None:
    """As of the weights. Runs of former versions have noted less, which is taken for the same."""
    names = CONDITIONS if environment["weights_identity"] else CONDITIONS | ORIGIN
    for name, label in names.items() if run.n_done else ():
        before, now = run.environment.get(name, environment[name]), environment[name]
        if before != now:
            words = mark(
                "%(what)s: this run began with “%(before)s”, now it is “%(now)s”. Set it back and resume, or start a"
                " new run."
            )
            raise EvaluationError(filled(words, what=filled(label), before=_written(before), now=_written(now)))


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


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
        "source": run.llm.source,
        "revision": run.llm.revision,
        "endpoint": run.llm.endpoint.base_url if run.llm.endpoint else "",
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
