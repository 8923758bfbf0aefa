"""Bring every stored key under the first of `FIELD_KEYS`, so that the others can be taken away."""

from dataclasses import dataclass, field

from llms.models import Endpoint
from llms.sealing import WrongKey, is_current, reseal


@dataclass
class Survey:
    """Names of endpoints, by how their key is sealed."""

    n_current: int = 0
    old: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def survey() -> Survey:
    found = Survey()
    for endpoint in Endpoint.objects.exclude(sealed_key=""):
        if is_current(endpoint.sealed_key):
            found.n_current += 1
            continue
        try:
            reseal(endpoint.sealed_key)
        except WrongKey:
            found.unreadable.append(endpoint.name)
        else:
            found.old.append(endpoint.name)
    return found


def rotate() -> int:
    """Returns how many were sealed anew. Those that cannot be read stay as they are; a key that somebody types
    meanwhile stays theirs."""
    n_changed = 0
    for endpoint in Endpoint.objects.filter(name__in=survey().old):
        held = Endpoint.objects.filter(pk=endpoint.pk, sealed_key=endpoint.sealed_key)
        n_changed += held.update(sealed_key=reseal(endpoint.sealed_key))
    return n_changed
