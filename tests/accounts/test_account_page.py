"""Making a token on the account page, and what the page says of those there are."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts import tokens
from accounts.models import ApiToken
from accounts.roles import Scope

pytestmark = pytest.mark.django_db

FORM = {"name": "my script", "scopes": ["read"], "lifetime": "30"}


def test_the_secret_is_shown_once(vera, sign_in):
    client = sign_in(vera)
    answer = client.post(reverse("accounts:account"), FORM)
    assert (answer.status_code, answer["Location"]) == (302, reverse("accounts:account"))
    page = client.get(answer["Location"])
    secret = page.context["issued"].secret
    assert secret in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    later = client.get(reverse("accounts:account")).content.decode()
    assert secret not in later
    assert page.context["issued"].token.hint in later


def test_the_secret_waits_in_no_row_and_no_cookie(vera, sign_in):
    client = sign_in(vera)
    answer = client.post(reverse("accounts:account"), FORM)
    kept = [answer.serialize_headers().decode(), str(client.cookies), str(dict(client.session))]
    secret = client.get(reverse("accounts:account")).context["issued"].secret
    assert not [text for text in kept if secret in text]


def test_a_look_without_the_page_does_not_use_up_the_secret(vera, sign_in):
    client = sign_in(vera)
    client.post(reverse("accounts:account"), FORM)
    client.head(reverse("accounts:account"))
    client.post(reverse("accounts:account"), {})
    assert client.get(reverse("accounts:account")).context["issued"]


def test_nobody_else_sees_the_secret(vera, rana, sign_in):
    sign_in(vera).post(reverse("accounts:account"), FORM)
    assert sign_in(rana).get(reverse("accounts:account")).context["issued"] is None


def test_a_reload_after_making_a_token_makes_no_second_one(vera, sign_in):
    client = sign_in(vera)
    last = client.post(reverse("accounts:account"), FORM, follow=True)
    client.get(last.request["PATH_INFO"])
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(("language", "date"), [("en", "4 March 2031"), ("tr", "4 Mart 2031")])
def test_dates_name_the_month(language, date, vera, sign_in, settings):
    """04/03/2031 is in March for some and in April for others."""
    tokens.issue(vera, name="script", scopes=[Scope.READ], expires_at=datetime(2031, 3, 4, 12, tzinfo=UTC))
    client = sign_in(vera)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    assert date in client.get(reverse("accounts:account")).content.decode()


def test_an_expired_token_is_called_so(vera, sign_in):
    tokens.issue(vera, name="script", scopes=[Scope.READ], expires_at=timezone.now() - timedelta(days=1))
    page = sign_in(vera).get(reverse("accounts:account")).content.decode()
    assert "expired" in page
    assert "/revoke/" not in page


@pytest.mark.parametrize(("lifetime", "days"), [("30", 30), ("90", 90), ("365", 365), ("", None)])
def test_a_token_lasts_as_long_as_was_chosen(lifetime, days, vera, sign_in):
    sign_in(vera).post(reverse("accounts:account"), {**FORM, "lifetime": lifetime})
    expires_at = ApiToken.objects.get().expires_at
    if days is None:
        assert expires_at is None
    else:
        assert abs(expires_at - timezone.now() - timedelta(days=days)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 81},
        {"name": "a\x00b"},
        {"scopes": []},
        {"scopes": ["run"]},
        {"scopes": ["read", "ingest"]},
        {"scopes": ["everything"]},
        {"lifetime": "9999"},
        {"lifetime": "-1"},
    ],
    ids=str,
)
def test_the_form_refuses(wrong, vera, sign_in):
    page = sign_in(vera).post(reverse("accounts:account"), {**FORM, **wrong})
    assert page.status_code == 422
    assert page.context["issued"] is None
    assert page.context["form"].errors
    assert not ApiToken.objects.exists()


def test_an_empty_form_is_refused_too(vera, sign_in):
    assert sign_in(vera).post(reverse("accounts:account"), {}).status_code == 422


def test_the_form_offers_the_scopes_of_the_role_only(vera, adem, sign_in):
    def offered(user):
        form = sign_in(user).get(reverse("accounts:account")).context["form"]
        return [value for value, _ in form.fields["scopes"].choices]

    assert offered(vera) == ["read"]
    assert offered(adem) == ["read", "run", "register", "ingest"]


def test_it_is_said_that_reading_is_enough_for_what_only_reads(vera, adem, sign_in):
    words = "“read” is enough for whatever only reads"
    assert words in sign_in(adem).get(reverse("accounts:account")).content.decode()
    assert words not in sign_in(vera).get(reverse("accounts:account")).content.decode()


def test_a_name_is_shown_as_text(vera, sign_in):
    page = sign_in(vera).post(reverse("accounts:account"), {**FORM, "name": "<script>x</script>"}, follow=True)
    assert b"<script>x" not in page.content
    assert b"&lt;script&gt;x" in page.content
