"""What staff tell about a private benchmark, and the file itself."""

from typing import Any

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from evaluation.models import PrivateBenchmark
from evaluation.private_benchmarks import Naming

LONGEST_SLUG = 60


class FileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("One JSON object per line, in UTF-8, up to 20 MB."),
        widget=forms.ClearableFileInput(
            attrs={"accept": ".jsonl,.json,application/jsonl", "data-most-bytes": 20_000_000}
        ),
    )


class NewSetForm(FileForm):
    title = forms.CharField(label=gettext_lazy("Title"), max_length=100)
    slug = forms.SlugField(
        label=gettext_lazy("Short name"),
        max_length=LONGEST_SLUG,
        required=False,
        help_text=gettext_lazy("For addresses and the command line; empty: made from the title."),
    )
    capability = forms.ChoiceField(label=gettext_lazy("Measures"), choices=PrivateBenchmark.Capability.choices)

    field_order = ("title", "slug", "capability", "file")

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("title") and not found.get("slug") and "slug" not in self.errors:
            found["slug"] = slugify(found["title"].replace("ı", "i"))[:LONGEST_SLUG]
            if not found["slug"]:
                self.add_error("slug", _("Write a short name of letters, digits and hyphens, such as travel-rules."))
        return found

    @property
    def naming(self) -> Naming:
        return Naming(self.cleaned_data["slug"], self.cleaned_data["title"], self.cleaned_data["capability"])


class DetailsForm(forms.ModelForm[PrivateBenchmark]):
    class Meta:
        model = PrivateBenchmark
        fields = ("title", "capability")
