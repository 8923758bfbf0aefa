"""Who gets which answer from which address: `tests/test_access.py` walks this table."""

from dataclasses import dataclass
from typing import Any

from llms.steps import TITLES

SIGN_IN = "sign in"
NOWHERE = "00000000-0000-4000-8000-000000000000"
SECRET = "Nova"
"""Begins the name of the one internal model. Nobody but researchers and administrators may ever read it."""


@dataclass(frozen=True)
class Row:
    """An address, and what it answers: a status, or the way to the sign-in page."""

    name: str
    visitor: int | str
    """In the public mode."""
    stranger: int | str
    """A visitor in the members mode. For people who are signed in the modes do not differ."""
    voter: int | str
    researcher: int | str
    admin: int | str
    args: tuple[str, ...] = ()
    """Names of the site's things, see `site`; anything else stands for itself."""
    method: str = "get"
    data: tuple[tuple[str, str], ...] = ()
    query: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.method.upper(), self.name, *self.args, self.query)))


def page(name: str, *args: str, **more: Any) -> Row:
    return Row(name, 200, SIGN_IN, 200, 200, 200, args, **more)


def of_the_api(name: str, **more: Any) -> Row:
    return Row(name, 200, 401, 200, 200, 200, **more)


def for_members(name: str, answer: int, *args: str, **more: Any) -> Row:
    return Row(name, SIGN_IN, SIGN_IN, answer, answer, answer, args, **more)


def open_to_all(name: str, answer: int, *args: str, **more: Any) -> Row:
    return Row(name, answer, answer, answer, answer, answer, args, **more)


def of_the_admin(name: str, answer: int, *args: str, **more: Any) -> Row:
    return Row(f"admin:{name}", SIGN_IN, SIGN_IN, 403, 403, answer, args, **more)


def of_registrars(name: str, answer: int, *args: str, **more: Any) -> Row:
    """Pages of the site for those who may register models."""
    return Row(name, SIGN_IN, SIGN_IN, 403, 403, answer, args, **more)


def of_the_house(name: str, *args: str, **more: Any) -> Row:
    """For researchers and administrators; others are told that they may not."""
    return Row(name, SIGN_IN, SIGN_IN, 403, 200, 200, args, **more)


def of_insiders(name: str, *args: str, **more: Any) -> Row:
    """What does not exist for whoever may not know of it."""
    return Row(name, 404, SIGN_IN, 404, 200, 200, args, **more)


def read_only(what: str, thing: str) -> list[Row]:
    """Pages of the admin where one may look and not touch."""
    return [
        of_the_admin(f"{what}_changelist", 200),
        of_the_admin(f"{what}_change", 200, thing),
        of_the_admin(f"{what}_change", 403, thing, method="post"),
        of_the_admin(f"{what}_history", 200, thing),
        of_the_admin(f"{what}_add", 403),
        of_the_admin(f"{what}_add", 403, method="post"),
        of_the_admin(f"{what}_delete", 403, thing),
        of_the_admin(f"{what}_delete", 403, thing, method="post", data=(("post", "yes"),)),
    ]


SETS_CHANGES = ("replace_set", "change_set", "delete_set")
SETS_ACTIONS = ("examine_again", "archive_set", "delete_set")
OF_A_RUN = ("run", "configuration", "configuration_file", "samples", "samples_file")
TABLE = [
    #                                       visitor  stranger voter researcher admin
    page("arena:new_battle"),
    page("arena:new_battle", method="head"),
    page("arena:readiness"),
    Row("arena:new_battle", 405, SIGN_IN, 405, 405, 405, method="post"),
    Row("arena:battle", 200, SIGN_IN, 200, 200, 200, ("own battle",)),
    Row("arena:battle", 404, SIGN_IN, 404, 404, 404, ("battle of another",)),
    Row("arena:battle", 200, SIGN_IN, 200, 200, 200, ("voted battle",)),
    Row("arena:battle", 404, SIGN_IN, 404, 200, 200, ("voted internal battle",)),
    Row("arena:battle", 404, SIGN_IN, 404, 404, 404, (NOWHERE,)),
    Row("arena:battle", 405, SIGN_IN, 405, 405, 405, ("own battle",), method="post"),
    page("leaderboard:board"),
    page("leaderboard:board", query="fragment"),
    Row("leaderboard:board", 405, SIGN_IN, 405, 405, 405, method="post"),
    page("leaderboard:board_csv"),
    Row("leaderboard:board_csv", 405, SIGN_IN, 405, 405, 405, method="delete"),
    of_the_api("api-1:leaderboard"),
    of_the_api("api-1:me"),
    of_the_api("api-1:models"),
    of_the_api("api-1:runs"),
    of_the_api("api-1:run", args=("run",)),
    of_the_api("api-1:run_samples", args=("run",)),
    *(Row(f"api-1:{name}", 404, 401, 404, 200, 200, ("internal run",)) for name in ("run", "run_samples")),
    *(Row(f"api-1:{name}", 404, 401, 404, 200, 200, ("private run",)) for name in ("run", "run_samples")),
    open_to_all("api-1:request_runs", 401, method="post"),
    *(open_to_all(f"api-1:{verb}_run", 401, "run", method="post") for verb in ("pause", "resume", "cancel")),
    of_the_api("api-1:openapi-json"),
    Row("api-1:api-root", 404, 401, 404, 404, 404),
    Row("api-1:models", 405, 401, 405, 405, 405, method="post"),
    Row("api-1:leaderboard", 405, 401, 405, 405, 405, method="put"),
    Row("accounts:sign_in", 200, 200, 302, 302, 302),
    Row("accounts:sign_out", 302, SIGN_IN, 302, 302, 302, method="post"),
    Row("accounts:sign_out", 405, SIGN_IN, 405, 405, 405),
    for_members("accounts:account", 200),
    for_members("accounts:account", 422, method="post"),
    for_members("accounts:account", 302, method="post", data=(("name", "mine"), ("scopes", "read"))),
    for_members("accounts:change_password", 200),
    for_members("accounts:change_password", 200, method="post"),
    for_members("accounts:revoke_token", 302, "own token", method="post"),
    for_members("accounts:revoke_token", 405, "own token"),
    for_members("accounts:revoke_token", 404, "token of another", method="post"),
    open_to_all("accounts:set_theme", 302, method="post", data=(("theme", "dark"),)),
    open_to_all("accounts:set_theme", 405),
    open_to_all("set_language", 302, method="post", data=(("language", "tr"),)),
    open_to_all("set_language", 302),
    open_to_all("accounts:favicon", 302),
    page("evaluation:runs"),
    *(page(f"evaluation:{name}", "run") for name in ("run", "configuration", "configuration_file", "samples")),
    page("evaluation:run", "run", query="fragment"),
    of_registrars("evaluation:new_run", 200),
    of_registrars("evaluation:new_run", 422, method="post", data=(("start", "yes"),)),
    of_registrars("evaluation:act", 405),
    of_registrars("evaluation:act", 302, method="post"),
    page("evaluation:samples_file", "run"),
    page("evaluation:sample", "run", "1"),
    Row("evaluation:sample", 404, SIGN_IN, 404, 404, 404, ("run", "99")),
    *(of_insiders(f"evaluation:{name}", "internal run") for name in OF_A_RUN),
    of_insiders("evaluation:sample", "internal run", "1"),
    *(of_insiders(f"evaluation:{name}", "private run") for name in OF_A_RUN),
    of_insiders("evaluation:sample", "private run", "1"),
    Row("evaluation:runs", 405, SIGN_IN, 405, 405, 405, method="post"),
    page("evaluation:compare"),
    Row("evaluation:compare", 404, SIGN_IN, 404, 404, 404, query="a=0"),
    Row("evaluation:comparison_file", 404, SIGN_IN, 404, 404, 404),
    of_registrars("evaluation:import", 200),
    of_registrars("evaluation:import", 422, method="post"),
    page("evaluation:benchmarks"),
    page("evaluation:benchmark", "piqa"),
    Row("evaluation:benchmark", 404, SIGN_IN, 404, 404, 404, ("nothing",)),
    *(of_the_house(f"evaluation:{name}", "a-private-set") for name in ("private_set", "private_items", "private_file")),
    of_registrars("evaluation:new_set", 200),
    of_registrars("evaluation:new_set", 422, method="post"),
    *(of_registrars(f"evaluation:{name}", 200, "a-private-set") for name in SETS_CHANGES),
    *(of_registrars(f"evaluation:{name}", 302, "a-private-set", method="post") for name in SETS_ACTIONS),
    of_registrars("evaluation:examine_again", 405, "a-private-set"),
    *(of_registrars(f"llms:{name}", 200) for name in ("models", "register")),
    of_registrars("llms:register", 422, method="post", query="from=files"),
    *(of_registrars(f"llms:{name}", 405) for name in ("look_around", "use_found")),
    of_registrars("llms:use_found", 302, method="post"),
    of_registrars("llms:endpoints", 200),
    of_registrars("llms:endpoint", 200, "endpoint"),
    of_registrars("llms:endpoint", 404, "0"),
    of_registrars("llms:endpoint", 405, "endpoint", method="post"),
    of_registrars("llms:ask_endpoint", 405, "endpoint"),
    of_registrars("llms:ask_endpoint", 404, "0", method="post"),
    of_registrars("llms:probe_endpoint", 405, "endpoint"),
    of_registrars("llms:probe_endpoint", 302, "endpoint", method="post"),
    *(of_registrars(f"llms:{step}", 200, "internal model") for step in TITLES),
    of_registrars("llms:publish", 422, "internal model", method="post"),
    of_registrars("llms:answer", 422, "internal model", method="post"),
    open_to_all("healthz", 200),
    open_to_all("readyz", 200),
    open_to_all("metrics", 200),
    Row("/nowhere/", 404, SIGN_IN, 404, 404, 404),
    Row("/admin-nowhere/", 404, SIGN_IN, 404, 404, 404),
    open_to_all("/static/img/favicon.svg", 200),
    open_to_all("/static/img/favicon.ico", 200),
    open_to_all("/static/nowhere.css", 404),
    open_to_all("/static/../manage.py", 404),
    #                                       visitor  stranger voter researcher admin
    of_the_admin("index", 200),
    of_the_admin("login", 200),
    of_the_admin("login", 200, method="post", data=(("username", "vera"), ("password", "correct horse battery"))),
    of_the_admin("logout", 302, method="post"),
    of_the_admin("password_change", 200),
    of_the_admin("password_change_done", 200),
    of_the_admin("jsi18n", 200),
    of_the_admin("view_on_site", 404, "1", "1"),
    of_the_admin("app_list", 200, "llms"),
    of_the_admin("autocomplete", 200, query="app_label=llms&model_name=languagemodel&field_name=parent&term="),
    of_the_admin("llms_languagemodel_changelist", 200),
    of_the_admin("llms_languagemodel_add", 200),
    of_the_admin("llms_languagemodel_change", 200, "internal model"),
    of_the_admin("llms_languagemodel_delete", 200, "internal model"),
    of_the_admin("llms_languagemodel_history", 200, "internal model"),
    of_the_admin("llms_endpoint_changelist", 200),
    of_the_admin("llms_endpoint_add", 200),
    of_the_admin("llms_endpoint_change", 200, "endpoint"),
    of_the_admin("llms_endpoint_delete", 200, "endpoint"),
    of_the_admin("llms_endpoint_history", 200, "endpoint"),
    *read_only("arena_battle", "voted battle"),
    *read_only("arena_vote", "vote"),
    *read_only("arena_voteimport", "import of votes"),
    *read_only("arena_voteexclusion", "exclusion"),
    *read_only("auth_group", "group"),
    *read_only("evaluation_run", "run"),
    of_the_admin("accounts_apitoken_changelist", 200),
    of_the_admin("accounts_apitoken_change", 200, "token of another"),
    of_the_admin("accounts_apitoken_history", 200, "token of another"),
    of_the_admin("accounts_apitoken_add", 403),
    of_the_admin("accounts_apitoken_delete", 403, "token of another"),
    of_the_admin("auth_user_changelist", 200),
    of_the_admin("auth_user_add", 200),
    of_the_admin("auth_user_change", 200, "somebody"),
    of_the_admin("auth_user_password_change", 200, "somebody"),
    of_the_admin("auth_user_history", 200, "somebody"),
    of_the_admin("auth_user_delete", 403, "somebody"),
    of_the_admin("auth_user_change", 200, "superuser"),
    of_the_admin("auth_user_change", 403, "superuser", method="post"),
    of_the_admin("auth_user_password_change", 403, "superuser"),
    of_the_admin("auth_user_password_change", 403, "superuser", method="post"),
    of_the_admin("auth_user_delete", 403, "superuser", method="post"),
]
