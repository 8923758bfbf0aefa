"""All checks, each in a thread of its own and with an end: what hangs is a finding like any other."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from django.db import connections

from config.doctor import configuration, contents, installation, servers
from config.doctor.findings import Check, Finding, Result, State, first_line, problem, unknown

CHECKS = (*installation.CHECKS, *configuration.CHECKS, *servers.CHECKS, *contents.CHECKS)

LACKING = {State.PROBLEM, State.UNKNOWN}


def examine(checks: Sequence[Check] = CHECKS) -> list[Result]:
    """In the order of the checks. What others need goes first; the rest is done at once."""
    needed = {check.needs for check in checks}
    known: dict[Check, list[Finding]] = {}
    while ahead := [check for check in checks if check.name in needed and check not in known]:
        behind = {check.name for check in ahead}
        known |= _found_by([check for check in ahead if check.needs not in behind], known)
    known |= _found_by([check for check in checks if check not in known], known)
    return [Result(check.group, finding.about or check.name, finding) for check in checks for finding in known[check]]


def _found_by(checks: Sequence[Check], known: Mapping[Check, list[Finding]]) -> dict[Check, list[Finding]]:
    broken = {check.name for check, found in known.items() if any(one.state in LACKING for one in found)}
    ready = [check for check in checks if check.needs not in broken]
    waiting = {check: [unknown(f"waits for the {check.needs}")] for check in checks if check.needs in broken}
    return waiting | dict(zip(ready, _of_all(ready), strict=True))


def _of_all(checks: Sequence[Check]) -> list[list[Finding]]:
    looks = [_Look(check) for check in checks]
    return [look.findings() for look in looks]


class _Look:
    """A daemon thread: whatever hangs in it must not keep the command from ending."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._found: list[Finding] = []
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"doctor-{check.name}", daemon=True)
        self._thread.start()

    def findings(self) -> list[Finding]:
        self._thread.join(max(0.0, self._began + self._check.seconds - time.monotonic()))
        if self._thread.is_alive():
            return [problem(f"no answer within {self._check.seconds:.0f} s", "see what makes it hang, then ask again")]
        return self._found

    def _run(self) -> None:
        try:
            self._found = _as_list(self._check.look())
        except Exception as error:  # noqa: BLE001 - whatever the library of a part raises is what there is to say about it
            words = f"{type(error).__name__}: {first_line(error)}"
            self._found = [problem(words, "mend what this says, then ask again")]
        finally:
            connections.close_all()


def _as_list(found: Finding | Iterable[Finding]) -> list[Finding]:
    return [found] if isinstance(found, Finding) else list(found)
