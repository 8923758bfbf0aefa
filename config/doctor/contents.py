"""What is in the database, held against itself and against the world: counts, keys, model servers, weights."""

import asyncio
from collections.abc import Iterator

from arena import ledger
from config.doctor.findings import Check, Finding, ok, problem, warning
from llms import endpoints, key_rotation, registration
from llms.endpoints import Address, Health
from llms.models import REMOTE_ENGINE, Endpoint, LanguageModel

GROUP = "Contents"
NEEDED = 2


def counts() -> Finding:
    differences = ledger.differences()
    if differences:
        words = f"{len(differences)} cells disagree with the votes, first {differences[0]}"
        return problem(words, "python manage.py rebuild_counts")
    return ok("they agree with the votes")


def sealed_keys() -> Finding:
    survey = key_rotation.survey()
    if survey.unreadable:
        words = f"the keys of {', '.join(survey.unreadable)} were sealed with another FIELD_KEYS"
        return problem(words, "FIELD_KEYS=<new>,<old>, or type the servers' keys anew")
    if survey.old:
        return warning(f"{len(survey.old)} are sealed with an old one of FIELD_KEYS", "python manage.py rotate_keys")
    return ok(f"{survey.n_current} sealed with the first of FIELD_KEYS")


def model_servers() -> Iterator[Finding]:
    rows = list(Endpoint.objects.all())
    if not rows:
        yield ok("none registered")
        return
    for endpoint, health in zip(rows, asyncio.run(_ask_all(rows)), strict=True):
        yield _finding_of(endpoint, health)


async def _ask_all(rows: list[Endpoint]) -> list[Health]:
    """Nothing is written: `doctor` only looks."""
    return list(await asyncio.gather(*(endpoints.check(Address.of(row)) for row in rows)))


def _finding_of(endpoint: Endpoint, health: Health) -> Finding:
    about = f"endpoint {endpoint.name}"
    if not health.is_well:
        return problem(health.words, "start the server, or correct the endpoint in the administration", about)
    if endpoint.resting_since:
        words = f"answers, but rests after failures: {endpoint.last_error or 'no words'}"
        return warning(words, "a background task wakes it within half a minute; if not, see worker and beat", about)
    return ok(f"serves {health.words}", about)


def language_models() -> Iterator[Finding]:
    drawn = list(LanguageModel.objects.in_battles())
    if len(drawn) < NEEDED:
        yield warning(
            f"{len(drawn)} may be drawn, a battle needs two", "register and enable some in the administration"
        )
    for llm in drawn:
        if llm.engine == REMOTE_ENGINE:
            continue
        for words in registration.problems(llm):
            yield problem(words, "correct the model in the administration, or bring its files back", llm.slug)
    if len(drawn) >= NEEDED:
        yield ok(f"{len(drawn)} may be drawn")


CHECKS = (
    Check(GROUP, "counts", counts, seconds=60, needs="migrations"),
    Check(GROUP, "sealed keys", sealed_keys, needs="migrations"),
    Check(GROUP, "endpoints", model_servers, seconds=endpoints.CHECK_SECONDS + 5, needs="migrations"),
    Check(GROUP, "models", language_models, seconds=30, needs="migrations"),
)
