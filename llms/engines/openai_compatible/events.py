"""Server-sent events, as model servers send them: bytes in, the data of each event out.

Lines may be cut anywhere, end in any of three ways and hold bytes that are no UTF-8; servers do all of it. Only `data`
matters to us. Source of the rules: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

MAX_EVENT_BYTES = 2_000_000
"""An event is a few tokens. What is longer is no answer, and must not fill the memory."""


class EventTooLong(ValueError):
    """One event is longer than any answer."""


class EventParser:
    """Feed it what arrives; it returns the events that are complete."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._data: list[bytes] = []
        self._n_data = 0
        self._skips_line_feed = False

    def feed(self, received: bytes) -> list[str]:
        """Raises `EventTooLong`."""
        if self._skips_line_feed and received:
            received = received.removeprefix(b"\n")
            self._skips_line_feed = False
        self._skips_line_feed = received.endswith(b"\r")
        self._pending += received.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = self._pending.split(b"\n")
        self._pending = rest
        events = [event for line in lines if (event := self._take(line)) is not None]
        if len(self._pending) + self._n_data > MAX_EVENT_BYTES:
            raise EventTooLong(f"an event of more than {MAX_EVENT_BYTES} bytes")
        return events

    def finish(self) -> list[str]:
        """The stream is over. The standard drops an event that no empty line ends; servers forget that line, and what
        they sent is not lost here."""
        events = [self._take(bytes(self._pending)), self._take(b"")]
        self._pending = bytearray()
        return [event for event in events if event is not None]

    def _take(self, line: bytes | bytearray) -> str | None:
        if not line:
            event, self._data, self._n_data = b"\n".join(self._data), [], 0
            return event.decode("utf-8", "replace") if event else None
        name, _, value = bytes(line).partition(b":")
        if name.removeprefix(b"\xef\xbb\xbf") == b"data":
            self._data.append(value.removeprefix(b" "))
            self._n_data += len(value) + 1
        return None
