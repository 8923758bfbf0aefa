"""Pages of a running server, without a browser."""

import asyncio
import urllib.request
from typing import NamedTuple

from websockets.asyncio.client import connect

from tests.helpers.pages import NetworkSocket, Page


class Visitor(NamedTuple):
    """Somebody's cookies at one site; the same cookies are good at every web process of that site."""

    cookies: str


def new_visitor(url: str) -> Visitor:
    with urllib.request.urlopen(url, timeout=30) as answer:
        cookies = [value.partition(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"]
    return Visitor("; ".join(cookies))


async def open_page(url: str, visitor: Visitor, battle_id: str = "") -> Page:
    path = f"/ws/battle/{battle_id}/" if battle_id else "/ws/battle/"
    connection = await connect(
        url.replace("http", "ws", 1) + path,
        origin=url,  # type: ignore[arg-type]
        additional_headers={"Cookie": visitor.cookies},
        max_size=None,
    )
    return Page(NetworkSocket(connection))


async def begun(url: str, visitor: Visitor, prompt: str) -> Page:
    """A page whose battle has begun to be answered on both sides."""
    page = await open_page(url, visitor)
    await page.start(prompt)
    await page.until(lambda page: all(page.texts().values()), 30)
    return page


async def gather_pages(url: str, n: int, prompt: str = "Battle {}") -> list[Page]:
    visitors = await asyncio.gather(*(asyncio.to_thread(new_visitor, url) for _ in range(n)))
    return list(await asyncio.gather(*(begun(url, visitor, prompt.format(i)) for i, visitor in enumerate(visitors))))
