"""Who may start runs, stop them, and open their samples."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import AnonymousUser, User
from django.views.decorators.cache import never_cache

from evaluation.models import Run
from llms.models import sees_internal

MANAGES = ("evaluation.add_run", "evaluation.change_run")
View = TypeVar("View", bound=Callable[..., Any])


def manages_runs(user: User | AnonymousUser) -> bool:
    return user.has_perms(MANAGES)


def sees_inside(user: User | AnonymousUser) -> bool:
    """What an engine said, where rows and weights lie, the log: these name folders and servers."""
    return sees_internal(user)


def opens_samples(user: User | AnonymousUser, run: Run) -> bool:
    """Private rows are never shown to the public item by item: whoever reads them could train on them."""
    return run.data != Run.Data.PRIVATE or sees_internal(user)


def for_managers(view: View) -> View:
    """Visitors are sent to the door, others who may not are told so."""
    allowed = permission_required(MANAGES, raise_exception=True)(view)
    return never_cache(login_required(allowed))
