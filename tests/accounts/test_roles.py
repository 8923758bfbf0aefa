"""Roles are groups; what a role may do are the permissions of its group."""

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.core.management import call_command

from accounts.roles import PERMISSIONS_OF_ROLE, Role, grant_permissions, role_of

pytestmark = pytest.mark.django_db


def permissions_of(role):
    return {
        f"{permission.content_type.app_label}.{permission.codename}"
        for permission in Group.objects.get(name=role.value).permissions.select_related("content_type")
    }


def test_migrations_make_the_groups_and_give_them_their_permissions():
    """The database of the tests is a fresh one: nothing but migrations has touched it."""
    assert set(Group.objects.values_list("name", flat=True)) == set(Role)
    assert {role: permissions_of(role) for role in Role} == PERMISSIONS_OF_ROLE


def test_every_permission_that_is_named_exists():
    wanted = set().union(*PERMISSIONS_OF_ROLE.values())
    assert wanted <= {f"{p.content_type.app_label}.{p.codename}" for p in Permission.objects.all()}


def test_an_administrator_may_not_touch_evidence_or_permissions():
    forbidden = {
        "arena.change_vote",
        "arena.delete_vote",
        "arena.change_battle",
        "auth.change_group",
        "auth.delete_user",
    }
    assert not forbidden & PERMISSIONS_OF_ROLE[Role.ADMIN]


def test_granting_again_changes_nothing():
    grant_permissions()
    assert {role: permissions_of(role) for role in Role} == PERMISSIONS_OF_ROLE


def test_granting_adds_what_is_missing_and_keeps_what_was_added():
    voters = Group.objects.get(name="voter")
    voters.permissions.add(Permission.objects.get(codename="view_vote"))
    Group.objects.get(name="researcher").permissions.clear()
    Group.objects.get(name="admin").delete()
    grant_permissions()
    assert permissions_of(Role.VOTER) == {"arena.view_vote"}
    assert permissions_of(Role.RESEARCHER) == {"llms.view_internal"}
    assert permissions_of(Role.ADMIN) == PERMISSIONS_OF_ROLE[Role.ADMIN]


def test_migrating_again_adds_and_keeps_too():
    Group.objects.get(name="voter").permissions.add(Permission.objects.get(codename="view_vote"))
    Group.objects.get(name="researcher").permissions.clear()
    call_command("migrate", verbosity=0)
    assert permissions_of(Role.VOTER) == {"arena.view_vote"}
    assert permissions_of(Role.RESEARCHER) == {"llms.view_internal"}


def test_a_migration_that_stops_before_accounts_exist_does_not_break():
    class Early:
        def get_model(self, *names):
            raise LookupError

    grant_permissions(apps=Early())
    grant_permissions(apps=apps)


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ([], Role.VOTER),
        (["voter"], Role.VOTER),
        (["a group of their own"], Role.VOTER),
        (["researcher"], Role.RESEARCHER),
        (["voter", "researcher"], Role.RESEARCHER),
        (["researcher", "admin", "voter"], Role.ADMIN),
    ],
)
def test_the_highest_group_is_the_role(groups, role):
    user = User.objects.create_user("somebody")
    user.groups.set([Group.objects.get_or_create(name=name)[0] for name in groups])
    assert role_of(user) is role


def test_a_visitor_and_an_inactive_account_have_no_role(adem):
    assert role_of(AnonymousUser()) is None
    adem.is_active = False
    assert role_of(adem) is None


def test_a_superuser_is_an_administrator():
    assert role_of(User.objects.create_superuser("sude")) is Role.ADMIN


def test_the_account_page_says_which_role_one_has(vera, rana, adem, sign_in):
    for person, word in ((vera, "Voter."), (rana, "Researcher:"), (adem, "Administrator:")):
        assert word in sign_in(person).get("/account/").content.decode()
