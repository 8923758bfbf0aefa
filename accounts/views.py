"""Sign-in, the account page with its tokens, and preferences."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts import tokens
from accounts.forms import SignInForm, TokenForm
from accounts.models import ApiToken
from accounts.preferences import THEMES, remember_theme
from accounts.tokens import IssuedToken

SECRET_LASTS_SECONDS = 300
"""So long a new token's secret waits to be shown, in the cache alone. Then nobody can see it any more."""


class SignIn(auth_views.LoginView):
    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_redirect_url(self) -> str:  # type: ignore[override]  # the types are of a later Django
        """Not back to this very page: somebody who is signed in already would be sent round in circles."""
        target = super().get_redirect_url()
        return "" if target == self.request.path else target

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        """Whoever chose to sign in need not be told that the page which they come from asks for it."""
        return {**super().get_context_data(**more), "is_chosen": self.request.GET.get("by") == "choice"}

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        retry_after = cast(SignInForm, form).retry_after
        if retry_after is not None:
            response.status_code = 429
            response["Retry-After"] = str(retry_after)
        return response


class SignOut(auth_views.LogoutView):
    pass


class ChangePassword(auth_views.PasswordChangeView):
    template_name = "accounts/change_password.html"
    success_url = reverse_lazy("accounts:account")

    def form_valid(self, form: object) -> HttpResponse:
        messages.success(self.request, _("Your password is changed."))
        return super().form_valid(form)  # type: ignore[arg-type]


@login_required
@never_cache
def account(request: HttpRequest) -> HttpResponse:
    """Shows the account; POST makes a token, whose secret the next look at this page shows, and none after it."""
    user = cast(User, request.user)
    form = TokenForm(request.POST if request.method == "POST" else None, user=user)
    if form.is_valid():
        _keep_for_one_look(user, form.issue())
        return redirect("accounts:account")
    context = {
        "form": form,
        "issued": _shown_this_once(user) if request.method == "GET" else None,
        "tokens": ApiToken.objects.filter(user=user),
        "now": timezone.now(),
    }
    return render(request, "accounts/account.html", context, status=422 if form.errors else 200)


def _keep_for_one_look(user: User, issued: IssuedToken) -> None:
    cache.set(f"issued-token-{user.pk}", (issued.token.pk, issued.secret), SECRET_LASTS_SECONDS)


def _shown_this_once(user: User) -> IssuedToken | None:
    token_id, secret = cache.get(key := f"issued-token-{user.pk}", (None, ""))
    cache.delete(key)
    token = ApiToken.objects.filter(pk=token_id, user=user).first()
    return IssuedToken(token, secret) if token else None


@login_required
@require_POST
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    token = get_object_or_404(ApiToken, pk=token_id, user=cast(User, request.user))
    tokens.revoke(token)
    messages.success(request, _("The token “%(name)s” is revoked.") % {"name": token.name})
    return redirect("accounts:account")


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    theme = request.POST.get("theme", "")
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = "/"
    response = redirect(target)
    if theme in THEMES:
        remember_theme(response, theme)
    return response


@require_safe
@cache_control(public=True, max_age=86_400)
def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for it wherever a page names no icon: in the administration, beside a file, on an error."""
    return redirect(static("img/favicon.ico"))
