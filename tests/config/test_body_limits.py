"""What is too large is not read, as the server hands it over piece by piece."""

import pytest

from config.body_limits import BodyLimits


class Site:
    """Reads every body to its end, as Django does, and remembers what it got."""

    def __init__(self):
        self.body, self.was_broken_off = b"", False

    async def __call__(self, scope, receive, send):
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                self.was_broken_off = True
                return
            self.body += event.get("body", b"")
            if not event.get("more_body"):
                return


async def ask(path, *pieces, announced=None):
    site, handed_over = Site(), []
    events = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    events.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive():
        handed_over.append(events.pop(0))
        return handed_over[-1]

    headers = [] if announced is None else [(b"content-length", str(announced).encode())]
    scope = {"type": "http", "path": path, "headers": headers}
    await BodyLimits(site, {"/upload/": 10})(scope, receive, None)
    return site, handed_over


async def test_a_body_that_announces_too_much_is_not_read():
    site, handed_over = await ask("/upload/new/", b"x" * 11, announced=11)

    assert (site.body, handed_over) == (b"", [])


async def test_a_body_that_announces_nothing_is_broken_off_where_it_is_too_large():
    site, handed_over = await ask("/upload/", b"x" * 6, b"x" * 6, b"x" * 6)

    assert site.was_broken_off
    assert len(handed_over) == 2


@pytest.mark.parametrize("path", ["/upload/", "/elsewhere/"])
async def test_a_body_that_fits_arrives(path):
    site, _ = await ask(path, b"x" * 4, b"y" * 6, announced=10)

    assert site.body == b"xxxxyyyyyy"


async def test_other_pages_have_no_such_limit():
    site, _ = await ask("/elsewhere/", b"x" * 20, announced=20)

    assert len(site.body) == 20


async def test_after_the_empty_body_only_the_end_of_the_connection_is_heard():
    heard, asked = [], []
    events = [{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}]

    async def site(scope, receive, send):
        heard.extend([await receive(), await receive()])

    async def receive():
        asked.append(events[0])
        return events.pop(0)

    await BodyLimits(site, {"/": 1})(
        {"type": "http", "path": "/", "headers": [(b"content-length", b"5")]}, receive, None
    )

    assert [event["type"] for event in heard] == ["http.request", "http.disconnect"]
    assert heard[0]["body"] == b""
