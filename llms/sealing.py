"""Keys of model servers, sealed before they are stored: readable by this installation alone, and shown to nobody."""

import base64
import functools
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from llms.sentences import Sentence, filled, mark

_ANOTHER_KEY = mark(
    "A stored key was sealed with another FIELD_KEYS. Bring that one back (FIELD_KEYS=<new>,<old>), or type the "
    "server's key anew."
)


class WrongKey(Exception):
    """Something was sealed with a key that is not among `FIELD_KEYS`."""

    def __init__(self) -> None:
        self.words: Sentence = filled(_ANOTHER_KEY)
        super().__init__(self.words)


def seal(plain: str) -> str:
    """With the first of `FIELD_KEYS`. Nothing stays nothing."""
    return _cipher(tuple(settings.FIELD_KEYS)).encrypt(plain.encode()).decode() if plain else ""


def unseal(sealed: str) -> str:
    """With any of `FIELD_KEYS`. Raises `WrongKey`."""
    try:
        return _cipher(tuple(settings.FIELD_KEYS)).decrypt(sealed.encode()).decode() if sealed else ""
    except InvalidToken:
        raise WrongKey from None


def reseal(sealed: str) -> str:
    """The same under the first of `FIELD_KEYS`, so that the others can be taken away. Raises `WrongKey`."""
    return seal(unseal(sealed))


def is_current(sealed: str) -> bool:
    """Whether the first of `FIELD_KEYS` alone opens it."""
    try:
        _cipher((settings.FIELD_KEYS[0],)).decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


@functools.lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_thirty_two_bytes(key))) for key in keys])


def _thirty_two_bytes(key: str) -> bytes:
    """Keys are long random texts already: a plain digest brings them to length."""
    return hashlib.sha256(b"hakem sealing " + key.encode()).digest()
