"""Who signs in in the middle of a battle goes on with it."""

import uuid

import pytest
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils import timezone

from arena import battles, voters
from arena.adoption import FRESH_FOR, adopt_open_battles
from arena.battles import Participant
from arena.models import Battle
from tests.conftest import as_voter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("orion", "lyra")]

SIGN_IN = "/accounts/sign-in/"
PASSWORD = {"username": "vera", "password": "correct horse battery"}


@pytest.fixture
def account(vera):
    return Participant(voters.remember("a random id", vera), vera)


def test_the_battle_is_the_accounts_and_the_page_goes_on_there(begin, finish, vera, client):
    battle = finish(begin())
    address = reverse("arena:battle", args=[battle.pk])
    answer = as_voter(client).post(SIGN_IN, {**PASSWORD, "next": address}, follow=True)
    assert answer.request["PATH_INFO"] == address
    assert (answer.status_code, answer.context["battle"]["can_vote"]) == (200, True)
    who = Participant(voters.known(None, vera), vera)
    assert battles.cast_vote(battles.load(battle.pk), who, outcome="a").voter == who.voter


def test_after_signing_out_the_browser_does_not_open_it_any_more(begin, finish, vera, client):
    address = reverse("arena:battle", args=[finish(begin()).pk])
    as_voter(client).post(SIGN_IN, PASSWORD)
    client.post("/accounts/sign-out/")
    assert client.get(address).status_code == 404


def test_a_battle_that_is_still_being_answered_changes_hands_too(begin, account):
    battle = begin()
    assert adopt_open_battles("a random id", account.user) == 1
    assert Battle.objects.get(pk=battle.pk).voter == account.voter


def test_votes_stay_with_who_cast_them(voted, visitor, account):
    battle = voted("a")
    assert adopt_open_battles("a random id", account.user) == 0
    battle.refresh_from_db()
    assert battle.voter == battle.vote.voter == visitor.voter


def test_a_battle_that_its_voter_could_not_judge_is_over(begin, finish, visitor, account):
    battles.abstain(finish(begin()), visitor)
    assert adopt_open_battles("a random id", account.user) == 0


def test_only_this_browsers_battles_change_hands(begin, finish, stranger, account):
    theirs = finish(begin("Hello", stranger))
    assert adopt_open_battles("a random id", account.user) == 0
    assert Battle.objects.get(pk=theirs.pk).voter == stranger.voter


def test_what_was_left_in_a_shared_browser_long_ago_is_not_handed_over(begin, visitor, account):
    battle = begin()
    Battle.objects.update(created_at=timezone.now() - FRESH_FOR)
    assert adopt_open_battles("a random id", account.user) == 0
    assert Battle.objects.get(pk=battle.pk).voter == visitor.voter


def test_a_wish_that_the_account_had_too_stays_where_it_is(begin, visitor, account):
    """Both began a battle under one key: the account has its own."""
    key = uuid.uuid4()
    for who in (visitor, account):
        battles.start(who, key=key, prompt="Hello")
    other = begin()
    assert adopt_open_battles("a random id", account.user) == 1
    assert set(account.voter.battles.values_list("key", flat=True)) == {key, other.key}
    assert visitor.voter.battles.count() == 1


def test_a_repeated_wish_finds_the_battle_that_changed_hands(visitor, account):
    key = uuid.uuid4()
    battle = battles.start(visitor, key=key, prompt="Hello")
    adopt_open_battles("a random id", account.user)
    assert battles.start(account, key=key, prompt="Hello") == battle


def test_somebody_who_never_battled_leaves_no_trace(vera, client):
    as_voter(client, "somebody new").post(SIGN_IN, PASSWORD)
    assert voters.known("somebody new", AnonymousUser()) is None
    assert voters.known(None, vera) is None


def test_a_browser_without_our_cookie_signs_in_as_ever(vera, client):
    assert client.post(SIGN_IN, PASSWORD).status_code == 302
