"""Three kinds of people, as groups. What a role may do is decided by the permissions of its group, so that an
administrator can see and change it in the admin; this module says what each group starts with."""

from enum import StrEnum

from django.apps import apps as global_apps
from django.apps.registry import Apps
from django.contrib.auth.models import AnonymousUser, Group, User


class Role(StrEnum):
    VOTER = "voter"
    RESEARCHER = "researcher"
    ADMIN = "admin"


class Scope(StrEnum):
    """What a personal API token may be used for."""

    READ = "read"
    RUN = "run"
    REGISTER = "register"
    INGEST = "ingest"


SCOPES_OF_ROLE: dict[Role, frozenset[Scope]] = {
    Role.VOTER: frozenset({Scope.READ}),
    Role.RESEARCHER: frozenset({Scope.READ, Scope.INGEST}),
    Role.ADMIN: frozenset(Scope),
}

_READ_INTERNAL = {"llms.view_internal"}
_MANAGE = {
    "llms.add_languagemodel",
    "llms.change_languagemodel",
    "llms.delete_languagemodel",
    "llms.view_languagemodel",
    "llms.add_endpoint",
    "llms.change_endpoint",
    "llms.delete_endpoint",
    "llms.view_endpoint",
    "evaluation.add_run",
    "evaluation.change_run",
    "evaluation.view_run",
    "evaluation.add_privatebenchmark",
    "evaluation.change_privatebenchmark",
    "evaluation.delete_privatebenchmark",
    "arena.view_battle",
    "arena.view_vote",
    "arena.view_voteimport",
    "arena.view_voteexclusion",
    "accounts.view_apitoken",
    "accounts.change_apitoken",
    "auth.add_user",
    "auth.change_user",
    "auth.view_user",
    "auth.view_group",
}
PERMISSIONS_OF_ROLE: dict[Role, set[str]] = {
    Role.VOTER: set(),
    Role.RESEARCHER: _READ_INTERNAL,
    Role.ADMIN: _READ_INTERNAL | _MANAGE,
}


def role_of(user: User | AnonymousUser) -> Role | None:
    """The highest role of a person who is signed in; None for a visitor. An account in no group is a voter."""
    if not user.is_authenticated or not user.is_active:
        return None
    if user.is_superuser:
        return Role.ADMIN
    names = set(Group.objects.filter(user=user).values_list("name", flat=True))
    for role in (Role.ADMIN, Role.RESEARCHER):
        if role in names:
            return role
    return Role.VOTER


def grant_permissions(*, apps: Apps = global_apps, **_signal: object) -> None:
    """After every migration: give each group what its role starts with. Adds, never takes away what an
    administrator granted. `apps` is as far as the migration went, which may not be as far as accounts."""
    try:
        groups, permissions = apps.get_model("auth", "Group").objects, apps.get_model("auth", "Permission").objects
    except LookupError:
        return
    existing = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in permissions.select_related("content_type")
    }
    for role, wanted in PERMISSIONS_OF_ROLE.items():
        group, _ = groups.get_or_create(name=role.value)
        group.permissions.add(*(existing[name] for name in wanted if name in existing))
