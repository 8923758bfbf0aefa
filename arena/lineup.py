"""All registered models as they are at this moment: who may be drawn, and the names that no answer may show.

The rows are read each time, so that a change counts at once and in every process. What is made of them, above all the
tree of all names, is made anew only when they have changed.
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.contrib.auth.models import AnonymousUser, User
from django.db import connection

from arena.masking import Names
from llms.models import Endpoint, LanguageModel, Visibility, sees_internal

_READ = [
    *(field.attname for field in LanguageModel._meta.concrete_fields),
    *(f"endpoint__{field.attname}" for field in Endpoint._meta.concrete_fields),
]


class Lineup(NamedTuple):
    """Shared by all who ask: not to be changed."""

    llms: Mapping[int, LanguageModel]
    """With their endpoints."""
    contenders: tuple[LanguageModel, ...]
    """Those that may be drawn."""
    names: Names
    """Of all models, not only of the two at work: what is hidden must not tell either."""

    def contenders_for(self, user: User | AnonymousUser) -> list[LanguageModel]:
        if sees_internal(user):
            return list(self.contenders)
        return [llm for llm in self.contenders if llm.visibility == Visibility.PUBLIC]


_last: tuple[list[tuple[Any, ...]], Lineup] | None = None


def current() -> Lineup:
    global _last
    with connection.cursor() as cursor:
        cursor.execute(_question())
        rows = cursor.fetchall()
    last = _last
    if last is None or last[0] != rows:
        # What is read now is no older than `rows`. Should it be newer, the next comparison finds out.
        last = _last = (rows, _built())
    return last[1]


@functools.cache
def _question() -> str:
    """Put together once: that takes longer than to answer it."""
    sql, _no_parameters = LanguageModel.objects.order_by("pk").values_list(*_READ).query.sql_with_params()
    return sql


def _built() -> Lineup:
    llms = {llm.pk: llm for llm in LanguageModel.objects.select_related("endpoint")}
    drawn = set(LanguageModel.objects.in_battles().values_list("pk", flat=True))
    telling: list[str] = []
    ordinary: list[str] = []
    for llm in llms.values():
        # One that is merely listed answers nobody, and files call models by any word: "command" is one of them.
        (ordinary if llm.status == LanguageModel.Status.LISTED else telling).extend(llm.telling_names())
        ordinary.extend(llm.ordinary_names())
    names = Names(telling, ordinary)
    return Lineup(llms, tuple(llm for llm in llms.values() if llm.pk in drawn), names)
