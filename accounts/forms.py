from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import tokens
from accounts.roles import Scope

SCOPE_LABELS = {
    Scope.READ: _("read: tables, battles and exports"),
    Scope.RUN: _("run: start and stop benchmark runs"),
    Scope.REGISTER: _("register: add and change models"),
    Scope.INGEST: _("ingest: send training metrics and results"),
}
LIFETIMES = [("30", _("30 days")), ("90", _("90 days")), ("365", _("one year")), ("", _("no end"))]


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

    def issue(self) -> tokens.IssuedToken:
        days = self.cleaned_data["lifetime"]
        return tokens.issue(
            self.user,
            name=self.cleaned_data["name"],
            scopes=[Scope(scope) for scope in self.cleaned_data["scopes"]],
            expires_at=timezone.now() + timedelta(days=int(days)) if days else None,
        )
