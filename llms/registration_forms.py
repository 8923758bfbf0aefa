"""The forms of the guided registration. Each field says what is wrong with it, and how to mend it."""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.utils.formats import number_format
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from llms import registration
from llms.chat import SamplingParams
from llms.engines.openai_compatible.connection import base_url_from, is_key
from llms.models import DECODING_FIELDS, LanguageModel, Visibility, sampling_from
from llms.safe_http import NotAllowed
from llms.translations import translated

DEFAULTS = SamplingParams()
_localised = lazy(number_format, str)
"""A number as the reader writes it: 0.7 or 0,7."""


AUDIENCES = (
    (Visibility.PUBLIC.value, _("Public: everybody meets it")),
    (Visibility.INTERNAL.value, _("Internal: only researchers and administrators do")),
)


class ServerForm(forms.Form):
    """The address of a model server that is not known yet."""

    address = forms.CharField(
        label=_("address"),
        max_length=300,
        help_text=_("For example http://127.0.0.1:8000/v1. What you paste is brought into that form."),
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )
    api_key = forms.CharField(
        label=_("key"),
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Only if the server asks for one. It is stored sealed, and shown to nobody."),
    )

    def clean_address(self) -> str:
        try:
            return base_url_from(self.cleaned_data["address"])
        except NotAllowed as error:
            raise forms.ValidationError(translated(error.words)) from error

    def clean_api_key(self) -> str:
        key: str = self.cleaned_data["api_key"]
        if key and not is_key(key):
            raise forms.ValidationError(_("A key has neither blanks nor letters of other alphabets. Copy it again."))
        return key


class FilesForm(forms.Form):
    source = forms.CharField(
        label=_("Hub id, folder or GGUF file"),
        max_length=500,
        help_text=_("For example HuggingFaceTB/SmolLM2-135M-Instruct, or the full path of a folder or file here."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    revision = forms.CharField(
        label=_("revision"),
        max_length=80,
        required=False,
        help_text=_("Of a hub id only. A commit pins it; a branch may change under you."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class AdapterForm(forms.Form):
    folder = forms.CharField(
        label=_("The adapter's folder"),
        max_length=500,
        help_text=_("The full path of the folder that holds adapter_config.json and adapter_model.safetensors."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    base = forms.ModelChoiceField(
        label=_("Made for"),
        required=False,
        queryset=LanguageModel.objects.none(),
        empty_label=_("the model that adapter_config.json names"),
        help_text=_("Adapters share the memory of the model that they were made for."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        base = cast("forms.ModelChoiceField[LanguageModel]", self.fields["base"])
        base.queryset = LanguageModel.objects.filter(engine=registration.LOCAL_ENGINE).exclude(
            options__has_key="adapter"
        )


class FactsForm(forms.ModelForm[LanguageModel]):
    """What is said of a model, and the options of its engine."""

    class Meta:
        model = LanguageModel
        fields = ("name", "slug", "organisation", "licence", "parameters", "stage", "parent", "options")
        widgets = {"options": forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})}
        help_texts = {
            "licence": _("As its card states it, for example Apache-2.0."),
            "options": _("A JSON object; {} means the defaults. An unknown name is refused, with a list of the known."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        parent = cast("forms.ModelChoiceField[LanguageModel]", self.fields["parent"])
        parent.queryset = LanguageModel.objects.exclude(pk=self.instance.pk)
        parent.empty_label = _("nothing that is registered here")

    def clean_options(self) -> dict[str, Any]:
        """An emptied box means nothing in particular."""
        options: Any = self.cleaned_data["options"]
        return {} if options is None else options

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # Django's own hook, missing from its types
        if not self.errors:
            for problem in registration.problems(self.instance):
                self.add_error("options", problem)


class DecodingForm(forms.Form):
    """How it is asked, and what it may call itself."""

    system_prompt = forms.CharField(
        label=_("system prompt"),
        required=False,
        strip=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Said before every conversation. Voters do not see it."),
    )
    temperature = forms.FloatField(
        label=_("temperature"),
        required=False,
        help_text=format_lazy(
            _("0 always takes the likeliest word. Empty: {default}."), default=_localised(DEFAULTS.temperature)
        ),
    )
    top_p = forms.FloatField(
        label="top-p",
        required=False,
        help_text=format_lazy(
            _("Share of probability that is kept. Empty: {default}."), default=_localised(DEFAULTS.top_p)
        ),
    )
    top_k = forms.IntegerField(
        label="top-k", required=False, help_text=_("Words to choose among; 0 or empty: all of them.")
    )
    max_new_tokens = forms.IntegerField(
        label=_("longest answer, in tokens"),
        required=False,
        help_text=format_lazy(_("Empty: {default}."), default=_localised(DEFAULTS.max_new_tokens)),
    )
    seed = forms.IntegerField(
        label=_("seed"), required=False, help_text=_("With one, the same prompt always gets the same answer.")
    )
    stop = forms.CharField(
        label=_("stop strings"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_("One on each line. Where it writes one of them, the answer ends."),
    )
    aliases = forms.CharField(
        label=_("other names"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("One on each line: what it may call itself. They are hidden until the vote, as its own name is."),
    )

    @staticmethod
    def values_of(llm: LanguageModel) -> dict[str, Any]:
        stop = llm.decoding.get("stop", ())
        return {
            **llm.decoding,
            "stop": "\n".join([stop] if isinstance(stop, str) else stop),
            "aliases": "\n".join(llm.aliases),
            "system_prompt": llm.system_prompt,
        }

    def clean_aliases(self) -> list[str]:
        return list(dict.fromkeys(_lines(self.cleaned_data["aliases"])))

    def clean_stop(self) -> list[str]:
        return [line for line in self.cleaned_data["stop"].splitlines() if line]

    def clean(self) -> dict[str, Any]:
        """Each value is judged alone, so that the sentence stands beside it."""
        cleaned: dict[str, Any] = super().clean() or {}
        for name in DECODING_FIELDS:
            if cleaned.get(name) not in (None, []):
                try:
                    sampling_from({name: cleaned[name]})
                except ValueError as error:
                    self.add_error(name, str(error))
        return cleaned

    def apply_to(self, llm: LanguageModel) -> None:
        values: Mapping[str, Any] = self.cleaned_data
        llm.decoding = {name: values[name] for name in DECODING_FIELDS if values[name] not in (None, [])}
        llm.system_prompt = values["system_prompt"]
        llm.aliases = values["aliases"]
        llm.save(update_fields=["decoding", "system_prompt", "aliases"])


class PublishForm(forms.Form):
    visibility = forms.ChoiceField(
        label=_("Who may see it"), choices=AUDIENCES, widget=forms.RadioSelect, initial=Visibility.PUBLIC
    )
    in_battles = forms.BooleanField(label=_("Draw it for battles"), required=False)
    battle_weight = forms.FloatField(
        label=_("battle weight"),
        min_value=0,
        max_value=1000,
        help_text=_("How often it is drawn, against 1 for the others. 0 keeps it out of battles."),
    )

    @staticmethod
    def values_of(llm: LanguageModel) -> dict[str, Any]:
        is_new = llm.status == LanguageModel.Status.DISABLED
        return {
            "visibility": llm.visibility,
            "in_battles": is_new or llm.status == LanguageModel.Status.ENABLED,
            "battle_weight": llm.battle_weight,
        }


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
