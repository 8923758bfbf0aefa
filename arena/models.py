"""Blind battles: what was asked, what was answered, what was preferred, and the counts that ratings are made of."""

import uuid
from datetime import timedelta

from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from arena.protocol import AnswerState
from llms.models import LanguageModel, Visibility, sees_internal

LIVE_STATES = (AnswerState.WAITING, AnswerState.STREAMING)
SIDE_CHOICES = [("a", "A"), ("b", "B")]


class Outcome(models.TextChoices):
    A = "a", _("A is better")
    B = "b", _("B is better")
    TIE = "tie", _("Tie")
    BOTH_BAD = "both_bad", _("Both are bad")


class Voter(models.Model):
    """Somebody who votes. Known by the keyed digest of a random id in a cookie; no address is kept."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="voters")
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"voter {self.digest[:8]}"


class BattleQuerySet(models.QuerySet["Battle"]):
    def with_everything(self) -> "BattleQuerySet":
        """What a battle's page needs, in a fixed number of queries: its story, and each turn's attempts."""
        answers = Answer.objects.select_related("llm__endpoint").order_by("attempt")
        attempts = models.Prefetch("answers", answers, to_attr="attempts")
        turns = Turn.objects.order_by("index").prefetch_related(attempts)  # type: ignore[no-redef]
        story = models.Prefetch("turns", turns, to_attr="story")
        battles = self.select_related("llm_a__endpoint", "llm_b__endpoint", "voter", "vote")
        return battles.prefetch_related(story)  # type: ignore[no-redef]

    def open_to(self, voter: Voter | None, user: User | AnonymousUser) -> "BattleQuerySet":
        """Before the vote a battle is its voter's alone; after it, everybody's. Always of people who may see both
        models: somebody who lost a role loses the battles that it opened."""
        allowed = models.Q(vote__isnull=False)
        if voter:
            allowed |= models.Q(voter=voter)
        if not sees_internal(user):
            allowed &= models.Q(llm_a__visibility=Visibility.PUBLIC, llm_b__visibility=Visibility.PUBLIC)
        return self.filter(allowed)


class Battle(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    voter = models.ForeignKey(Voter, models.PROTECT, related_name="battles")
    key = models.UUIDField(editable=False)
    """The browser's own name for its wish to begin: asking twice begins one battle."""
    llm_a = models.ForeignKey(LanguageModel, models.PROTECT, related_name="+")
    llm_b = models.ForeignKey(LanguageModel, models.PROTECT, related_name="+")
    probability = models.FloatField(null=True)
    """With which this pair was drawn, whatever the sides. None once a model was replaced: the pair that remains was
    then not drawn with any known probability."""
    rematch_of = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="rematches")
    created_at = models.DateTimeField(db_default=Now(), db_index=True)
    abstained_at = models.DateTimeField(null=True)

    is_new = False
    """Only on the object that made the row: whoever began a battle runs its first turn, and nobody else does."""
    story: list["Turn"]
    """Its turns in order. Only on an object that was read with everything, or has just begun."""

    objects = BattleQuerySet.as_manager()

    class Meta:
        verbose_name = _("battle")
        verbose_name_plural = _("battles")
        constraints = [
            models.CheckConstraint(name="battle_between_two_models", condition=~models.Q(llm_a=models.F("llm_b"))),
            models.CheckConstraint(
                name="battle_probability_in_range",
                condition=models.Q(probability__isnull=True) | models.Q(probability__gt=0, probability__lte=1),
            ),
            models.UniqueConstraint(name="battle_begun_once", fields=["voter", "key"]),
        ]

    def __str__(self) -> str:
        return f"battle {self.id}"


class TurnQuerySet(models.QuerySet["Turn"]):
    def running(self) -> "TurnQuerySet":
        return self.filter(ended_at=None)

    def abandoned(self, silent_for: timedelta) -> "TurnQuerySet":
        """Running in name only: the process that wrote them has not been heard of for so long."""
        return self.running().filter(heartbeat_at__lt=Now() - silent_for)


class Turn(models.Model):
    battle = models.ForeignKey(Battle, models.CASCADE, related_name="turns")
    index = models.PositiveSmallIntegerField()
    key = models.UUIDField(editable=False)
    prompt = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now())
    stop_requested = models.BooleanField(default=False)
    """Set by whichever process hears the voter; obeyed by the one that runs the turn."""
    ended_at = models.DateTimeField(null=True)

    is_new = False
    """Only on the object that made the row, or new attempts in it: whoever made them runs them, and nobody else."""
    attempts: list["Answer"]
    """Of both sides, in order. Only on a turn of a battle's story."""

    objects = TurnQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="turn_index_once", fields=["battle", "index"]),
            models.UniqueConstraint(name="turn_taken_once", fields=["battle", "key"]),
        ]
        indexes = [
            models.Index(name="turn_running", fields=["heartbeat_at"], condition=models.Q(ended_at=None)),
        ]

    def __str__(self) -> str:
        return f"turn {self.index} of {self.battle_id}"


class Answer(models.Model):
    """One attempt of one side at one turn. Attempts are never overwritten: the last one is the answer."""

    turn = models.ForeignKey(Turn, models.CASCADE, related_name="answers")
    side = models.CharField(max_length=1, choices=SIDE_CHOICES)
    attempt = models.PositiveSmallIntegerField(default=1)
    llm = models.ForeignKey(LanguageModel, models.PROTECT, related_name="answers")
    state = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in AnswerState], default=AnswerState.WAITING
    )
    text = models.TextField(blank=True)
    """As the model wrote it."""
    reasoning = models.TextField(blank=True)
    """What it thought before it answered, where its server keeps that apart. Told to nobody before the vote."""
    shown_text = models.TextField(blank=True)
    """As far as it was released to the voter, names masked."""
    finish_reason = models.CharField(max_length=16, blank=True)
    error_code = models.CharField(max_length=32, blank=True)
    error_detail = models.TextField(blank=True)
    """For administrators; may name hosts and files."""
    prompt_tokens = models.PositiveIntegerField(null=True)
    completion_tokens = models.PositiveIntegerField(null=True)
    style = models.JSONField(null=True)
    """`stats.text_features` of the text, written when it ends well."""
    created_at = models.DateTimeField(db_default=Now())
    first_token_at = models.DateTimeField(null=True)
    seconds = models.FloatField(null=True)
    """From the question to the last token, as the model took them: without loading, and without the pacing."""
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="answer_attempt_once", fields=["turn", "side", "attempt"]),
        ]

    def __str__(self) -> str:
        return f"answer {self.side}{self.attempt} of {self.turn_id}"

    @property
    def judged_text(self) -> str:
        """What the voter judges it by. Of an answer that was stopped, that is no more than they saw of it."""
        return self.shown_text if self.state == AnswerState.STOPPED else self.text

    @property
    def ended_well(self) -> bool:
        """Whether it can be judged. Stopped before its first word, there is nothing to judge."""
        return self.state == AnswerState.COMPLETE or (self.state == AnswerState.STOPPED and bool(self.shown_text))


class VoteQuerySet(models.QuerySet["Vote"]):
    def countable(self) -> "VoteQuerySet":
        return self.exclude(pk__in=VoteExclusion.objects.in_force().filter(vote__isnull=False).values("vote"))


class Vote(models.Model):
    """Final, and never deleted. One for each battle, by the database's own word."""

    battle = models.OneToOneField(Battle, models.PROTECT, related_name="vote")
    voter = models.ForeignKey(Voter, models.PROTECT, related_name="votes")
    outcome = models.CharField(max_length=8, choices=Outcome)
    reasons = models.JSONField(default=list)
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    is_new = False
    """Only on the object that made the row."""

    objects = VoteQuerySet.as_manager()

    class Meta:
        verbose_name = _("vote")
        verbose_name_plural = _("votes")
        constraints = [
            models.CheckConstraint(name="vote_outcome_known", condition=models.Q(outcome__in=Outcome.values)),
        ]

    def __str__(self) -> str:
        return f"vote {self.outcome} on {self.battle_id}"


class VoteImport(models.Model):
    """A file of votes that were cast elsewhere. Known by the digest of its bytes: the same file is imported once."""

    digest = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=255)
    reading = models.JSONField(default=dict)
    """The columns and words it was read with: an import that was broken off goes on with the same, or not at all."""
    llms = models.JSONField(default=dict)
    """Its names of models, and the keys of those that they stand for."""
    n_votes = models.PositiveBigIntegerField()
    n_left_out = models.PositiveBigIntegerField()
    """Rows that do not say who met whom, or who won."""
    began_at = models.DateTimeField(db_default=Now())
    completed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("import of votes")
        verbose_name_plural = _("imports of votes")

    def __str__(self) -> str:
        return f"{self.name} {self.digest[:8]}"


class ImportedVoteQuerySet(models.QuerySet["ImportedVote"]):
    def countable(self) -> "ImportedVoteQuerySet":
        return self.exclude(source__in=VoteExclusion.objects.in_force().filter(source__isnull=False).values("source"))


class ImportedVote(models.Model):
    """A vote from elsewhere: of a row in a file, not of a battle here. Like every vote it is final, never deleted."""

    source = models.ForeignKey(VoteImport, models.PROTECT, related_name="votes")
    row_number = models.PositiveBigIntegerField()
    """From 1, the first after a header."""
    llm_a = models.ForeignKey(LanguageModel, models.PROTECT, related_name="+")
    llm_b = models.ForeignKey(LanguageModel, models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=8, choices=Outcome)
    cast_at = models.DateTimeField(null=True)
    """As the file says. Where it does not, the vote counts on the day its import began."""
    voter_digest = models.CharField(max_length=64, blank=True)
    """Keyed, of the file's own name for its voter. Empty where it has none."""
    comparison_key = models.CharField(max_length=64, blank=True)
    """The same for votes on the same two answers, whichever stood on the left: what people agree on with each other.
    Empty where the file does not say on what a vote was cast."""

    objects = ImportedVoteQuerySet.as_manager()

    class Meta:
        verbose_name = _("imported vote")
        verbose_name_plural = _("imported votes")
        constraints = [
            models.UniqueConstraint(name="row_imported_once", fields=["source", "row_number"]),
            models.CheckConstraint(
                name="imported_vote_between_two_models", condition=~models.Q(llm_a=models.F("llm_b"))
            ),
            models.CheckConstraint(name="imported_outcome_known", condition=models.Q(outcome__in=Outcome.values)),
        ]

    def __str__(self) -> str:
        return f"imported vote {self.outcome}, row {self.row_number} of {self.source_id}"


class VoteExclusionQuerySet(models.QuerySet["VoteExclusion"]):
    def in_force(self) -> "VoteExclusionQuerySet":
        return self.filter(restored_at=None)


class VoteExclusion(models.Model):
    """That a vote, or all of an imported file, does not count, since when and why. Never deleted: what counts again has
    the time of that in its row. Written by `arena.ledger` alone."""

    class Reason(models.TextChoices):
        TEST = "test", _("cast as a test")
        DUPLICATE = "duplicate", _("counted elsewhere already")
        NOT_A_PERSON = "not_a_person", _("not cast by a person")
        STAFF = "staff", _("cast by somebody who made one of the models")
        MISTAKE = "mistake", _("cast or imported by mistake")

    vote = models.ForeignKey(Vote, models.PROTECT, null=True, related_name="exclusions")
    source = models.ForeignKey(VoteImport, models.PROTECT, null=True, related_name="exclusions")
    reason = models.CharField(max_length=16, choices=Reason)
    note = models.TextField(blank=True)
    """For administrators."""
    excluded_at = models.DateTimeField(db_default=Now())
    restored_at = models.DateTimeField(null=True)

    objects = VoteExclusionQuerySet.as_manager()

    class Meta:
        verbose_name = _("exclusion of votes")
        verbose_name_plural = _("exclusions of votes")
        constraints = [
            models.CheckConstraint(
                name="exclusion_of_one_thing",
                condition=models.Q(vote__isnull=True, source__isnull=False)
                | models.Q(vote__isnull=False, source__isnull=True),
            ),
            models.UniqueConstraint(
                name="vote_excluded_once", fields=["vote"], condition=models.Q(restored_at__isnull=True)
            ),
            models.UniqueConstraint(
                name="import_excluded_once", fields=["source"], condition=models.Q(restored_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason}: {f'vote {self.vote_id}' if self.vote_id else f'import {self.source_id}'}"


class PairCountQuerySet(models.QuerySet["PairCount"]):
    def between_public_models(self) -> "PairCountQuerySet":
        return self.filter(left__visibility=Visibility.PUBLIC, right__visibility=Visibility.PUBLIC)


class PairCount(models.Model):
    """Votes, counted. `left` stood on side A. Written by `arena.ledger` alone, in the transaction of each vote."""

    OVERALL = "overall"

    category = models.CharField(max_length=40, default=OVERALL)
    day = models.DateField()
    left = models.ForeignKey(LanguageModel, models.PROTECT, related_name="+")
    right = models.ForeignKey(LanguageModel, models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=8, choices=Outcome)
    n = models.PositiveBigIntegerField(default=0)
    sum_inverse_probability = models.FloatField(default=0.0)
    """Σ 1/P over the votes whose pair was drawn with a known probability P."""
    sum_inverse_probability_squared = models.FloatField(default=0.0)
    updated_at = models.DateTimeField(db_default=Now())

    objects = PairCountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="pair_count_cell_once", fields=["category", "day", "left", "right", "outcome"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.left_id}-{self.right_id} {self.outcome} {self.day}: {self.n}"


class Standing(models.Model):
    """Where a model stands, as the leaderboard last handed it down. All that the arena knows of ratings."""

    llm = models.ForeignKey(LanguageModel, models.CASCADE, related_name="standings")
    audience = models.CharField(max_length=16, choices=Visibility)
    """The public board counts votes between public models only, so that nothing shows through of the others."""
    rating = models.FloatField()
    lower = models.FloatField()
    upper = models.FloatField()
    rank_lower = models.PositiveIntegerField()
    rank_upper = models.PositiveIntegerField()
    n_votes = models.PositiveBigIntegerField()
    preliminary = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(name="standing_once", fields=["llm", "audience"])]

    def __str__(self) -> str:
        return f"{self.llm_id}: {self.rating:.0f}"
