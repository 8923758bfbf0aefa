"""Text of strangers for the database. Pure."""

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""PostgreSQL takes no NUL, and nobody takes halves of characters: neither a database nor a socket."""


def storable(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)
