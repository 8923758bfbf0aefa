"""The battle page, new and by its permalink."""

import uuid
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from arena import battles, voters
from arena.models import Battle
from arena.muster import muster
from arena.presentation import battle_view
from arena.strings import battle_strings
from arena.suggestions import suggestions
from llms.models import LanguageModel
from llms.page_policy import shows_model_text

TINY_PARAMETERS = 1_000_000_000


@require_safe
@never_cache
@shows_model_text
def new_battle(request: HttpRequest) -> HttpResponse:
    return _page(request, None)


@require_safe
@never_cache
@shows_model_text
def battle(request: HttpRequest, battle_id: uuid.UUID) -> HttpResponse:
    voter = voters.known(voters.id_in(request.COOKIES), request.user)
    try:
        found = Battle.objects.open_to(voter, request.user).with_everything().get(pk=battle_id)
    except Battle.DoesNotExist:
        raise Http404 from None
    return _page(request, dict(battle_view(found, voter, request.user)))


@require_safe
@never_cache
def readiness(request: HttpRequest) -> JsonResponse:
    """What an open start page asks while models are being loaded."""
    present = muster(request.user)
    return JsonResponse({"ready": len(present.ready), "all": present.n_present, "words": present.words})


def _page(request: HttpRequest, view: dict[str, Any] | None) -> HttpResponse:
    contenders = list(LanguageModel.objects.visible_to(request.user).in_battles())
    present = muster(request.user)
    context = {
        "battle": view,
        "strings": battle_strings(),
        "suggestions": suggestions(),
        "prompt_limit": settings.PROMPT_LIMIT,
        "comment_limit": battles.COMMENT_LIMIT,
        "reasons": {
            "positive": list(battles.POSITIVE_REASONS.items()),
            "negative": list(battles.NEGATIVE_REASONS.items()),
        },
        "tiny_models": any((llm.parameters or TINY_PARAMETERS) < TINY_PARAMETERS for llm in contenders),
        "n_contenders": present.n_present,
        "loading_words": present.words,
    }
    response = render(request, "arena/battle.html", context)
    voters.give_cookie(request, response)
    return response
