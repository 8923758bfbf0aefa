"""What pages that show a model's own words are allowed to do."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from csp.decorators import csp_update
from django.http import HttpResponse

View = TypeVar("View", bound=Callable[..., HttpResponse])


def shows_model_text(view: View) -> View:
    """No string can become markup on such a page, whatever a model writes."""
    decorate: Any = csp_update({"require-trusted-types-for": ["'script'"], "trusted-types": ["'none'"]})
    return cast(View, decorate(view))
