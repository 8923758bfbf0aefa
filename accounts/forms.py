import contextlib
from datetime import timedelta
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import rate_limits, tokens
from accounts.addresses import client_address
from accounts.roles import Scope

SCOPE_LABELS = {
    Scope.READ: _("read: tables, battles and exports"),
    Scope.RUN: _("run: start and stop benchmark runs"),
    Scope.REGISTER: _("register: add and change models"),
    Scope.INGEST: _("ingest: send training metrics and results"),
}
LIFETIMES = [("30", _("30 days")), ("90", _("90 days")), ("365", _("one year")), ("", _("no end"))]


class SignInForm(AuthenticationForm):
    """Counts what fails, by address: a class that signs in from one school is no attack. An address that has failed too
    often is turned away before its password is looked at, which is slow on purpose."""

    retry_after: int | None = None
    """Seconds; set when there were too many attempts."""

    def clean(self) -> dict[str, Any]:
        request = cast(HttpRequest, self.request)
        address = client_address(request.META.get("REMOTE_ADDR", ""), request.headers)
        with rate_limits.one_at_a_time("failed-sign-in", address):
            return self._clean_from(address)

    def _clean_from(self, address: str) -> dict[str, Any]:
        limit = rate_limits.PER_HOUR(settings.SIGN_INS_PER_HOUR)
        try:
            rate_limits.check(limit, "failed-sign-in", address)
        except rate_limits.RateLimited as refusal:
            self.retry_after = refusal.retry_after
            raise forms.ValidationError(
                _("Too many attempts. Try again in %(minutes)d minutes."),
                code="too_many",
                params={"minutes": -(-refusal.retry_after // 60)},
            ) from None
        try:
            return super().clean()
        except forms.ValidationError:
            with contextlib.suppress(rate_limits.RateLimited):  # another process took the last one: said next time
                rate_limits.spend(limit, "failed-sign-in", address)
            raise


class TokenForm(forms.Form):
    """What a new token may do. Offers only the scopes of its owner's role."""

    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("Where you will use it, so that you know which one to revoke.")
    )
    scopes = forms.MultipleChoiceField(label=_("It may"), widget=forms.CheckboxSelectMultiple)
    lifetime = forms.ChoiceField(label=_("Valid for"), choices=LIFETIMES, initial="90", required=False)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        allowed = tokens.allowed_scopes(user)
        field = cast(forms.MultipleChoiceField, self.fields["scopes"])
        field.choices = [(scope.value, label) for scope, label in SCOPE_LABELS.items() if scope in allowed]
        field.initial = [Scope.READ.value]
        words = [_("Never more than your role allows: what your role loses, your tokens lose.")]
        if len(allowed) > 1:
            words.append(_("“read” is enough for whatever only reads: give a token no more than its program needs."))
        field.help_text = " ".join(map(str, words))

    def issue(self) -> tokens.IssuedToken:
        days = self.cleaned_data["lifetime"]
        return tokens.issue(
            self.user,
            name=self.cleaned_data["name"],
            scopes=[Scope(scope) for scope in self.cleaned_data["scopes"]],
            expires_at=timezone.now() + timedelta(days=int(days)) if days else None,
        )
