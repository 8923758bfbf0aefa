from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from arena.models import Answer, Battle, Vote, VoteExclusion, VoteImport


class ReadOnly(admin.ModelAdmin[Any]):
    """Battles and votes are evidence: to be looked at, not to be edited."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Battle)
class BattleAdmin(ReadOnly):
    def get_queryset(self, request: HttpRequest) -> QuerySet[Battle]:
        """Before its vote a battle is its voter's alone, whoever administers the site."""
        return super().get_queryset(request).filter(vote__isnull=False)

    list_display = ("id", "llm_a", "llm_b", "probability", "created_at", "abstained_at")
    list_filter = ("created_at", "llm_a")
    search_fields = ("id",)
    readonly_fields = ("attempts",)

    @admin.display(description=_("attempts"))
    def attempts(self, battle: Battle) -> str:
        """Every attempt with its error: what the voter was told in kinder words."""
        answers = Answer.objects.filter(turn__battle=battle).select_related("llm", "turn").order_by("pk")
        return "\n".join(
            f"turn {answer.turn.index + 1}, side {answer.side.upper()}, attempt {answer.attempt}: {answer.llm.slug},"
            f" {answer.state} {answer.error_code} {answer.error_detail}"
            for answer in answers
        )


@admin.register(Vote)
class VoteAdmin(ReadOnly):
    list_display = ("battle", "outcome", "created_at")
    list_filter = ("outcome", "created_at")
    search_fields = ("battle__id",)


@admin.register(VoteImport)
class VoteImportAdmin(ReadOnly):
    list_display = ("name", "n_votes", "n_left_out", "began_at", "completed_at")
    search_fields = ("name", "digest")


@admin.register(VoteExclusion)
class VoteExclusionAdmin(ReadOnly):
    """Made and ended by `manage.py exclude_votes`, which mends the counts as well."""

    list_display = ("vote", "source", "reason", "excluded_at", "restored_at")
    list_filter = ("reason",)
