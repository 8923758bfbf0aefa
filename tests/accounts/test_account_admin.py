"""Accounts in the admin: an administrator runs them, and becomes no superuser that way."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db


@pytest.fixture
def superuser() -> User:
    return User.objects.create_superuser("sude", password="correct horse battery")


@pytest.fixture
def change(adem: User, sign_in: Callable[..., Client]) -> Callable[..., HttpResponse]:
    """Send the admin's form for a user as it is, with some fields changed."""

    def change(user: User, **fields: Any) -> HttpResponse:
        form = {
            "username": user.username,
            "is_active": "on",
            "date_joined_0": "2026-01-01",
            "date_joined_1": "12:00:00",
            "groups": [group.pk for group in user.groups.all()],
        }
        return sign_in(adem).post(reverse("admin:auth_user_change", args=[user.pk]), {**form, **fields})

    return change


@pytest.mark.parametrize("target", ["adem", "vera"])
def test_an_administrator_cannot_make_a_superuser(target, adem, vera, change):
    user = User.objects.get(username=target)
    permission = Group.objects.get(name="admin").permissions.first()
    everything = {"is_superuser": "on", "is_staff": "on", "user_permissions": [permission.pk], "first_name": "X"}
    assert change(user, **everything).status_code == 302
    user.refresh_from_db()
    assert user.first_name == "X"  # the rest was saved
    assert (user.is_superuser, user.is_staff, user.user_permissions.count()) == (False, False, 0)


def test_an_administrator_gives_and_takes_roles(vera, rana, change):
    researcher = Group.objects.get(name="researcher")
    assert change(vera, groups=[researcher.pk]).status_code == 302
    assert vera.groups.get() == researcher
    assert change(rana, groups=[]).status_code == 302
    assert not rana.groups.exists()


def test_an_administrator_cannot_touch_a_superuser(superuser, change):
    assert change(superuser, username="taken").status_code == 403
    superuser.refresh_from_db()
    assert superuser.username == "sude"
    assert superuser.check_password("correct horse battery")


def test_a_superuser_may(superuser, sign_in, vera):
    address = reverse("admin:auth_user_change", args=[vera.pk])
    form = {"username": "vera", "is_active": "on", "is_superuser": "on", "date_joined_0": "2026-01-01"}
    assert sign_in(superuser).post(address, {**form, "date_joined_1": "12:00"}).status_code == 302
    vera.refresh_from_db()
    assert vera.is_superuser


def test_the_admin_role_needs_no_staff_flag_and_the_staff_flag_is_no_role(adem, vera, sign_in):
    User.objects.filter(pk=vera.pk).update(is_staff=True)
    assert not adem.is_staff
    assert sign_in(adem).get("/admin/").status_code == 200
    assert sign_in(vera).get("/admin/", follow=True).status_code == 403
    assert 'href="/admin/"' in sign_in(adem).get("/leaderboard/").content.decode()
    assert 'href="/admin/"' not in sign_in(vera).get("/leaderboard/").content.decode()
