"""Who gets which answer from which address: one table, walked by every kind of person in both access modes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts import tokens
from accounts.roles import Scope
from arena import battles, voters
from arena.battles import Participant
from arena.models import Answer, Battle, VoteExclusion, VoteImport
from leaderboard import live
from llms.models import Endpoint, Visibility
from tests.conftest import as_voter
from tests.helpers.access_table import SECRET, SIGN_IN, TABLE, Row
from tests.helpers.run_rows import private_set, runs_of

pytestmark = pytest.mark.django_db


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
    source = VoteImport.objects.create(digest="0" * 64, name="votes.csv", n_votes=0, n_left_out=0)
    live.refresh_all()
    superuser = User.objects.create_superuser("sude", password="correct horse battery")
    return {
        "battle of another": finish(begin("Hello", stranger)).pk,
        "voted battle": voted.pk,
        "voted internal battle": internal.pk,
        "vote": voted.vote.pk,
        "import of votes": source.pk,
        "exclusion": VoteExclusion.objects.create(source=source, reason="test").pk,
        "internal model": nova.pk,
        "endpoint": Endpoint.objects.create(name="lab", base_url="http://127.0.0.1:8000/v1").pk,
        "token of another": tokens.issue(superuser, name="hers", scopes=[Scope.READ]).token.pk,
        "somebody": vera.pk,
        "superuser": superuser.pk,
        **runs_of(orion, nova),
        "private set": private_set().pk,
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
    if getattr(response, "is_async", False):
        return async_to_sync(_streamed)(response).decode(errors="replace")
    return response.getvalue().decode(errors="replace")


async def _streamed(response: Any) -> bytes:
    return b"".join([part async for part in response.streaming_content])


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
