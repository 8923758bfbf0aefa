from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from llms import registration
from llms.models import LanguageModel
from llms.pool import pool


class LanguageModelForm(forms.ModelForm[LanguageModel]):
    """Checks the source with the engine itself, so that nothing is saved as enabled that could not answer."""

    def clean(self) -> dict[str, Any]:
        """A box that was emptied means nothing in particular, not JSON's null."""
        cleaned: dict[str, Any] = super().clean() or {}
        for name, empty in (("options", {}), ("decoding", {}), ("aliases", [])):
            if name in cleaned and cleaned[name] is None:
                cleaned[name] = empty
        return cleaned

    def _post_clean(self) -> None:
        """An engine is asked only about a row that is right in itself."""
        super()._post_clean()  # type: ignore[misc]  # Django's own hook, missing from its types
        if not self.errors and self.instance.status == LanguageModel.Status.ENABLED:
            for problem in registration.problems(self.instance):
                self.add_error("source", problem)


@admin.register(LanguageModel)
class LanguageModelAdmin(admin.ModelAdmin[LanguageModel]):
    form = LanguageModelForm
    list_display = ("name", "organisation", "stage", "engine", "status", "readiness", "battle_weight", "visibility")
    list_filter = ("status", "visibility", "stage", "engine")
    search_fields = ("name", "slug", "organisation")
    prepopulated_fields = {"slug": ("name",)}
    autocomplete_fields = ("parent",)
    fieldsets = [
        (None, {"fields": ("name", "slug", "organisation", "licence", "parameters", "stage", "parent", "aliases")}),
        (_("How it runs"), {"fields": ("engine", "source", "revision", "options", "decoding", "system_prompt")}),
        (_("Where it is seen"), {"fields": ("status", "battle_weight", "visibility")}),
    ]

    @admin.display(description=_("in this process"))
    def readiness(self, llm: LanguageModel) -> str:
        reason = pool.failure(llm)
        return f"{pool.readiness(llm).value}: {reason}" if reason else pool.readiness(llm).value

    def save_model(self, request: HttpRequest, obj: LanguageModel, form: Any, change: bool) -> None:
        """A model that may be drawn is loaded at once, so that its first battle does not wait for it."""
        super().save_model(request, obj, form, change)
        if obj.status == LanguageModel.Status.ENABLED and obj.battle_weight:
            pool.warm_up([obj])
