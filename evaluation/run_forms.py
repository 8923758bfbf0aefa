"""What somebody fills in to ask for runs."""

from dataclasses import replace
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from evaluation import suites
from evaluation.benchmarks.base import Draw, Options
from evaluation.benchmarks.registry import benchmark, benchmark_choices
from evaluation.datasets import DataKind
from evaluation.models import PrivateBenchmark
from evaluation.offers import Wanted, wanted
from evaluation.plans import Wish
from evaluation.prompts import Template
from llms.models import LanguageModel
from llms.sentences import Sentence
from llms.translations import translated

OWN = ("", _("the benchmark's own"))
DRAWS = [
    OWN,
    (Draw.FIRST.value, _("the first rows, the same for all")),
    (Draw.FIXED.value, _("one draw with the seed, the same for all")),
    (Draw.LM_EVAL.value, _("another draw for each sample, as lm-evaluation-harness does it")),
]
TEMPLATES = [OWN, (Template.OFF.value, _("off")), (Template.CHAT.value, _("on"))]
DATA = [
    (DataKind.PUBLISHED.value, _("its own: published or private")),
    (DataKind.SAMPLE.value, _("built-in sample: never ranked")),
]
LARGEST = 2**31 - 1
MOST_SHOTS = 1000
HIGHEST_PRIORITY = 100


def asked_of_models() -> list[tuple[str, str]]:
    """Public benchmarks, then private ones."""
    private = PrivateBenchmark.objects.filter(archived_at=None)
    return benchmark_choices() + [(found.name, found.title) for found in private]


class RunForm(forms.Form):
    model = forms.ModelMultipleChoiceField(
        LanguageModel.objects.none(),
        to_field_name="slug",
        label=_("Models"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one model.")},
    )
    benchmark = forms.MultipleChoiceField(
        choices=asked_of_models, label=_("Benchmarks"), widget=forms.CheckboxSelectMultiple, required=False
    )
    suite = forms.ChoiceField(label=_("Or a suite of them"), required=False)
    rows = forms.ChoiceField(choices=DATA, label=_("Rows"), required=False)
    limit = forms.IntegerField(
        label=_("Limit"),
        min_value=1,
        max_value=LARGEST,
        required=False,
        help_text=_("The first rows only, of each subject where there are subjects. Empty: all of them."),
    )
    shots = forms.IntegerField(
        label=_("Examples in the prompt"),
        min_value=0,
        max_value=MOST_SHOTS,
        required=False,
        help_text=_("Empty: the benchmark's own number."),
    )
    draw = forms.ChoiceField(choices=DRAWS, label=_("Examples chosen by"), required=False)
    seed = forms.IntegerField(
        label=_("Seed"), min_value=0, max_value=LARGEST, required=False, help_text=_("For examples that are drawn.")
    )
    template = forms.ChoiceField(
        choices=TEMPLATES,
        label=_("Chat template"),
        required=False,
        help_text=_("Scores with and without it are not comparable."),
    )
    variant = forms.ChoiceField(label=_("Variant"), required=False)
    priority = forms.IntegerField(
        label=_("Priority"),
        min_value=-HIGHEST_PRIORITY,
        max_value=HIGHEST_PRIORITY,
        required=False,
        help_text=_("The higher, the sooner. Empty: 0."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        runnable = LanguageModel.objects.exclude(status=LanguageModel.Status.LISTED)
        self.fields["model"].queryset = runnable.select_related("endpoint").order_by("name")  # type: ignore[attr-defined]
        self.fields["suite"].choices = [("", _("the benchmarks above")), *((name, name) for name in suites.SUITES)]  # type: ignore[attr-defined]
        names = dict.fromkeys(name for key, _title in benchmark_choices() for name in benchmark(key).variants)
        self.fields["variant"].choices = [OWN, *((name, name) for name in names)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("benchmark") and not cleaned.get("suite") and "benchmark" not in self.errors:
            self.add_error("benchmark", _("Choose at least one benchmark, or a suite."))
        return cleaned

    def wanted(self) -> list[Wanted]:
        """What is asked of each model. Raises InvalidOptions for a suite that is not there."""
        if not self.cleaned_data["suite"]:
            return [self._adapted(Wish(benchmark=name)) for name in self.cleaned_data["benchmark"]]
        entries = suites.SUITES[self.cleaned_data["suite"]]
        missing: dict[str, Sentence | None] = {entry.benchmark: suites.missing(entry) for entry in entries}
        return [
            Wanted(entry.benchmark, None, translated(obstacle))
            if (obstacle := missing[entry.benchmark])
            else self._adapted(suites.wish_of(entry))
            for entry in entries
        ]

    def _adapted(self, wish: Wish) -> Wanted:
        """What is filled in wins over the benchmark's own options and the suite's."""
        chosen, data = self.cleaned_data, self.cleaned_data["rows"] or DataKind.PUBLISHED.value
        options = wish.options or benchmark(wish.benchmark).default_options
        given: dict[str, Any] = {"n_shots": chosen["shots"], "seed": chosen["seed"]}
        given["draw"] = Draw(chosen["draw"]) if chosen["draw"] else None
        given["template"] = Template(chosen["template"]) if chosen["template"] else None
        given["variant"] = chosen["variant"] or None
        changed: Options = replace(options, **{name: value for name, value in given.items() if value is not None})
        limit = chosen["limit"] if chosen["limit"] is not None else wish.limit
        priority = chosen["priority"] or 0
        return wanted(replace(wish, options=changed, limit=limit, data=DataKind(data), priority=priority))
