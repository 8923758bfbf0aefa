"""The samples of a run: all of them, one of them, and as a file."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from evaluation import instruction_pages, sample_lists, sample_pages
from evaluation.models import Run, SampleResult
from evaluation.permissions import opens_samples
from evaluation.run_views import context_of, rendered, visible_run
from evaluation.sample_lists import SampleFilter
from evaluation.sample_pages import SampleLine
from llms.page_policy import shows_model_text
from llms.translations import translated

ROWS_AT_ONCE = 200
"""Of a file: so much is in memory, however many samples there are."""


def run_with_open_samples(request: HttpRequest, run_id: int) -> Run:
    run = visible_run(request, run_id)
    if not opens_samples(request.user, run):
        raise Http404
    return run


@require_safe
@shows_model_text
def samples(request: HttpRequest, run_id: int) -> HttpResponse:
    run = run_with_open_samples(request, run_id)
    chosen = SampleFilter.of(request.GET)
    page = sample_lists.page_of(run, chosen, request.GET)
    context = context_of(request, run, "samples")
    context |= {
        "page": page,
        "lines": [SampleLine(sample, context["line"].metric) for sample in page.samples],
        "chosen": chosen,
        "verdicts": sample_lists.verdicts_of(run),
        "subjects": sample_lists.subjects_of(run),
        "has_choices": any(sample.choices for sample in page.samples),
        "has_instructions": any(instruction_pages.followed_of(sample) for sample in page.samples),
        "has_verdicts": any(sample.is_right is not None for sample in page.samples),
    }
    return rendered(request, "evaluation/samples.html", context)


@require_safe
@shows_model_text
def sample(request: HttpRequest, run_id: int, place: int) -> HttpResponse:
    run = run_with_open_samples(request, run_id)
    found = SampleResult.objects.filter(run=run, index=place - 1).select_related("prompt").first()
    if found is None:
        raise Http404
    found.run = run
    chosen, context = SampleFilter.of(request.GET), context_of(request, run, "samples")
    beside = sample_lists.neighbours(found, chosen)
    marked = "blanks" in request.GET
    context |= {
        "sample": found,
        "one": SampleLine(found, context["line"].metric),
        "chosen": chosen,
        "before_place": None if beside.before is None else beside.before + 1,
        "after_place": None if beside.after is None else beside.after + 1,
        "list_after": found.index - 1,
        "choices": sample_pages.choices(found),
        "instructions": instruction_pages.instructions(found),
        "prompts": sample_pages.prompts(found, marked=marked),
        "marked": marked,
        "sample_error": sample_pages.error_of(found),
        "others": sample_pages.elsewhere(found, _others(request, run)),
    }
    return rendered(request, "evaluation/sample.html", context)


def _others(request: HttpRequest, run: Run) -> list[Run]:
    runs = Run.objects.visible_to(request.user).filter(benchmark=run.benchmark, data=run.data, n_done__gt=0)
    return list(runs.exclude(pk=run.pk).select_related("llm")[: sample_pages.OTHER_RUNS])


@require_safe
async def samples_file(request: HttpRequest, run_id: int) -> HttpResponseBase:
    run = await sync_to_async(_run_of_file)(request, run_id)
    response = StreamingHttpResponse(_lines(run), content_type="application/x-ndjson")
    response["Content-Disposition"] = f'attachment; filename="hakem-run-{run.pk}-samples.jsonl"'
    response["X-Accel-Buffering"] = "no"
    patch_vary_headers(response, ["Cookie"])
    return response


def _run_of_file(request: HttpRequest, run_id: int) -> Run:
    return run_with_open_samples(request, run_id)


async def _lines(run: Run) -> AsyncIterator[bytes]:
    last = -1
    while True:
        batch = await sync_to_async(_batch)(run, last)
        if not batch:
            return
        last = batch[-1].index
        yield b"".join(orjson.dumps(_as_json(row)) + b"\n" for row in batch)


def _batch(run: Run, last: int) -> list[SampleResult]:
    rows = SampleResult.objects.filter(run=run, index__gt=last).select_related("prompt").order_by("index")
    return list(rows[:ROWS_AT_ONCE])


def _as_json(row: SampleResult) -> dict[str, Any]:
    return {
        "sample_id": row.sample_id,
        "index": row.index,
        "subject": row.subject,
        "question": row.question,
        "prompts": row.prompt.texts,
        "choices": row.choices,
        "answer": row.answer,
        "target": row.target,
        "predictions": row.predictions,
        "values": row.values,
        "is_right": row.is_right,
        "was_truncated": row.was_truncated,
        "error": translated(row.error),
    }
