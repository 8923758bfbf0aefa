"""The published tables. For now the live board: overall, from the counts, overwritten seconds after a vote."""

from django.contrib.auth.models import AnonymousUser, User
from django.db import models

from llms.models import LanguageModel, Visibility, sees_internal
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
    converged = models.BooleanField(default=True)

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
