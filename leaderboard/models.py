"""The published tables. For now the live board: overall, overwritten seconds after a vote or the end of a run."""

from django.contrib.auth.models import AnonymousUser, User
from django.db import models

from evaluation.models import Run
from llms.models import LanguageModel, Visibility, sees_internal
from llms.sentence_field import SentenceField
from stats.connectivity import ItemStatus


class BoardQuerySet(models.QuerySet["LiveBoard"]):
    def for_reader(self, user: User | AnonymousUser) -> "LiveBoard | None":
        audience = Visibility.INTERNAL if sees_internal(user) else Visibility.PUBLIC
        return self.filter(audience=audience).first()


class LiveBoard(models.Model):
    """One for each audience. The public one counts votes between public models only."""

    audience = models.CharField(max_length=16, choices=Visibility, unique=True)
    mark = models.CharField(max_length=120, blank=True)
    """How far the ledger was when this was computed. A tick computes again when the ledger has another."""
    computed_at = models.DateTimeField(null=True)
    n_votes = models.PositiveBigIntegerField(default=0)
    n_left_out = models.JSONField(default=dict)
    """Of votes between the models of this audience: how many do not count, by the reason's code."""
    converged = models.BooleanField(default=True)
    runs_mark = models.CharField(max_length=120, blank=True)
    """As `mark`, of the runs of benchmarks."""

    objects = BoardQuerySet.as_manager()

    def __str__(self) -> str:
        return f"live board, {self.audience}"


class LiveRating(models.Model):
    """A model's line on a board. Without a rating, `status` says why."""

    board = models.ForeignKey(LiveBoard, models.CASCADE, related_name="ratings")
    llm = models.ForeignKey(LanguageModel, models.CASCADE, related_name="+")
    status = models.CharField(max_length=20, choices=[(status.value, status.value) for status in ItemStatus])
    rating = models.FloatField(null=True)
    lower = models.FloatField(null=True)
    upper = models.FloatField(null=True)
    rank_lower = models.PositiveIntegerField(null=True)
    rank_upper = models.PositiveIntegerField(null=True)
    n_votes = models.PositiveBigIntegerField()
    points = models.FloatField()
    """Wins, and half of the ties and both-bads."""
    preliminary = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(name="live_rating_once", fields=["board", "llm"])]

    def __str__(self) -> str:
        return f"{self.llm_id} on {self.board_id}"


class BenchmarkColumn(models.Model):
    """Scores of one metric under one protocol. Other protocols are other columns."""

    board = models.ForeignKey(LiveBoard, models.CASCADE, related_name="columns")
    fingerprint = models.CharField(max_length=16)
    metric = models.CharField(max_length=40)
    benchmark = models.CharField(max_length=80)
    title = models.CharField(max_length=120)
    n_shots = models.PositiveIntegerField()
    summary = SentenceField()
    """The protocol in one line."""
    is_share = models.BooleanField()
    """A share of right answers: shown in percent, more is better. Otherwise less is."""
    n_llms = models.PositiveIntegerField()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(name="column_once", fields=["board", "fingerprint", "metric"])]

    def __str__(self) -> str:
        return f"{self.benchmark} {self.fingerprint}/{self.metric}"


class BenchmarkScore(models.Model):
    """A language model's newest run under the column's protocol."""

    column = models.ForeignKey(BenchmarkColumn, models.CASCADE, related_name="scores")
    llm = models.ForeignKey(LanguageModel, models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, models.CASCADE, related_name="+")
    value = models.FloatField()
    lower = models.FloatField(null=True)
    upper = models.FloatField(null=True)
    n = models.PositiveIntegerField()
    """Samples that it is made of."""
    was_imported = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(name="score_once", fields=["column", "llm"])]

    def __str__(self) -> str:
        return f"{self.llm_id} in {self.column_id}"
