"""What is known of the fast way to compute scores on a kind of device: kept, and found again.

The verdict holds for the weights, the options that they are loaded with, dtype, the kind of device and the versions of
the libraries. Of weights that nothing pins nothing is kept.
"""

import hashlib
import json

from django.utils import timezone

from llms.engines.base import ScoringMethod, SelfCheck
from llms.models import DeviceCheck, LanguageModel

LARGEST = 1e9
"""Nats. Impossible in one way and possible in the other is infinitely far off, which no JSON can hold."""


def find(llm: LanguageModel, method: ScoringMethod) -> DeviceCheck | None:
    """`llm` as `identification.identify` left it."""
    return DeviceCheck.objects.filter(key=_key(llm, method)).first() if llm.weights_identity else None


def keep(llm: LanguageModel, method: ScoringMethod, check: SelfCheck) -> DeviceCheck:
    """Of two that check at once the one that ends later counts. Not saved where nothing pins the weights."""
    found = {
        "weights_identity": llm.weights_identity,
        "engine": llm.engine,
        "hardware": method.hardware[:200],
        "dtype": method.dtype,
        "versions": dict(method.versions),
        "n": check.n,
        "largest_difference": min(check.largest_difference, LARGEST),
        "n_flipped": check.n_flipped,
        "seconds_fast": check.seconds_fast,
        "seconds_plain": check.seconds_plain,
        "has_passed": check.has_passed,
        "checked_at": timezone.now(),
    }
    if not llm.weights_identity:
        return DeviceCheck(**found)
    row, _ = DeviceCheck.objects.update_or_create(key=_key(llm, method), defaults=found)
    return row


def _key(llm: LanguageModel, method: ScoringMethod) -> str:
    about = [llm.weights_identity, llm.engine, llm.options, method.hardware, method.dtype, dict(method.versions)]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
