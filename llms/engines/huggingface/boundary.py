"""The edge between this engine and the libraries below it."""

import contextlib
import logging
from collections.abc import Iterator

from llms.engines.base import EngineError

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def foreign_errors_as(kind: type[EngineError], doing: str) -> Iterator[None]:
    """Log whatever a library raises inside, and raise it as `kind`. Errors of the tree pass unchanged."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        logger.exception("%s failed", doing)
        raise kind(f"{doing} failed ({type(error).__name__}: {error})") from error
