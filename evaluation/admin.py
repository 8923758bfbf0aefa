"""Runs in the administration: to be looked at, and asked to pause, go on or stop. What they computed nobody edits."""

from collections.abc import Callable
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from evaluation import runs, tasks
from evaluation.models import Run
from evaluation.permissions import manages_runs
from llms.translations import translated

MOST_PRIORITY: Final = 1000


class PriorityForm(ActionForm):
    """Beside the list of actions."""

    priority = forms.IntegerField(
        label=_("Priority:"), required=False, min_value=-MOST_PRIORITY, max_value=MOST_PRIORITY, initial=0
    )


@admin.register(Run)
class RunAdmin(admin.ModelAdmin[Run]):
    list_display = (
        "its_page",
        "llm",
        "benchmark",
        "status",
        "progress",
        "priority",
        "value",
        "may_be_ranked",
        "created_at",
    )
    list_filter = ("status", "benchmark", "data", "may_be_ranked", "llm")
    list_select_related = ("llm",)
    list_display_links = None
    search_fields = ("llm__name", "llm__slug", "benchmark", "fingerprint")
    fields = (
        "its_page",
        "llm",
        "benchmark",
        "data",
        "protocol_in_words",
        "fingerprint",
        "limit",
        "status",
        "wanted",
        "priority",
        "requested_by",
        "progress",
        "value",
        "standard_error",
        "n_errors",
        "n_truncated",
        "why_it_failed",
        "created_at",
        "started_at",
        "finished_at",
        "origin",
    )
    actions = ("pause", "resume", "cancel", "set_priority")
    action_form = PriorityForm

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_manage_permission(self, request: HttpRequest) -> bool:
        """What its actions ask for."""
        return manages_runs(request.user)

    @admin.display(description=_("run"), ordering="pk")
    def its_page(self, run: Run) -> str:
        return format_html('<a href="{}">#{}</a>', reverse("evaluation:run", args=[run.pk]), run.pk)

    @admin.display(description=_("samples"))
    def progress(self, run: Run) -> str:
        return f"{run.n_done} / {run.n_samples}"

    @admin.display(description=_("protocol"))
    def protocol_in_words(self, run: Run) -> str:
        return translated(run.summary)

    @admin.display(description=_("why it failed"))
    def why_it_failed(self, run: Run) -> str:
        return translated(run.error) or "–"

    @admin.action(description=_("Pause"), permissions=["manage"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self._ask(request, queryset, runs.pause)

    @admin.action(description=_("Resume"), permissions=["manage"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        def resume(run: Run) -> bool:
            is_done = runs.resume(run)
            if is_done:
                tasks.announce(run)
            return is_done

        self._ask(request, queryset, resume)

    @admin.action(description=_("Cancel; what is scored stays"), permissions=["manage"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self._ask(request, queryset, runs.cancel)

    @admin.action(description=_("Set the priority that is typed beside"), permissions=["manage"])
    def set_priority(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        typed = PriorityForm.base_fields["priority"]
        try:
            priority = typed.clean(request.POST.get("priority", ""))
        except forms.ValidationError as error:
            priority, reason = None, " ".join(error.messages)
        else:
            reason = str(_("Type a priority beside the action: the higher, the sooner."))
        if priority is None:
            self.message_user(request, reason, messages.ERROR)
            return
        self._ask(request, queryset, lambda run: runs.set_priority(run, priority))

    def _ask(self, request: HttpRequest, queryset: QuerySet[Run], verb: Callable[[Run], bool]) -> None:
        """Says of how many it made a difference: others may have moved on since the page was drawn."""
        answers = [verb(run) for run in queryset.select_related("llm__endpoint")]
        n_done, n_left = sum(answers), len(answers) - sum(answers)
        if n_done:
            words = ngettext("%(n)s run: done.", "%(n)s runs: done.", n_done)
            self.message_user(request, words % {"n": n_done}, messages.SUCCESS)
        if n_left:
            words = ngettext(
                "%(n)s run is in no state for this, and was left as it is.",
                "%(n)s runs are in no state for this, and were left as they are.",
                n_left,
            )
            self.message_user(request, words % {"n": n_left}, messages.WARNING)
