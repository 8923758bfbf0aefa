"""Runs of benchmarks: what was asked for, how far it is, what each sample gave, and what is remembered across runs."""

import json
import zlib
from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from evaluation.benchmarks.registry import PRIVATE_PREFIX, benchmark_choices
from llms.models import LanguageModel, Visibility, sees_internal
from llms.sentence_field import SentenceField

DIGEST_LENGTH = 32


class RunQuerySet(models.QuerySet["Run"]):
    def visible_to(self, user: User | AnonymousUser) -> "RunQuerySet":
        """Outsiders know neither of internal models nor of private benchmarks, whose title, subjects and scores alone
        would tell them what is asked."""
        if sees_internal(user):
            return self
        return self.filter(llm__visibility=Visibility.PUBLIC).exclude(data=Run.Data.PRIVATE)

    def waiting(self) -> "RunQuerySet":
        """The most urgent first; of equals, who came first."""
        return self.filter(status=Run.Status.QUEUED, wanted=Run.Wanted.RUN).order_by("-priority", "pk")

    def rankable(self) -> "RunQuerySet":
        """As `Run.is_rankable`."""
        return self.filter(may_be_ranked=True, n_errors=0)

    def in_queue(self, queue: str) -> "RunQuerySet":
        """Weights are computed with one at a time; servers are asked beside."""
        return self.filter(llm__endpoint__isnull=queue != Run.JUDGE_QUEUE)


class Run(models.Model):
    """One language model on one benchmark. Whoever scores it holds `epoch` and keeps `heartbeat_at` fresh: a row with
    another epoch or status is no longer theirs."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")
        IMPORTED = "imported", _("imported")

    class Wanted(models.TextChoices):
        """What people ask of it; obeyed by whoever scores it."""

        RUN = "run", _("run")
        PAUSE = "pause", _("pause")
        CANCEL = "cancel", _("cancel")

    class Data(models.TextChoices):
        """As `evaluation.datasets.DataKind`, which would bring Arrow into every process."""

        PUBLISHED = "published", _("published rows")
        SAMPLE = "sample", _("built-in sample: never ranked")
        PRIVATE = "private", _("private rows")

    GPU_QUEUE: ClassVar[str] = "gpu"
    JUDGE_QUEUE: ClassVar[str] = "judge"
    RESUMABLE: ClassVar[tuple[str, ...]] = (Status.PAUSED, Status.FAILED, Status.CANCELLED)
    ENDED: ClassVar[tuple[str, ...]] = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.IMPORTED)

    llm = models.ForeignKey(LanguageModel, models.PROTECT, related_name="runs", verbose_name=_("language model"))
    benchmark = models.CharField(_("benchmark"), max_length=80, choices=benchmark_choices)
    data = models.CharField(_("rows"), max_length=10, choices=Data, default=Data.PUBLISHED)
    private_version = models.ForeignKey("PrivateVersion", models.PROTECT, null=True, blank=True, related_name="runs")
    """Whose rows it asks: a later upload changes nothing for it, and rows that were asked cannot be deleted."""
    origin = models.CharField(max_length=500, blank=True)
    """Where the rows came from: a folder, or a repository with its revision."""
    options = models.JSONField(default=dict)
    """n_shots, draw, seed, template, variant."""
    limit = models.PositiveIntegerField(_("limit"), null=True, blank=True)
    """The first rows only, of each subject where there are subjects."""
    fingerprint = models.CharField(max_length=16, db_index=True)
    protocol = models.JSONField(default=dict)
    """All fields of `evaluation.protocols.Protocol`."""
    summary = SentenceField(blank=True)
    """The protocol in one line."""
    may_be_ranked = models.BooleanField(default=False)
    """Whether its protocol scores all published rows."""

    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.QUEUED)
    wanted = models.CharField(max_length=6, choices=Wanted, default=Wanted.RUN)
    priority = models.SmallIntegerField(_("priority"), default=0, help_text=_("The higher, the sooner."))
    requested_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    epoch = models.PositiveIntegerField(default=0)
    """Raised whenever it changes hands: a holder of an older one writes nothing any more."""
    heartbeat_at = models.DateTimeField(null=True)
    hinted_at = models.DateTimeField(null=True)
    """When a worker was told last that it waits."""
    n_losses = models.PositiveSmallIntegerField(default=0)
    """How often in a row its worker vanished without having stored a sample."""

    source_digest = models.CharField(max_length=64, blank=True)
    """Of the files of another tool that it was imported from."""

    n_samples = models.PositiveIntegerField(default=0)
    n_done = models.PositiveIntegerField(default=0)
    n_cached = models.PositiveIntegerField(default=0)
    """Requests that needed no computation, because the same weights had answered them before."""
    n_characters = models.PositiveBigIntegerField(default=0)
    """Of all prompts and choices: what its cost is estimated by."""
    n_characters_done = models.PositiveBigIntegerField(default=0)
    """Engines take the longest samples first: their number alone makes what is left look longer than it is."""
    value = models.FloatField(null=True)
    """The headline metric, of the samples so far."""
    standard_error = models.FloatField(null=True)
    lower = models.FloatField(null=True)
    upper = models.FloatField(null=True)
    n_errors = models.PositiveIntegerField(default=0)
    n_truncated = models.PositiveIntegerField(default=0)

    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    seconds = models.FloatField(default=0.0)
    """In which it was scored, pauses left out."""
    error = SentenceField(blank=True)
    """Why it failed, and what to do."""
    environment = models.JSONField(default=dict)
    """What computed it: engine, scheme, dtype, device, versions, weights_identity."""

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-pk"]
        indexes = [
            models.Index(name="run_by_status", fields=["status", "-priority", "id"]),
            models.Index(name="run_of_a_model", fields=["llm", "benchmark"]),
        ]
        constraints = [
            models.UniqueConstraint(
                name="a_file_imported_once", fields=["llm", "source_digest"], condition=~models.Q(source_digest="")
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}: {self.benchmark} on {self.llm}"

    @property
    def queue(self) -> str:
        return self.GPU_QUEUE if self.llm.endpoint_id is None else self.JUDGE_QUEUE

    @property
    def has_ended(self) -> bool:
        return self.status in self.ENDED

    @property
    def seconds_left(self) -> float | None:
        """None before it is known how fast it goes."""
        if not self.seconds or not self.n_done:
            return None
        if 0 < self.n_characters_done <= self.n_characters:
            return self.seconds * (self.n_characters / self.n_characters_done - 1)
        return self.seconds * (self.n_samples / self.n_done - 1)

    @property
    def is_rankable(self) -> bool:
        """What it could not score might be what is hard: without those samples it is a score of other rows."""
        return self.may_be_ranked and not self.n_errors


class RunMetricQuerySet(models.QuerySet["RunMetric"]):
    def headlines_of(self, runs: Iterable[Run]) -> dict[int, str]:
        """Their names, by run; one that has not ended has none yet."""
        rows = self.filter(run__in=[run.pk for run in runs], is_headline=True)
        return dict(rows.values_list("run_id", "name"))


class RunMetric(models.Model):
    """A metric of a whole run; there once it has ended."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="metrics")
    name = models.CharField(max_length=40)
    scope = models.CharField(max_length=16, default="all")
    """As `evaluation.aggregation.Scope`."""
    part = models.CharField(max_length=120, blank=True)
    """The subject or group."""
    value = models.FloatField()
    standard_error = models.FloatField(null=True)
    lower = models.FloatField(null=True)
    upper = models.FloatField(null=True)
    n = models.PositiveIntegerField()
    is_headline = models.BooleanField(default=False)

    objects = RunMetricQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(name="one_metric_of_a_kind", fields=["run", "name", "scope", "part"]),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.part}".strip()


class PromptText(models.Model):
    """What was sent for a sample: equal prompts of several runs are stored once."""

    digest = models.CharField(max_length=DIGEST_LENGTH, primary_key=True)
    compressed = models.BinaryField()

    def __str__(self) -> str:
        return self.digest

    @property
    def texts(self) -> tuple[str, ...]:
        """One for all choices, or one for each."""
        return tuple(json.loads(zlib.decompress(self.compressed)))


class SampleResult(models.Model):
    run = models.ForeignKey(Run, models.CASCADE, related_name="samples")
    sample_id = models.CharField(max_length=200)
    index = models.PositiveIntegerField()
    """Its place among the run's samples."""
    subject = models.CharField(max_length=120, blank=True)
    question = models.TextField(blank=True)
    """Its beginning, without examples and description: to be listed and searched."""
    prompt = models.ForeignKey(PromptText, models.PROTECT, related_name="+")
    choices = models.JSONField(default=list)
    """Of each: text, log_probability, is_greedy, n_tokens."""
    answer = models.TextField(blank=True)
    target = models.JSONField(default=None, null=True)
    """The place of the right choice, or the texts that count as right."""
    predictions = models.JSONField(default=dict)
    """By metric: the place of the choice that it takes."""
    values = models.JSONField(default=dict)
    """By metric 1 for right and 0 for wrong; of a text its log-probability and sizes. `records.number` reads them."""
    is_right = models.BooleanField(null=True)
    """By the headline metric; None where there is no right or wrong."""
    was_truncated = models.BooleanField(default=False)
    error = SentenceField(blank=True)

    class Meta:
        verbose_name = _("sample")
        verbose_name_plural = _("samples")
        ordering = ["run", "index"]
        constraints = [models.UniqueConstraint(name="a_sample_once_a_run", fields=["run", "sample_id"])]
        indexes = [
            models.Index(name="sample_in_order", fields=["run", "index"]),
            models.Index(name="sample_by_verdict", fields=["run", "is_right", "index"]),
        ]

    def __str__(self) -> str:
        return f"sample {self.sample_id} of run {self.run_id}"


class Remembered(models.Model):
    """Something computed once. Of weights that nothing pins it belongs to one run and goes with it."""

    key = models.BinaryField(max_length=32, primary_key=True)
    run = models.ForeignKey(Run, models.CASCADE, null=True, related_name="+")

    class Meta:
        abstract = True


class CachedScore(Remembered):
    """What some weights gave for a continuation after a context."""

    log_probability = models.FloatField()
    is_greedy = models.BooleanField()
    n_tokens = models.PositiveIntegerField()
    was_truncated = models.BooleanField()

    def __str__(self) -> str:
        return bytes(self.key).hex()


class CachedStatistics(Remembered):
    """What some weights gave for the tokens of a text."""

    compressed = models.BinaryField()

    def __str__(self) -> str:
        return bytes(self.key).hex()


class RunLog(models.Model):
    """What happened to a run, line by line, for whoever opens its page."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="log")
    at = models.DateTimeField(db_default=Now())
    words = SentenceField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.words)


# --- private benchmarks: questions of this server's own, never shown to the public item by item


class PrivateBenchmark(models.Model):
    """What stays the same from upload to upload; runs call it `name`."""

    class Capability(models.TextChoices):
        """As `evaluation.benchmarks.base.Capability`, with words for people."""

        KNOWLEDGE = "knowledge", _("knowledge")
        REASONING = "reasoning", _("reasoning")
        INSTRUCTION = "instruction", _("following instructions")
        CONVERSATION = "conversation", _("conversation")
        AGENTIC = "agentic", _("using tools")

    class Form(models.TextChoices):
        """As `evaluation.private_sets.Form`."""

        MULTIPLE_CHOICE = "multiple_choice", _("multiple choice")
        EXACT_MATCH = "exact_match", _("exact match")

    slug = models.SlugField(_("short name"), max_length=60, unique=True)
    title = models.CharField(_("title"), max_length=100)
    capability = models.CharField(_("measures"), max_length=20, choices=Capability, default=Capability.KNOWLEDGE)
    form = models.CharField(_("form"), max_length=20, choices=Form)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    archived_at = models.DateTimeField(null=True, blank=True)
    """Since then no new run may begin; those that there are stay."""

    class Meta:
        verbose_name = _("private benchmark")
        verbose_name_plural = _("private benchmarks")
        ordering = ["title", "pk"]

    def __str__(self) -> str:
        return self.title

    @property
    def name(self) -> str:
        return f"{PRIVATE_PREFIX}{self.slug}"


class PrivateVersion(models.Model):
    """One upload. Its items never change."""

    benchmark = models.ForeignKey(PrivateBenchmark, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    n_items = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    """Of the canonical rows, as protocols have it."""
    uploaded_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    uploaded_at = models.DateTimeField(db_default=Now())
    health = models.JSONField(null=True)
    """As `evaluation.health_records` writes it; None until it was examined."""
    n_runs_examined = models.PositiveIntegerField(null=True)
    """How many runs' answers the health is made of; None makes it due anew."""
    examining_since = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(name="a_version_once", fields=["benchmark", "number"])]

    def __str__(self) -> str:
        return f"{self.benchmark}, {self.number}"


class PrivateItem(models.Model):
    version = models.ForeignKey(PrivateVersion, models.CASCADE, related_name="items")
    place = models.PositiveIntegerField()
    """Among the items, from 0."""
    line = models.PositiveIntegerField()
    """Of the file, from 1."""
    row = models.JSONField()

    class Meta:
        ordering = ["place"]
        constraints = [models.UniqueConstraint(name="an_item_once", fields=["version", "place"])]

    def __str__(self) -> str:
        return f"line {self.line}"

    @property
    def choices_shown(self) -> list[dict[str, Any]]:
        right = ord(self.row["answer"]) - ord("A")
        return [{"text": text, "is_right": place == right} for place, text in enumerate(self.row["choices"])]

    @property
    def answers_shown(self) -> str:
        answer = self.row["answer"]
        return answer if isinstance(answer, str) else " / ".join(answer)
