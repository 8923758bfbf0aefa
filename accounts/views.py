"""Sign-in, the account page with its tokens, and preferences."""

from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts import rate_limits, tokens
from accounts.addresses import client_address
from accounts.forms import TokenForm
from accounts.models import ApiToken
from accounts.preferences import THEMES, remember_theme


class SignIn(auth_views.LoginView):
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        limit = rate_limits.PER_HOUR(settings.SIGN_INS_PER_HOUR)
        try:
            rate_limits.spend(limit, "sign-in", client_address(request.META.get("REMOTE_ADDR", ""), request.headers))
        except rate_limits.RateLimited as refusal:
            return self._too_often(refusal.retry_after)
        return super().post(request, *args, **kwargs)

    def _too_often(self, retry_after: int) -> HttpResponse:
        form: AuthenticationForm = self.get_form()
        form.full_clean()
        form.errors.clear()
        form.add_error(
            None, _("Too many attempts. Try again in %(minutes)d minutes.") % {"minutes": -(-retry_after // 60)}
        )
        response = self.render_to_response(self.get_context_data(form=form))
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
    """Shows the account; POST makes a token, whose secret is on the page that answers and never again."""
    user = cast(User, request.user)
    form = TokenForm(request.POST or None, user=user)
    issued = form.issue() if request.method == "POST" and form.is_valid() else None
    if issued:
        form = TokenForm(user=user)
    context = {"form": form, "issued": issued, "tokens": ApiToken.objects.filter(user=user)}
    return render(request, "accounts/account.html", context, status=422 if form.errors else 200)


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
