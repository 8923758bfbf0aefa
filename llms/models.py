"""The registry: one row for each language model that the team knows, whatever serves it."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from llms.chat import Message, Role, SamplingParams
from llms.engines.openai_compatible.connection import base_url_from
from llms.engines.options import BadOptions, read_options
from llms.engines.registry import engine_choices
from llms.safe_http import NotAllowed
from llms.sentence_field import SentenceField
from llms.translations import translated

_PART = re.compile(r"[^\s_/-]+")
_FAMILY = re.compile(r"[^\W\d_]+")
REMOTE_ENGINE = "openai_compatible"
DECODING_FIELDS = ("temperature", "top_p", "top_k", "max_new_tokens", "stop", "seed")


class Visibility(models.TextChoices):
    PUBLIC = "public", _("public")
    INTERNAL = "internal", _("internal: researchers and administrators only")


class Endpoint(models.Model):
    """A server that speaks the protocol of OpenAI, wherever it stands. Several models may be served by one."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    base_url = models.CharField(
        _("address"),
        max_length=300,
        help_text=_(
            "With its version, for example http://127.0.0.1:8000/v1. What you paste is brought into that form."
        ),
    )
    sealed_key = models.TextField(blank=True, editable=False)
    max_concurrent = models.PositiveSmallIntegerField(
        _("answers at once"),
        default=16,
        validators=[MinValueValidator(1)],
        help_text=_(
            "As many as the server can write at the same time. Who comes then waits in line, and is told where."
        ),
    )
    n_failures = models.PositiveIntegerField(default=0, editable=False)
    """In a row."""
    resting_since = models.DateTimeField(null=True, editable=False)
    """Its models are not drawn meanwhile."""
    checked_at = models.DateTimeField(null=True, editable=False)
    last_error = SentenceField(blank=True, editable=False)
    server = models.CharField(max_length=120, blank=True, editable=False)
    """The name and version that it stated when it was probed last, for example "vLLM 0.32.0"."""

    class Meta:
        verbose_name = _("endpoint")
        verbose_name_plural = _("endpoints")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(name="endpoint_answers_somebody", condition=models.Q(max_concurrent__gte=1)),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        try:
            self.base_url = base_url_from(self.base_url)
        except NotAllowed as error:
            raise ValidationError({"base_url": translated(error.words)}) from error


class Capability(models.TextChoices):
    CHAT = "chat", _("chat")
    TOOLS = "tools", _("tools")
    GENERATED_LOG_PROBABILITIES = "generated_log_probabilities", _("log-probabilities of what it writes")
    PROMPT_LOG_PROBABILITIES = "prompt_log_probabilities", _("log-probabilities of what it is given")
    TOKEN_IDS = "token_ids", _("prompts as token ids")
    NO_NEW_TOKENS = "no_new_tokens", _("writes nothing when nothing is asked for")
    TOKENIZATION = "tokenization", _("tells how it cuts a text into tokens")
    CONTEXT_LENGTH = "context_length", _("context length")


class ProbeResult(models.Model):
    """What one model of an endpoint can do, as it showed when it was tried: one row a capability, the newest only."""

    class Verdict(models.TextChoices):
        YES = "yes", _("yes")
        NO = "no", _("no")
        WRONG = "wrong", _("answers, but wrongly")
        UNKNOWN = "unknown", _("could not be told")

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="probe_results")
    served_name = models.CharField(max_length=500)
    """The model's name at its endpoint."""
    capability = models.CharField(max_length=40, choices=Capability)
    verdict = models.CharField(max_length=8, choices=Verdict)
    evidence = SentenceField()
    """What was asked and what came back, in a sentence that a reader can check."""
    number = models.PositiveBigIntegerField(null=True)
    """Where the capability has one: tokens of context."""
    server = models.CharField(max_length=120, blank=True)
    probed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("probe result")
        verbose_name_plural = _("probe results")
        ordering = ["endpoint", "served_name", "pk"]
        constraints = [
            models.UniqueConstraint(name="one_result_a_capability", fields=["endpoint", "served_name", "capability"]),
        ]

    def __str__(self) -> str:
        return f"{self.served_name}: {self.capability} {self.verdict}"


class Probe(models.Model):
    """That a model of an endpoint is being probed, and how far it is: one row a model, the newest probe only."""

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="probes")
    served_name = models.CharField(max_length=500)
    asked_at = models.DateTimeField()
    n_done = models.PositiveSmallIntegerField(default=0)
    """Of the capabilities."""
    ended_at = models.DateTimeField(null=True)
    failure = SentenceField(blank=True)
    """Why nothing could be found out, and how to mend it."""

    class Meta:
        verbose_name = _("probe")
        verbose_name_plural = _("probes")
        constraints = [models.UniqueConstraint(name="one_probe_a_model", fields=["endpoint", "served_name"])]

    def __str__(self) -> str:
        return f"{self.served_name}: {self.n_done} done"


class DeviceCheck(models.Model):
    """Whether the fast way to compute scores gives what plain rows give: for some weights, on one kind of device. Found
    out before their first run there, and remembered."""

    key = models.CharField(max_length=64, unique=True)
    """A digest of all that could change the verdict, see `llms.device_checks`."""
    weights_identity = models.CharField(max_length=120)
    engine = models.CharField(max_length=40)
    hardware = models.CharField(_("device"), max_length=200)
    dtype = models.CharField(max_length=40)
    versions = models.JSONField(default=dict)
    n = models.PositiveIntegerField()
    """Requests that were compared."""
    largest_difference = models.FloatField()
    """Nats."""
    n_flipped = models.PositiveIntegerField()
    """Requests for which another answer came first."""
    seconds_fast = models.FloatField()
    seconds_plain = models.FloatField()
    has_passed = models.BooleanField()
    """Otherwise plain rows are computed there."""
    checked_at = models.DateTimeField()

    class Meta:
        verbose_name = _("self-check of scores")
        verbose_name_plural = _("self-checks of scores")

    def __str__(self) -> str:
        return f"{self.hardware} ({self.dtype}): {'passed' if self.has_passed else 'failed'}"


class LanguageModelQuerySet(models.QuerySet["LanguageModel"]):
    def visible_to(self, user: User | AnonymousUser) -> "LanguageModelQuerySet":
        return self if sees_internal(user) else self.filter(visibility=Visibility.PUBLIC)

    def in_battles(self) -> "LanguageModelQuerySet":
        """Those that may be drawn. Retired, disabled and merely listed ones never are, nor those whose server rests or
        refuses to ask them."""
        return self.filter(
            status=LanguageModel.Status.ENABLED, battle_weight__gt=0, refused_since=None, endpoint__resting_since=None
        ).select_related("endpoint")


class LanguageModel(models.Model):
    class Stage(models.TextChoices):
        BASE = "base", _("base")
        SFT = "sft", _("instruction-tuned (SFT)")
        PREFERENCE = "preference", _("preference-aligned")
        MERGED = "merged", _("merged")
        QUANTISED = "quantised", _("quantised")
        CHECKPOINT = "checkpoint", _("checkpoint")

    class Status(models.TextChoices):
        ENABLED = "enabled", _("enabled: drawn for battles")
        DISABLED = "disabled", _("disabled: not drawn for now")
        RETIRED = "retired", _("retired: keeps its history, never drawn again")
        LISTED = "listed", _("listed: has no engine, known from imports")

    slug = models.SlugField(_("slug"), max_length=80, unique=True, help_text=_("Its name in addresses and exports."))
    name = models.CharField(_("name"), max_length=120)
    organisation = models.CharField(_("organisation"), max_length=120, blank=True)
    licence = models.CharField(_("licence"), max_length=80, blank=True)
    parameters = models.PositiveBigIntegerField(
        _("parameters"), null=True, blank=True, help_text=_("How many, for example 135000000.")
    )
    stage = models.CharField(_("stage"), max_length=16, choices=Stage, default=Stage.SFT)
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="children", verbose_name=_("made from")
    )
    aliases = models.JSONField(
        _("other names"),
        default=list,
        blank=True,
        help_text=_("A list of names that it may call itself, for example its family. They are hidden until the vote."),
    )

    engine = models.CharField(_("engine"), max_length=40, choices=engine_choices, default="huggingface")
    endpoint = models.ForeignKey(
        Endpoint,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="llms",
        verbose_name=_("endpoint"),
        help_text=_("For the engine openai_compatible: the server that has the model."),
    )
    source = models.CharField(
        _("source"),
        max_length=500,
        blank=True,
        help_text=_("A hub id, a folder or a GGUF file on this machine; or the model's name at its endpoint."),
    )
    revision = models.CharField(
        _("revision"), max_length=80, blank=True, help_text=_("Of a hub id: branch, tag or commit.")
    )
    options = models.JSONField(_("engine options"), default=dict, blank=True)
    decoding = models.JSONField(
        _("decoding"),
        default=dict,
        blank=True,
        help_text=_('For example {"temperature": 0.7}. Empty means the defaults.'),
    )
    system_prompt = models.TextField(_("system prompt"), blank=True)
    weights_identity = models.CharField(_("weights' identity"), max_length=120, blank=True, editable=False)
    """A digest over weights, tokenizer, template and adapter; or what a server states. Empty: unpinned."""
    former_identity = models.CharField(max_length=120, blank=True, editable=False)
    """What it was until it changed under the same source."""
    identity_changed_at = models.DateTimeField(null=True, editable=False)
    n_refusals = models.PositiveIntegerField(default=0, editable=False)
    """In a row: requests that its server did not want from it, as for a name that the server does not know."""
    refused_since = models.DateTimeField(null=True, editable=False)
    """It is not drawn meanwhile."""
    last_refusal = SentenceField(blank=True, editable=False)

    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.DISABLED)
    battle_weight = models.FloatField(
        _("battle weight"),
        default=1.0,
        validators=[MinValueValidator(0)],
        help_text=_("How often it is drawn, against 1 for the others. 0 keeps it out of battles."),
    )
    visibility = models.CharField(_("visibility"), max_length=16, choices=Visibility, default=Visibility.PUBLIC)
    created_at = models.DateTimeField(_("registered"), db_default=Now(), editable=False)

    objects = LanguageModelQuerySet.as_manager()

    class Meta:
        verbose_name = _("language model")
        verbose_name_plural = _("language models")
        ordering = ["name"]
        permissions = [("view_internal", "Can see internal language models and everything about them")]
        constraints = [
            models.CheckConstraint(name="battle_weight_not_negative", condition=models.Q(battle_weight__gte=0)),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        errors: dict[str, str] = {}
        if not isinstance(self.options, dict) or not _can_be_stored(self.options):
            errors["options"] = str(_('Write an object, for example {"dtype": "float32"}.'))
        if not _are_names(self.aliases):
            errors["aliases"] = str(_('Write a list of names, for example ["Orion", "Orion 7B"].'))
        if not isinstance(self.battle_weight, int | float) or not math.isfinite(self.battle_weight):
            errors["battle_weight"] = str(_("Write a number."))
        if self.endpoint and self.engine != REMOTE_ENGINE:
            errors["endpoint"] = str(_("Only the engine openai_compatible uses an endpoint. Take one of the two away."))
        if not self.endpoint and self.engine == REMOTE_ENGINE and self.status != self.Status.LISTED:
            errors["endpoint"] = str(_("Choose the endpoint that has the model, or add it first."))
        if self._descends_from_itself():
            errors["parent"] = str(_("A model cannot be made from itself."))
        try:
            self.sampling()
        except ValueError as error:
            errors["decoding"] = str(error)
        if errors:
            raise ValidationError(errors)

    def sampling(self) -> SamplingParams:
        """Its own way of decoding. Raises `ValueError` for what is no decoding."""
        return sampling_from(self.decoding)

    def conversation(self, turns: Iterable[Message]) -> list[Message]:
        """The messages to send: its system prompt, where it has one, and the turns so far."""
        system = [Message(Role.SYSTEM, self.system_prompt)] if self.system_prompt else []
        return [*system, *turns]

    def _descends_from_itself(self) -> bool:
        ancestor, seen = self.parent, {self.pk} if self.pk else set()
        while ancestor and ancestor.pk not in seen:
            seen.add(ancestor.pk)
            ancestor = ancestor.parent
        return ancestor is not None

    def telling_names(self) -> list[str]:
        """Names that can mean nothing but this model, wherever they stand."""
        with_version = [
            self.name[: part.end()] for part in _PART.finditer(self.name) if _has_version(self.name[: part.end()])
        ]
        served_as = self.source.rstrip("/").rpartition("/")[2].removesuffix(".gguf")
        names = (self.name, self.slug, *self.aliases, *with_version, served_as if _has_version(served_as) else "")
        return [name for name in names if name]

    def ordinary_names(self) -> list[str]:
        """Words that may mean something else, and give the model away only where it speaks of itself."""
        family = _FAMILY.match(self.name)
        return [name for name in (self.organisation, family.group() if family else "") if name]


def _has_version(words: str) -> bool:
    """Letters and a digit: "Qwen2.5" and "Llama 3.1" can mean nothing else, "Llama" and "13B" can."""
    return bool(re.search(r"[^\W\d_]{2}", words) and re.search(r"\d", words))


def sampling_from(decoding: Any) -> SamplingParams:
    """Raises `ValueError` with a sentence that says what to write instead."""
    if not isinstance(decoding, dict):
        raise ValueError(_('Decoding must be an object, for example {"temperature": 0.7}.'))
    unknown = set(decoding) - set(DECODING_FIELDS)
    if unknown:
        raise ValueError(
            _("Unknown decoding fields: %(unknown)s. Known are %(known)s.")
            % {"unknown": ", ".join(sorted(unknown)), "known": ", ".join(DECODING_FIELDS)}
        )
    stop = decoding.get("stop", ())
    try:
        return read_options(SamplingParams, {**decoding, "stop": (stop,) if isinstance(stop, str) else stop})
    except BadOptions as error:
        raise ValueError(translated(error.args[0])) from error


def sees_internal(user: User | AnonymousUser) -> bool:
    return user.has_perm("llms.view_internal")


def _are_names(value: object) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(name, str) and name.strip() for name in value)
        and _can_be_stored(value)
    )


def _can_be_stored(value: object) -> bool:
    """What Python reads as JSON, databases may still refuse: NaN, NUL, and halves of characters."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        return "\\u0000" not in text and bool(text.encode())
    except ValueError:
        return False
