"""Names of models for addresses and exports."""

from collections.abc import Iterator
from typing import Final

from django.utils.text import slugify

LONGEST_SLUG: Final = 80


def slugs_for(name: str) -> Iterator[str]:
    """Without end: whoever looks for a free one counts on, since other models may have the same name."""
    base = slugify(name.replace(".", "-").replace("@", "-"))[: LONGEST_SLUG - 6] or "imported"
    yield base
    n = 2
    while True:
        yield f"{base}-{n}"
        n += 1
