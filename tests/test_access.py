"""Who gets which answer from which address: one table, walked by every kind of person in both access modes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts import tokens
from accounts.roles import Scope
from arena import battles, voters
from arena.battles import Participant
from arena.models import Answer, Battle
from leaderboard import live
from llms.models import Endpoint, Visibility
from tests.conftest import as_voter

pytestmark = pytest.mark.django_db

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


TABLE = [
    #                                       visitor  stranger voter researcher admin
    page("arena:new_battle"),
    page("arena:new_battle", method="head"),
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
    open_to_all("healthz", 200),
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
    *read_only("auth_group", "group"),
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


@pytest.fixture
def site(orion, lyra, register, stranger, begin, finish, vera, rana, adem) -> dict[str, Any]:
    """Something of everything that has an address. What is somebody's own is made when it is known who asks."""
    nova = register(f"{SECRET} 70B", visibility=Visibility.INTERNAL, organisation=f"{SECRET} Labs")

    def voted_with(voter: Participant, **seats: Any) -> Battle:
        battle = finish(begin("Hello", voter))
        for side, llm in seats.items():
            Battle.objects.filter(pk=battle.pk).update(**{f"llm_{side}": llm})
            Answer.objects.filter(turn__battle=battle, side=side).update(llm=llm)
        battles.cast_vote(battles.load(battle.pk), voter, outcome="a")
        return battles.load(battle.pk)

    voted = voted_with(stranger)
    internal = voted_with(stranger, a=nova)
    live.refresh_all()
    superuser = User.objects.create_superuser("sude", password="correct horse battery")
    return {
        "battle of another": finish(begin("Hello", stranger)).pk,
        "voted battle": voted.pk,
        "voted internal battle": internal.pk,
        "vote": voted.vote.pk,
        "internal model": nova.pk,
        "endpoint": Endpoint.objects.create(name="lab", base_url="http://127.0.0.1:8000/v1").pk,
        "token of another": tokens.issue(superuser, name="hers", scopes=[Scope.READ]).token.pk,
        "somebody": vera.pk,
        "superuser": superuser.pk,
        "group": Group.objects.get(name="voter").pk,
    }


@pytest.fixture
def own(begin, finish) -> Callable[[User | None], dict[str, Any]]:
    """A battle without a vote and a token, of a person or of the visitor behind every client's cookie."""

    def own(person: User | None) -> dict[str, Any]:
        user = person or AnonymousUser()
        battle = finish(begin("Hello", Participant(voters.remember("a random id", user), user)))
        token_id = tokens.issue(person, name="mine", scopes=[Scope.READ]).token.pk if person else 0
        return {"own battle": battle.pk, "own token": token_id}

    return own


@pytest.fixture(params=["public", "members"])
def access(request: pytest.FixtureRequest, settings: Any) -> str:
    settings.ACCESS = request.param
    return request.param


@contextmanager
def _undone() -> Iterator[None]:
    """What a request changes must not be there for the next one."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _ask(client: Client, row: Row, site: dict[str, Any]) -> HttpResponse:
    address = row.name if row.name.startswith("/") else reverse(row.name, args=[site.get(a, a) for a in row.args])
    response = getattr(client, row.method)(f"{address}?{row.query}" if row.query else address, dict(row.data))
    while response.status_code == 302 and response["Location"].startswith("/admin/"):
        response = client.get(response["Location"])
    return response


def _answer(response: HttpResponse) -> int | str:
    goes_to_sign_in = response.status_code == 302 and response["Location"].startswith(reverse("accounts:sign_in"))
    return SIGN_IN if goes_to_sign_in else response.status_code


def _text(response: HttpResponse) -> str:
    return response.getvalue().decode(errors="replace")


@pytest.mark.parametrize("who", ["visitor", "voter", "researcher", "admin"])
def test_everybody_gets_the_answer_of_the_table(who, access, site, own, sign_in):
    person = User.objects.filter(groups__name=who).first()
    expected_of = attrgetter("stranger" if who == "visitor" and access == "members" else who)
    site |= own(person)
    surprises = []
    for row in TABLE:
        with _undone():
            response = _ask(as_voter(sign_in(person)), row, site)
            if _answer(response) != expected_of(row):
                surprises.append(f"{row} answers {_answer(response)}, not {expected_of(row)}")
            if SECRET in _text(response) and who in {"visitor", "voter"}:
                surprises.append(f"{row} names the internal model")
    assert surprises == []


def test_the_table_knows_every_address():
    addresses = set(_names(get_resolver().url_patterns))
    assert addresses - {row.name for row in TABLE} == set(), "write rows for these: who may, and what do others see?"


def _names(patterns: list[URLPattern | URLResolver], namespace: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _names(pattern.url_patterns, inner)
        elif pattern.name:
            yield namespace + pattern.name


def test_a_visitor_of_a_closed_site_comes_back_to_where_he_wanted_to_go(settings, sign_in, vera):
    settings.ACCESS = "members"
    client = sign_in(None)
    response = client.get("/leaderboard/?x=1")
    assert response["Location"] == "/accounts/sign-in/?next=/leaderboard/%3Fx%3D1"
    credentials = {"username": "vera", "password": "correct horse battery"}
    assert client.post(response["Location"], credentials)["Location"] == "/leaderboard/?x=1"


@pytest.mark.parametrize(
    "path", ["/healthz/../leaderboard/", "/static/../leaderboard/", "//leaderboard/", "/Api/v1/me"]
)
def test_no_spelling_of_a_path_gets_a_visitor_into_a_closed_site(path, settings, client, db):
    settings.ACCESS = "members"
    response = client.get(path)
    assert _answer(response) in {SIGN_IN, 401, 404}


def test_before_the_vote_the_page_of_a_battle_names_no_model_to_anybody(site, own, vera, rana, adem, sign_in):
    for person in (None, vera, rana, adem):
        address = reverse("arena:battle", args=[own(person)["own battle"]])
        page_text = _text(as_voter(sign_in(person)).get(address))
        assert not [name for name in ("Orion", "Lyra", SECRET, "Northlab", "Blue Peak") if name in page_text]


def test_whoever_uses_the_browser_next_does_not_open_what_was_left_in_it(orion, lyra, own, vera, rana, sign_in):
    for person in (None, vera):
        address = reverse("arena:battle", args=[own(person)["own battle"]])
        for asking in (None, vera, rana):
            expected = 200 if asking == person else 404
            assert as_voter(sign_in(asking)).get(address).status_code == expected


def test_an_internal_model_that_was_replaced_is_not_named_to_the_public(site, sign_in, rana):
    """It had been drawn for a researcher, failed, and the battle went on between two public models."""
    turn_answer = Answer.objects.filter(turn__battle=site["voted battle"], side="a")
    seated = turn_answer.get()
    turn_answer.update(attempt=2)
    seated.pk, seated.llm_id, seated.attempt, seated.state = None, site["internal model"], 1, "replaced"
    seated.save()
    address = reverse("arena:battle", args=[site["voted battle"]])
    assert SECRET in _text(sign_in(rana).get(address))
    assert SECRET not in _text(sign_in(None).get(address))


# --- internal models on the board --------------------------------------------------------------------------------


def _board(client: Client) -> dict[str, Any]:
    return client.get("/api/v1/leaderboard").json()


def test_internal_rows_and_their_votes_are_for_researchers_and_administrators(site, vera, rana, adem, sign_in):
    for person in (None, vera):
        board = _board(sign_in(person))
        assert (board["audience"], board["n_votes"]) == ("public", 1)
        assert {row["model"] for row in board["rows"]} == {"orion-7b", "lyra-13b"}
    for person in (rana, adem):
        board = _board(sign_in(person))
        assert (board["audience"], board["n_votes"]) == ("internal", 2)
        assert {row["model"] for row in board["rows"]} == {"orion-7b", "lyra-13b", "nova-70b"}
        for address in ("/leaderboard/", "/leaderboard/?fragment", "/leaderboard.csv", "/api/v1/models"):
            assert SECRET in _text(sign_in(person).get(address))


def test_public_numbers_are_the_same_whatever_internal_models_do(site, sign_in, stranger, begin, finish, register):
    before = _board(sign_in(None))
    other = register(f"{SECRET} 8B", visibility=Visibility.INTERNAL)
    for _ in range(3):
        battle = finish(begin("Hello", stranger))
        Battle.objects.filter(pk=battle.pk).update(llm_a=site["internal model"], llm_b=other)
        battles.cast_vote(battles.load(battle.pk), stranger, outcome="b")
    assert live.refresh_all() == 1  # the internal one
    assert _board(sign_in(None)) == before


def test_a_model_that_becomes_internal_is_gone_at_once(site, orion, sign_in):
    orion.visibility = Visibility.INTERNAL
    orion.save()
    for address in ("/leaderboard/", "/leaderboard.csv", "/api/v1/leaderboard", "/api/v1/models"):
        assert "Orion" not in _text(sign_in(None).get(address))


def test_no_answer_that_differs_by_reader_may_be_shared_by_a_cache(site, sign_in):
    for address in (
        "/",
        "/leaderboard/",
        "/leaderboard/?fragment",
        "/leaderboard.csv",
        "/api/v1/leaderboard",
        "/api/v1/me",
    ):
        assert "Cookie" in sign_in(None).get(address)["Vary"], address
