"""`manage.py doctor --model`: how a model is scored here, and whether the fast way gives what plain rows give."""

from collections.abc import Callable, Iterator
from typing import Final

from config.doctor.findings import Finding, Result, first_line, ok, problem, warning
from evaluation import self_checks
from llms import identification
from llms.engines.base import PLAIN_ROWS, SHARED_PREFIXES, Engine, EngineError, NotSupported, ScoringMethod
from llms.models import DeviceCheck, LanguageModel
from llms.pool import pool

GROUP = "Scores"
WAYS: Final = ("first way, shared prefixes", "second way, plain rows")
TOLD_EVERY: Final = 10

Tell = Callable[[str], None]
"""Hears what is being done: it may take minutes."""


class Progress:
    """Of a comparison of both ways, which asks whether to stop before each answer and behind the last of each way."""

    def __init__(self, n_requests: int, tell: Tell) -> None:
        self._n_requests, self._tell, self._asked = n_requests, tell, 0

    def stopping(self) -> bool:
        way, done = divmod(self._asked, self._n_requests + 1)
        self._asked += 1
        if done % TOLD_EVERY == 0 and way < len(WAYS):
            self._tell(f"{WAYS[way]}: {done} of {self._n_requests} requests")
        return False


def examine_model(llm: LanguageModel, *, tell: Tell) -> Iterator[Result]:
    """Loads it, or asks its server. The verdict about this device is kept for the runs to come."""
    for finding in _findings(llm, tell):
        yield Result(GROUP, finding.about, finding)


def _findings(llm: LanguageModel, tell: Tell) -> Iterator[Finding]:
    if llm.status == LanguageModel.Status.LISTED:
        yield problem(f"{llm.name} is only listed and has no engine", "register where it runs first", "model")
        return
    try:
        tell(f"identifying the weights of {llm.slug}")
        identity = identification.identify(llm)
        yield _of_weights(identity)
        tell(f"connecting to the server of {llm.slug}" if llm.endpoint else f"loading {llm.slug}")
        with pool.hold(llm) as loading:
            engine = loading.result()
            tell("trying how it can be scored")
            method = engine.scoring_method()
            yield _of_method(method)
            if engine.holds_weights:
                yield _of_check(llm, engine, method, tell)
    except NotSupported as error:
        yield problem(_words(error), "or take benchmarks with written answers", "way to score")
    except EngineError as error:
        yield problem(_words(error), "mend that, and ask again", "model")


def _of_weights(identity: str) -> Finding:
    if identity:
        return ok(identity, "weights")
    words = "nothing pins them: results are remembered within one run only, and so is no verdict about a device"
    return warning(words, "give a folder, a file or a commit; of a server, one that states its revision", "weights")


def _of_method(method: ScoringMethod) -> Finding:
    where = f"{method.dtype} on {method.device} ({method.hardware})" if method.device else ""
    versions = ", ".join(f"{name} {version}" for name, version in method.versions.items())
    told = [method.scheme, where, versions, method.reason, method.evidence]
    return ok("; ".join(words for words in told if words), "way to score")


def _of_check(llm: LanguageModel, engine: Engine, method: ScoringMethod, tell: Tell) -> Finding:
    about = "self-check"
    if method.scheme != SHARED_PREFIXES:
        plain = "plain rows are the only way here" if method.scheme == PLAIN_ROWS else "there is one way only"
        return ok(f"{plain}: nothing to compare", about)
    progress = Progress(len(self_checks.requests()), tell)
    found = self_checks.check(llm, engine, method, stopping=progress.stopping)
    if found is None:
        return warning("was stopped", "ask again", about)
    words = f"{_compared(found)}, {_speed(found)}"
    if found.has_passed:
        return ok(words, about)
    return problem(words, "runs compute plain rows on this device; try float32, or another version of torch", about)


def _compared(found: DeviceCheck) -> str:
    return f"{found.n} requests: largest difference {self_checks.nats(found)} nats, {found.n_flipped} answers flipped"


def _speed(found: DeviceCheck) -> str:
    times = found.seconds_plain / found.seconds_fast if found.seconds_fast else 1.0
    return f"{found.seconds_fast:.1f} s instead of {found.seconds_plain:.1f} s ({times:.1f} times as fast)"


def _words(error: EngineError) -> str:
    return first_line(error) if error.args else error.user_message
