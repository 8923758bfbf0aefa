"""What a run's page shows: the result with how sure it is, the tables behind it, how it was made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from evaluation import environments, wording
from evaluation.aggregation import Scope
from evaluation.benchmarks.base import Benchmark
from evaluation.models import Run, RunMetric
from evaluation.protocols import NO_DRAW, in_words
from evaluation.records import storable_number_or_none
from evaluation.run_lines import RunLine
from llms.device_checks import LARGEST
from llms.translations import translated

SORTS: Final = ("subject", "group", "value", "n")


class Interval(NamedTuple):
    """In percent of the scale's width, which is that of all shares."""

    low: float
    point: float
    high: float
    words: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric as it is told and drawn."""

    n: int
    value: float
    words: str
    error: str
    """Its standard error; empty where too little is known to say."""
    interval: Interval | None
    part: str = ""
    group: str = ""

    @property
    def label(self) -> str:
        return self.part.replace("_", " ")


class Means(NamedTuple):
    """A row of the table of means: the same questions, counted alike or by subject."""

    label: str
    micro: Figure | None
    macro: Figure | None


@dataclass(frozen=True, slots=True)
class Tables:
    names: Sequence[str]
    """The metrics there are."""
    chosen: str
    means: Sequence[Means]
    subjects: Sequence[Figure]
    as_share: bool
    reference: float | None
    """The mean over all questions, in percent of the scale."""


class Headline(NamedTuple):
    figure: Figure
    sentence: str
    """How sure it is, in words."""


def headline(line: RunLine) -> Headline | None:
    """Of the samples so far, while it goes on."""
    run, as_share = line.run, wording.measures_share(line.benchmark)
    if run.value is None:
        return None
    found = figure(run, n=max(0, run.n_done - run.n_errors), as_share=as_share)
    if line.has_progress:
        return Headline(replace(found, error="", interval=None), _of_which_rows(run))
    return Headline(found, _how_sure(line, found, as_share=as_share))


def _of_which_rows(run: Run) -> str:
    """No interval: it would hold for rows drawn at random."""
    words = _(
        "Of %(done)s of %(total)s rows, and these are no random ones: models that are loaded here score the longest"
        " rows first. How sure this is can be said once all rows are scored."
    )
    done, total = (number_format(n, 0, force_grouping=True) for n in (run.n_done, run.n_samples))
    return words % {"done": done, "total": total}


def _how_sure(line: RunLine, found: Figure, *, as_share: bool) -> str:
    run = line.run
    sentences = []
    if run.lower is not None and run.upper is not None:
        words = _(
            "If as many such questions were drawn anew, it would mostly lie between %(lower)s and %(upper)s"
            " (95%% interval)."
        )
        bounds = {name: wording.amount(end, as_share=as_share) for name, end in _ends(run).items()}
        sentences.append(words % bounds)
    if found.error:
        words = _("The standard error is %(error)s points.") if as_share else _("The standard error is %(error)s.")
        if as_share and _is_pooled(line):
            words = _(
                "The standard error inside subjects, as lm-evaluation-harness pools it, is %(error)s points;"
                " the interval takes all questions as one draw."
            )
        sentences.append(words % {"error": found.error})
    return " ".join(sentences) or _("Of so few samples there is no telling how sure this is.")


def _is_pooled(line: RunLine) -> bool:
    """Whether the standard error is that of several subjects (`evaluation.aggregation.micro`)."""
    if line.run.has_ended:
        return line.run.metrics.filter(scope=Scope.SUBJECT, name=line.metric).count() > 1
    return line.benchmark is not None and line.benchmark.subjects is not None


def _ends(run: Run) -> dict[str, float]:
    return {"lower": run.lower or 0.0, "upper": run.upper or 0.0}


def figure(row: Run | RunMetric, *, n: int, as_share: bool, part: str = "", group: str = "") -> Figure:
    value = row.value or 0.0
    error = "" if row.standard_error is None else wording.points(row.standard_error, as_share=as_share)
    return Figure(n, value, wording.amount(value, as_share=as_share), error, _interval(row, as_share), part, group)


def _interval(row: Run | RunMetric, as_share: bool) -> Interval | None:
    if not as_share or row.value is None or row.lower is None or row.upper is None:
        return None
    words = _("%(value)s, 95%% interval from %(lower)s to %(upper)s") % {
        "value": wording.percent(row.value),
        "lower": wording.percent(row.lower),
        "upper": wording.percent(row.upper),
    }
    low, point, high = (round(100 * share, 2) for share in (row.lower, row.value, row.upper))
    return Interval(low, point, high, words)


def tables(line: RunLine, *, metric: str = "", sort: str = "") -> Tables | None:
    """None before it has ended."""
    run = line.run
    rows = list(run.metrics.all())
    names = list(dict.fromkeys(row.name for row in rows))
    if not names:
        return None
    chosen = metric if metric in names else next((row.name for row in rows if row.is_headline), names[0])
    as_share = wording.is_share(chosen)
    own = [row for row in rows if row.name == chosen]
    whole = next((row for row in own if row.scope == Scope.ALL), None)
    reference = round(100 * whole.value, 2) if whole and as_share else None
    subjects = _sorted(_subjects(line.benchmark, own, as_share), sort)
    return Tables(names, chosen, _means(own, as_share), subjects, as_share, reference)


def _means(rows: Sequence[RunMetric], as_share: bool) -> list[Means]:
    by_scope = {(row.scope, row.part): figure(row, n=row.n, as_share=as_share) for row in rows}
    found = [Means(_("all questions"), by_scope.get((Scope.ALL, "")), by_scope.get((Scope.SUBJECTS, "")))]
    for row in rows:
        if row.scope == Scope.GROUP:
            macro = by_scope.get((Scope.GROUP_SUBJECTS, row.part))
            found.append(Means(wording.group(row.part), by_scope[Scope.GROUP, row.part], macro))
    return found


def _subjects(found: Benchmark | None, rows: Iterable[RunMetric], as_share: bool) -> list[Figure]:
    groups: Mapping[str, str] = found.subjects.group_of if found and found.subjects else {}
    return [
        figure(row, n=row.n, as_share=as_share, part=row.part, group=wording.group(groups.get(row.part, "")))
        for row in rows
        if row.scope == Scope.SUBJECT
    ]


def _sorted(subjects: list[Figure], sort: str) -> list[Figure]:
    name, descends = sort.removeprefix("-"), sort.startswith("-")
    keys = {
        "subject": lambda one: one.label,
        "group": lambda one: (one.group, one.label),
        "value": lambda one: one.value,
        "n": lambda one: one.n,
    }
    return sorted(subjects, key=keys.get(name, keys["subject"]), reverse=descends)


# --- how it was made


class Fact(NamedTuple):
    name: str
    value: str


def protocol_facts(line: RunLine) -> list[Fact]:
    """What decides which other scores it may be compared with."""
    run, stored = line.run, line.run.protocol
    has_shots = bool(stored.get("n_shots"))
    template = _("on") if stored.get("template") == "chat" else _("off")
    facts = [
        (_("Fingerprint"), run.fingerprint),
        (_("Benchmark"), _named_version(line)),
        (_("Rows"), _rows_in_words(run)),
        (_("Examples in the prompt"), number_format(stored.get("n_shots") or 0)),
        (_("Examples chosen by"), _value_in_words(stored, "draw") if has_shots else ""),
        (_("Seed"), str(stored.get("seed") or "")),
        (_("Chat template"), template),
        (_("Variant"), str(stored.get("variant") or "")),
        (_("Prompt"), _value_in_words(stored, "prompt_form")),
        (_("Normalisation"), _value_in_words(stored, "normalisation")),
        (_("Scored by"), _value_in_words(stored, "method")),
        (_("May be ranked"), _ranked_in_words(run)),
    ]
    return [Fact(name, value) for name, value in facts if value]


def _value_in_words(stored: Mapping[str, Any], field: str) -> str:
    """Empty where there is none."""
    value = str(stored.get(field) or "")
    return "" if value in ("", NO_DRAW) else translated(in_words(field, value))


def environment_facts(run: Run, *, inside: bool) -> list[Fact]:
    """What computed it. Folders and servers are named only to those who may know them."""
    stored = run.environment
    versions = ", ".join(f"{name} {version}" for name, version in (stored.get("versions") or {}).items())
    facts = [
        (_("Engine"), str(stored.get("engine") or "")),
        (_("Scheme"), translated(environments.said(run, "scheme"))),
        (_("Proof before the run"), translated(environments.said(run, "evidence"))),
        (_("Number format"), str(stored.get("dtype") or "")),
        (_("Device"), _device(stored)),
        (_("Self-check of this device"), _self_check(stored.get("self_check") or {})),
        (_("Tokens seen at once"), number_format(stored["max_length"]) if stored.get("max_length") else ""),
        (_("Identity of the weights"), str(stored.get("weights_identity") or "")),
        (_("Libraries"), versions),
    ]
    if inside:
        options = ", ".join(f"{name} = {value}" for name, value in (stored.get("options") or {}).items())
        facts += [(_("Options of the model"), options), (_("Rows from"), run.origin)]
    return [Fact(name, value) for name, value in facts if value]


def _device(stored: dict[str, Any]) -> str:
    device, hardware = str(stored.get("device") or ""), str(stored.get("hardware") or "")
    return f"{device} ({hardware})" if device and hardware else device


def _self_check(found: dict[str, Any]) -> str:
    """Whether the fast way to compute scores gave what plain rows give."""
    if not found:
        return ""
    words = _("passed: off by %(nats)s nats at most, %(n_flipped)s of %(n)s answers flipped")
    if not found["has_passed"]:
        words = _("failed: off by up to %(nats)s nats, %(n_flipped)s of %(n)s answers flipped; plain rows are computed")
    difference = found["largest_difference"]
    return words % {"nats": "∞" if difference >= LARGEST else wording.significant(difference), **found}


def fallback(run: Run) -> str:
    """Why the fast way of scoring was not, or not always, taken; empty where it was."""
    return environments.said(run, "reason")


def _named_version(line: RunLine) -> str:
    version = line.run.protocol.get("version")
    return f"{line.title} v{version}" if version else line.title


def _ranked_in_words(run: Run) -> str:
    if run.is_rankable:
        return _("yes")
    return _("no: not every sample has a score") if run.may_be_ranked else _("no: not all published rows")


def _rows_in_words(run: Run) -> str:
    n = number_format(run.protocol.get("n_rows") or run.n_samples, force_grouping=True)
    if run.data == Run.Data.SAMPLE:
        return _("built-in sample of %(n)s rows") % {"n": n}
    if run.data == Run.Data.PRIVATE:
        return _("%(n)s private rows") % {"n": n}
    return (_("all %(n)s rows") if run.protocol.get("is_whole") else _("only %(n)s rows")) % {"n": n}


def configuration(line: RunLine, *, inside: bool) -> dict[str, Any]:
    """All of it, for a file: enough to ask the same again."""
    run = line.run
    hidden = () if inside else environments.FOR_INSIDERS
    environment = {name: value for name, value in run.environment.items() if name not in hidden}
    found = {
        "run": run.pk,
        "model": run.llm.slug,
        "benchmark": run.benchmark,
        "data": run.data,
        "limit": run.limit,
        "options": run.options,
        "fingerprint": run.fingerprint,
        "protocol": run.protocol,
        "summary": str(run.summary),
        "status": run.status,
        "may_be_ranked": run.is_rankable,
        "n_samples": run.n_samples,
        "n_done": run.n_done,
        "n_errors": run.n_errors,
        "n_truncated": run.n_truncated,
        "n_cached": run.n_cached,
        "metric": line.metric,
        **{name: storable_number_or_none(getattr(run, name)) for name in ("value", "standard_error", "lower", "upper")},
        "seconds": run.seconds,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "environment": environment,
    }
    return found | {"origin": run.origin} if inside else found
