"""Ends an answer at a stop string, wherever the borders between its pieces fall."""

from collections.abc import Sequence


class StopFilter:
    """Passes text on, except what may still turn out to be the beginning of a stop string.

    Once a stop string is complete, `found` is true and neither it nor anything after it is passed on.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._held = ""
        self.found = False

    def push(self, text: str) -> str:
        """Take a piece; return what is safe to show now."""
        if self.found:
            return ""
        self._held += text
        places = [place for stop in self._stop if (place := self._held.find(stop)) >= 0]
        if places:
            self.found = True
            shown, self._held = self._held[: min(places)], ""
            return shown
        n_shown = len(self._held) - self._n_uncertain()
        shown, self._held = self._held[:n_shown], self._held[n_shown:]
        return shown

    def flush(self) -> str:
        """What was held back: the answer is over, and no stop string will be completed any more."""
        shown, self._held = self._held, ""
        return shown

    def _n_uncertain(self) -> int:
        """Length of the longest ending that is the beginning of a stop string."""
        longest = max((len(stop) for stop in self._stop), default=1) - 1
        return next(
            (
                length
                for length in range(min(longest, len(self._held)), 0, -1)
                if any(stop.startswith(self._held[-length:]) for stop in self._stop)
            ),
            0,
        )
