"""What is too large is not read, as the server hands it over piece by piece."""

import re
from pathlib import Path

import pytest

from config.asgi import MOST_OF_BODIES
from config.body_limits import BodyLimits

MOST_OF = {"/upload/": 10}
OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"


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


async def ask(path, *pieces, announced=None, most_of=MOST_OF):
    site, handed_over = Site(), []
    events = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    events.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive():
        handed_over.append(events.pop(0))
        return handed_over[-1]

    headers = [] if announced is None else [(b"content-length", str(announced).encode())]
    scope = {"type": "http", "path": path, "headers": headers}
    await BodyLimits(site, most_of)(scope, receive, None)
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


@pytest.mark.parametrize(
    ("path", "n_bytes", "arrives"),
    [
        ("/runs/import/", 200_000_000, True),
        ("/runs/import/", 200_200_000, False),
        ("/benchmarks/private/new/", 20_000_000, True),
        ("/benchmarks/private/new/", 20_200_000, False),
        ("/runs/new/", 2_000_000, True),
        ("/runs/new/", 2_000_001, False),
        ("/api/v1/runs", 2_000_001, False),
    ],
)
async def test_uploads_may_be_as_large_as_their_pages_say_and_other_bodies_are_small(path, n_bytes, arrives):
    site, _ = await ask(path, b"x", announced=n_bytes, most_of=MOST_OF_BODIES)

    assert site.body == (b"x" if arrives else b"")


def test_the_proxy_in_the_documents_lets_as_much_through():
    locations = re.split(r"location (?:= )?(?=/)", OPERATING.read_text())[1:]
    sizes = {text.split(" ")[0]: re.search(r"client_max_body_size (\d+)m;", text) for text in locations}
    allowed = {path: int(size[1]) for path, size in sizes.items() if size}

    assert allowed.keys() == MOST_OF_BODIES.keys()
    for path, most in MOST_OF_BODIES.items():
        assert most <= allowed[path] * 2**20 < most + 2**20
