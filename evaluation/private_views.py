"""Private benchmarks for the people of the house: researchers read them, those who keep them upload and change them."""

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required, user_passes_test
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from evaluation import examinations, private_benchmarks, tasks
from evaluation.errors import EvaluationError
from evaluation.health_pages import failure_of, health_page
from evaluation.models import PrivateBenchmark, PrivateVersion, Run
from evaluation.permissions import manages_runs
from evaluation.private_benchmarks import NotAsItIs
from evaluation.private_forms import DetailsForm, FileForm, NewSetForm
from evaluation.private_sets import MOST_BYTES, LineProblem, PrivateSet, read_private_set
from evaluation.run_lines import lines_of
from llms.models import sees_internal
from llms.translations import translated

KEEPS: Final = ("evaluation.add_privatebenchmark", "evaluation.change_privatebenchmark")
MOST_BODY_BYTES: Final = MOST_BYTES + 100_000
"""Of an upload with its other fields."""
MOST_PROBLEMS_SHOWN: Final = 100
ITEMS_A_PAGE: Final = 50
RUNS_SHOWN: Final = 20

View = TypeVar("View", bound=Callable[..., Any])


def for_readers(view: View) -> View:
    """Visitors are sent to the door, others who may not are told so."""

    def reads(user: Any) -> bool:
        if not sees_internal(user):
            raise PermissionDenied
        return True

    return never_cache(login_required(user_passes_test(reads)(view)))


def for_keepers(view: View) -> View:
    allowed = permission_required(KEEPS, raise_exception=True)(view)
    return never_cache(login_required(allowed))


def keeps_sets(user: Any) -> bool:
    return bool(user.has_perms(KEEPS))


# --- uploads


def uploads(view: View) -> View:
    """Who may not, and what is too large, is refused before the body is read, which the check for forgery would do."""

    def guarded(request: HttpRequest, **arguments: Any) -> HttpResponse:
        if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BODY_BYTES:
            context = {"most_megabytes": MOST_BYTES // 1_000_000}
            return render(request, "evaluation/private_too_large.html", context, status=413)
        return cast(HttpResponse, csrf_protect(view)(request, **arguments))

    return cast(View, csrf_exempt(for_keepers(guarded)))


@uploads
def new_set(request: HttpRequest) -> HttpResponse:
    form = NewSetForm(request.POST, request.FILES) if request.method == "POST" else NewSetForm()
    uploaded, problems = _uploaded(form)
    if uploaded is not None:
        try:
            version = private_benchmarks.add(uploaded, form.naming, by=cast(User, request.user))
        except NotAsItIs as error:
            form.add_error("slug", translated(error.user_message))
        else:
            return _stored(request, version)
    return _upload_page(request, form, problems)


@uploads
def replace_set(request: HttpRequest, slug: str) -> HttpResponse:
    known = get_object_or_404(PrivateBenchmark, slug=slug)
    form = FileForm(request.POST, request.FILES) if request.method == "POST" else FileForm()
    uploaded, problems = _uploaded(form)
    if uploaded is not None:
        try:
            version = private_benchmarks.replace(known, uploaded, by=cast(User, request.user))
        except NotAsItIs as error:
            form.add_error("file", translated(error.user_message))
        else:
            return _stored(request, version)
    return _upload_page(request, form, problems, known)


def _uploaded(form: FileForm) -> tuple[PrivateSet | None, tuple[LineProblem, ...]]:
    """A set without fault; else what is wrong with it, by line, or nothing where the form says what is."""
    if not form.is_bound or not form.is_valid():
        return None, ()
    file = form.cleaned_data["file"]
    try:
        found = read_private_set(file, size=file.size)
    except EvaluationError as error:
        form.add_error("file", translated(error.user_message))
        return None, ()
    return (None, found.problems) if found.problems else (found, ())


def _stored(request: HttpRequest, version: PrivateVersion) -> HttpResponse:
    transaction.on_commit(tasks.announce_examination)
    words = ngettext(
        "%(title)s has %(n)s item now. Its health is being examined.",
        "%(title)s has %(n)s items now. Its health is being examined.",
        version.n_items,
    )
    messages.success(request, words % {"title": version.benchmark.title, "n": version.n_items})
    return redirect("evaluation:private_set", version.benchmark.slug)


def _upload_page(
    request: HttpRequest, form: FileForm, problems: tuple[LineProblem, ...], known: PrivateBenchmark | None = None
) -> HttpResponse:
    context = {
        "form": form,
        "known": known,
        "problems": [(line, translated(reason)) for line, reason in problems[:MOST_PROBLEMS_SHOWN]],
        "n_problems": len(problems),
        "n_lines": len({problem.line for problem in problems}),
        "n_more": max(0, len(problems) - MOST_PROBLEMS_SHOWN),
    }
    return render(request, "evaluation/private_upload.html", context, status=422 if form.errors or problems else 200)


# --- what there is


@for_readers
@require_safe
def private_set(request: HttpRequest, slug: str) -> HttpResponse:
    """With `?fragment` only its health, which the page asks for until it is there."""
    known = get_object_or_404(PrivateBenchmark, slug=slug)
    version = _version(request, known)
    context: dict[str, Any] = {
        "known": known,
        "version": version,
        "health": health_page(version),
        "failure": failure_of(version),
        "keeps": keeps_sets(request.user),
        "starts_runs": manages_runs(request.user),
    }
    if "fragment" in request.GET:
        return render(request, "evaluation/_health.html", context)
    runs = Run.objects.filter(private_version__benchmark=known).select_related("llm__endpoint", "requested_by")
    context |= {
        "versions": known.versions.select_related("uploaded_by").defer("health"),
        "runs": lines_of(runs[:RUNS_SHOWN]),
        "may_delete": not runs.exists(),
    }
    return render(request, "evaluation/private_set.html", context)


@for_readers
@require_safe
def private_items(request: HttpRequest, slug: str) -> HttpResponse:
    """With `?line=17` the page on which that line stands."""
    version = _version(request, get_object_or_404(PrivateBenchmark, slug=slug))
    items, line = version.items.order_by("place"), request.GET.get("line", "")
    number: Any = request.GET.get("page")
    if _is_number(line):
        number = items.filter(line__lt=int(line)).count() // ITEMS_A_PAGE + 1
    context = {"known": version.benchmark, "version": version, "page": Paginator(items, ITEMS_A_PAGE).get_page(number)}
    return render(request, "evaluation/private_items.html", context)


@for_readers
@require_safe
def private_file(request: HttpRequest, slug: str) -> HttpResponse:
    """The items as they can be uploaded again."""
    version = _version(request, get_object_or_404(PrivateBenchmark, slug=slug))
    rows = version.items.order_by("place").values_list("row", flat=True)
    text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    name = f"{slug}-{version.number}.jsonl"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="application/jsonl; charset=utf-8", headers=headers)


def _version(request: HttpRequest, known: PrivateBenchmark) -> PrivateVersion:
    wanted = request.GET.get("version", "")
    if _is_number(wanted):
        return get_object_or_404(known.versions.select_related("benchmark"), number=int(wanted))
    return known.versions.select_related("benchmark").latest("number")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


# --- what keepers do with it


@for_keepers
@require_POST
def examine_again(request: HttpRequest, slug: str) -> HttpResponse:
    version = _version(request, get_object_or_404(PrivateBenchmark, slug=slug))
    examinations.make_due(version)
    transaction.on_commit(tasks.announce_examination)
    return redirect("evaluation:private_set", slug)


@for_keepers
def change_set(request: HttpRequest, slug: str) -> HttpResponse:
    known = get_object_or_404(PrivateBenchmark, slug=slug)
    form = DetailsForm(request.POST if request.method == "POST" else None, instance=known)
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("evaluation:private_set", slug)
    return render(
        request, "evaluation/private_change.html", {"known": known, "form": form}, status=422 if form.errors else 200
    )


@for_keepers
@require_POST
def archive_set(request: HttpRequest, slug: str) -> HttpResponse:
    known = get_object_or_404(PrivateBenchmark, slug=slug)
    if "bring_back" in request.POST:
        private_benchmarks.bring_back(known)
        messages.success(request, _("%(title)s can be run again.") % {"title": known.title})
    else:
        private_benchmarks.archive(known)
        messages.success(
            request, _("%(title)s is archived: its runs stay, new ones cannot begin.") % {"title": known.title}
        )
    return redirect("evaluation:private_set", slug)


@for_keepers
@permission_required("evaluation.delete_privatebenchmark", raise_exception=True)
def delete_set(request: HttpRequest, slug: str) -> HttpResponse:
    """Asked for once more, on a page of its own: nothing brings the items back."""
    known = get_object_or_404(PrivateBenchmark, slug=slug)
    if request.method != "POST":
        return render(
            request, "evaluation/private_delete.html", {"known": known, "version": known.versions.latest("number")}
        )
    try:
        private_benchmarks.delete(known)
    except NotAsItIs as error:
        messages.error(request, translated(error.user_message))
        return redirect("evaluation:private_set", slug)
    messages.success(request, _("%(title)s and its items are deleted.") % {"title": known.title})
    return redirect("evaluation:benchmarks")
