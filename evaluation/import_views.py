"""Staff uploads results of other tools: a look at what they hold, or the import itself."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from django import forms
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from evaluation import imports
from evaluation.foreign.archives import Limits
from evaluation.foreign.results import BadFile
from evaluation.import_pages import Line, imported_line, planned_line
from evaluation.imports import Examination, Imported
from evaluation.permissions import for_managers
from llms.models import LanguageModel, Visibility
from llms.translations import translated

MOST_BYTES: Final = 200_000_000
MOST_BODY_BYTES: Final = MOST_BYTES + 100_000
LIMITS: Final = Limits(n_files=5_000, bytes_each=500_000_000, bytes_together=2_000_000_000)
"""Of what an upload holds, unpacked. Larger ones are imported from the command line."""
MOST_SHOWN: Final = 200
ENDINGS: Final = (".zip", ".json", ".eval")

View = TypeVar("View", bound=Callable[..., Any])


class ImportForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("A zip of a folder with results, or one file: .zip, .json or .eval, up to 200 MB."),
        widget=forms.ClearableFileInput(attrs={"accept": ",".join(ENDINGS), "data-most-bytes": MOST_BYTES}),
    )
    llm = forms.ModelChoiceField(
        LanguageModel.objects.all(),
        required=False,
        label=gettext_lazy("Model"),
        empty_label=gettext_lazy("whom the files name"),
        help_text=gettext_lazy("For all results in the file. Models that nobody has registered are listed."),
    )
    public = forms.BooleanField(
        required=False,
        label=gettext_lazy("Show newly listed models to everybody"),
        help_text=gettext_lazy("Otherwise only researchers and administrators see them and their results."),
    )

    def clean_file(self) -> "UploadedFile[Any]":
        file: UploadedFile[Any] = self.cleaned_data["file"]
        if not (file.name or "").lower().endswith(ENDINGS):
            raise forms.ValidationError(_("Choose a .zip, .json or .eval file."))
        return file


def uploads(view: View) -> View:
    """Who may not, and what is too large, is refused before the body is read, which the check for forgery would do."""

    def guarded(request: HttpRequest, **arguments: Any) -> HttpResponse:
        if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BODY_BYTES:
            return render(request, "evaluation/import_too_large.html", {"most": MOST_BYTES // 1_000_000}, status=413)
        return cast(HttpResponse, csrf_protect(view)(request, **arguments))

    return cast(View, csrf_exempt(for_managers(guarded)))


@uploads
def import_results(request: HttpRequest) -> HttpResponse:
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    context: dict[str, Any] = {"form": form, "is_look": "look" in request.POST}
    if form.is_bound and form.is_valid():
        try:
            context |= _results(request, form)
        except BadFile as error:
            form.add_error("file", translated(error.user_message))
    is_wrong = bool(form.errors or context.get("problems"))
    return render(request, "evaluation/import.html", context, status=422 if is_wrong else 200)


def _results(request: HttpRequest, form: ImportForm) -> dict[str, Any]:
    """Raises BadFile."""
    upload, llm = form.cleaned_data["file"], form.cleaned_data["llm"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _file_name(upload)
        with path.open("wb") as file:
            for chunk in upload.chunks():
                file.write(chunk)
        examination = imports.examine(path, limits=LIMITS)
    found = _told(examination)
    if examination.problems:
        return found
    if "look" in request.POST:
        return found | {"lines": [planned_line(examined, llm) for examined in examination.runs]}
    visibility = Visibility.PUBLIC if form.cleaned_data["public"] else Visibility.INTERNAL
    user = cast(User, request.user)
    imported: list[Imported] = imports.bring_in(examination, llm=llm, visibility=visibility, requested_by=user)
    lines: list[Line] = [imported_line(one) for one in imported]
    n_new = sum(one.run is not None for one in imported)
    return found | {"lines": lines, "n_new": n_new, "n_known": len(imported) - n_new, "is_done": True}


def _file_name(upload: "UploadedFile[Any]") -> str:
    """As it is called, for the messages, as far as a file may be called so."""
    name = Path(upload.name or "").name
    return get_valid_filename(name)[-100:]


def _told(examination: Examination) -> dict[str, Any]:
    problems, skipped = examination.problems, examination.skipped
    return {
        "problems": [(problem.file, translated(problem.reason)) for problem in problems[:MOST_SHOWN]],
        "n_bad_files": len({problem.file for problem in problems}),
        "skipped": [(one.file, one.what, translated(one.reason)) for one in skipped[:MOST_SHOWN]],
        "n_more": max(0, len(problems) - MOST_SHOWN),
    }
