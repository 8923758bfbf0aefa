from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextareaWidget
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from llms import endpoints, identification, refusals, registration
from llms.engines.openai_compatible.connection import is_key
from llms.models import Endpoint, LanguageModel
from llms.pool import Readiness, pool
from llms.publishing import READINESS_WORDS
from llms.sealing import seal
from llms.translations import translated
from llms.trials import progress_words

OPTIONS_HELP = _(
    'A JSON object for the engine; {} means its defaults. huggingface: {"dtype": "bfloat16"}, {"device": "cuda:1"}, '
    '{"quantization": "int8-dynamic"}, {"max_context": 2048}. echo: {"reply": "You said: {prompt}"}. A name that the '
    "engine does not know is refused, with the list of those that it does."
)


def _moment(when: datetime) -> str:
    return formats.date_format(timezone.localtime(when), "DATETIME_FORMAT")


class LanguageModelForm(forms.ModelForm[LanguageModel]):
    """Checks the source with the engine itself, so that nothing is saved as enabled that could not answer."""

    class Meta:
        help_texts = {"options": OPTIONS_HELP}

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


class EndpointForm(forms.ModelForm[Endpoint]):
    """The key is written, and never shown again."""

    api_key = forms.CharField(
        label=_("key"),
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Left empty, the key stays as it is. It is stored sealed, and shown to nobody."),
    )
    forget_key = forms.BooleanField(label=_("forget the key"), required=False)

    def clean_api_key(self) -> str:
        key: str = self.cleaned_data["api_key"]
        if key and not is_key(key):
            raise forms.ValidationError(_("A key has neither blanks nor letters of other alphabets. Copy it again."))
        return key

    def clean(self) -> dict[str, Any]:
        """A key belongs to the server that it was typed for: nobody sends it to another by changing the address."""
        cleaned: dict[str, Any] = super().clean() or {}
        new = cleaned.get("api_key") or cleaned.get("forget_key")
        if self.instance.sealed_key and not new and "base_url" in self.changed_data:
            self.add_error(
                "api_key", _("The address has changed: type the key of the new server, or forget the old one.")
            )
        return cleaned

    def save(self, commit: bool = True) -> Endpoint:
        if self.cleaned_data["forget_key"]:
            self.instance.sealed_key = ""
        elif self.cleaned_data["api_key"]:
            self.instance.sealed_key = seal(self.cleaned_data["api_key"])
        return super().save(commit)


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin[Endpoint]):
    form = EndpointForm
    list_display = ("name", "base_url", "max_concurrent", "has_key", "health", "its_page")
    fields = ("name", "base_url", "api_key", "forget_key", "max_concurrent")
    search_fields = ("name", "base_url")
    actions = ("ask",)

    @admin.display(description=_("has a key"), boolean=True)
    def has_key(self, endpoint: Endpoint) -> bool:
        return bool(endpoint.sealed_key)

    @admin.display(description=_("health"))
    def health(self, endpoint: Endpoint) -> str:
        if endpoint.resting_since:
            since = _moment(endpoint.resting_since)
            words = _("rests since %(since)s; its models are not drawn: %(error)s")
            return str(words) % {"since": since, "error": translated(endpoint.last_error)}
        if endpoint.n_failures:
            return str(_("failed last time: %(error)s")) % {"error": translated(endpoint.last_error)}
        return str(_("well"))

    @admin.display(description=_("what it can do"))
    def its_page(self, endpoint: Endpoint) -> str:
        words = endpoint.server or _("not probed yet")
        return format_html('<a href="{}">{}</a>', reverse("llms:endpoint", args=[endpoint.pk]), words)

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        """What was refused before may be known under another address, or to another key."""
        super().save_model(request, obj, form, change)
        refusals.forget(obj.llms.all())

    @admin.action(description=_("Ask the servers whether they are well"))
    def ask(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        for endpoint in queryset:
            health = endpoints.ask(endpoint)
            level = messages.SUCCESS if health.is_well else messages.ERROR
            self.message_user(request, f"{endpoint}: {translated(health.words)}", level)


@admin.register(LanguageModel)
class LanguageModelAdmin(admin.ModelAdmin[LanguageModel]):
    form = LanguageModelForm
    list_display = ("name", "organisation", "stage", "engine", "status", "readiness", "battle_weight", "visibility")
    list_filter = ("status", "visibility", "stage", "engine")
    search_fields = ("name", "slug", "organisation")
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("weights",)
    actions = ("draw_again",)
    formfield_overrides = {models.JSONField: {"widget": AdminTextareaWidget(attrs={"rows": 3})}}
    fieldsets = [
        (None, {"fields": ("name", "slug", "organisation", "licence", "parameters", "stage", "parent", "aliases")}),
        (
            _("How it runs"),
            {"fields": ("engine", "endpoint", "source", "revision", "options", "weights", "decoding", "system_prompt")},
        ),
        (_("Where it is seen"), {"fields": ("status", "battle_weight", "visibility")}),
    ]

    @admin.display(description=_("in this process"))
    def readiness(self, llm: LanguageModel) -> str:
        if llm.refused_since:
            refused = _("not drawn since %(since)s, because its server refused it: %(reason)s")
            return str(refused) % {"since": _moment(llm.refused_since), "reason": translated(llm.last_refusal)}
        words = str(READINESS_WORDS[pool.readiness(llm)])
        reason = translated(pool.failure(llm)) or progress_words(llm)
        return f"{words}: {reason}" if reason else words

    @admin.display(description=_("weights' identity"))
    def weights(self, llm: LanguageModel) -> str:
        if not llm.weights_identity:
            return str(_("Not pinned down: nothing has stated which weights these are, or they were not read yet."))
        if not llm.identity_changed_at:
            return llm.weights_identity
        words = _("%(identity)s. Changed under the same source, noticed on %(since)s; formerly %(former)s.")
        values = {"identity": llm.weights_identity, "former": llm.former_identity}
        return str(words) % {**values, "since": _moment(llm.identity_changed_at)}

    @admin.action(description=_("Draw them again, though their server refused them"))
    def draw_again(self, request: HttpRequest, queryset: QuerySet[LanguageModel]) -> None:
        n_drawn = refusals.forget(queryset)
        words = ngettext("%(number)d model is drawn again.", "%(number)d models are drawn again.", n_drawn)
        self.message_user(request, words % {"number": n_drawn})

    def save_model(self, request: HttpRequest, obj: LanguageModel, form: Any, change: bool) -> None:
        """A model that may be drawn is loaded at once, so that its first battle does not wait for it."""
        if identification.DECIDES_THE_WEIGHTS & set(form.changed_data):
            identification.forget(obj)
        super().save_model(request, obj, form, change)
        if form.changed_data:
            refusals.forget(LanguageModel.objects.filter(pk=obj.pk))
        if obj.status == LanguageModel.Status.ENABLED and obj.battle_weight:
            pool.warm_up([obj])
            if pool.readiness(obj) is Readiness.BARRED:
                self.message_user(request, translated(pool.failure(obj)), messages.WARNING)
