"""Room for turns: in this process, for one visitor, for one address.

A place is taken before the database is asked, not after: of a hundred wishes that come at once, no more get through
than there is room for. It is given back when its turn is over, or when there will be none.
"""

from collections import Counter
from types import TracebackType
from typing import Self

from django.conf import settings

from arena.errors import ArenaError, Busy, TooManyAtOnce
from arena.visitors import Visitor


class Place:
    """Held inside a `with`, and beyond it by a turn that keeps it."""

    def __init__(self, places: "Places", visitor: Visitor, refusal: ArenaError | None) -> None:
        self._places = places
        self.visitor = visitor
        self._refusal = refusal
        self._is_held = refusal is None
        self._is_kept = False

    def check(self) -> None:
        """Raises why there is none. To be asked only for what is new: a wish that is merely repeated needs no place."""
        if self._refusal:
            raise self._refusal

    def keep(self) -> None:
        """Whoever keeps it gives it back."""
        self._is_kept = True

    def give_back(self) -> None:
        if self._is_held:
            self._is_held = False
            self._places.free(self.visitor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._is_kept:
            self.give_back()


class Places:
    """Those of one process. For its event loop only."""

    def __init__(self) -> None:
        self._visitors: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()

    def take(self, visitor: Visitor) -> Place:
        """A place, or what says why there is none."""
        refusal = self._refusal(visitor)
        if refusal is None:
            self._visitors[visitor.id] += 1
            self._addresses[visitor.address] += 1
        return Place(self, visitor, refusal)

    def free(self, visitor: Visitor) -> None:
        for counts, who in ((self._visitors, visitor.id), (self._addresses, visitor.address)):
            counts[who] -= 1
            if not counts[who]:
                del counts[who]

    def _refusal(self, visitor: Visitor) -> ArenaError | None:
        share = settings.ACTIVE_TURNS_PER_VISITOR
        if self._visitors.total() >= settings.MAX_ACTIVE_TURNS:
            return Busy()
        if self._visitors[visitor.id] >= share:
            return TooManyAtOnce()
        return Busy() if self._addresses[visitor.address] >= share * settings.ADDRESS_FACTOR else None
