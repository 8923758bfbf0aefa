"""The battle page, the administrators' look at battles, and the command that recounts."""

import uuid

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from arena import battles, ledger, voters
from arena.models import Answer, Battle, PairCount, Turn
from arena.protocol import AnswerState
from tests.conftest import as_voter

pytestmark = pytest.mark.django_db


def test_the_new_battle_page_gives_an_id_to_vote_with(orion, lyra, client):
    answer = client.get(reverse("arena:new_battle"))
    assert answer.status_code == 200
    assert voters.id_in({voters.COOKIE: answer.cookies[voters.COOKIE].value})
    assert "no-store" in answer["Cache-Control"]


def test_the_new_battle_page_names_no_model_before_a_battle(orion, lyra, client):
    page = client.get(reverse("arena:new_battle")).content.decode()
    assert "Orion" not in page
    assert "Lyra" not in page


def test_without_two_models_the_page_says_what_is_missing(orion, client):
    assert client.get(reverse("arena:new_battle")).context["n_contenders"] == 1


def test_pages_with_model_text_let_no_string_become_markup(orion, lyra, client):
    policy = client.get(reverse("arena:new_battle"))["Content-Security-Policy"]
    assert "require-trusted-types-for 'script'" in policy
    assert "trusted-types 'none'" in policy
    assert "unsafe" not in policy


def test_before_the_vote_a_battle_opens_for_its_voter_only(orion, lyra, begin, finish, client):
    url = reverse("arena:battle", args=[finish(begin()).pk])
    assert client.get(url).status_code == 404
    answer = as_voter(client).get(url)
    assert answer.status_code == 200
    assert "Orion" not in answer.content.decode()


def test_after_the_vote_it_opens_for_everybody_with_the_names(orion, lyra, voted, client):
    answer = client.get(reverse("arena:battle", args=[voted("a").pk]))
    assert answer.status_code == 200
    assert "Orion 7B" in answer.content.decode()


def test_an_unknown_battle_is_not_found(client):
    assert client.get(reverse("arena:battle", args=[uuid.uuid4()])).status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_pages_are_only_read(method, client):
    assert getattr(client, method)(reverse("arena:new_battle")).status_code == 405


def test_administrators_see_every_attempt_and_change_nothing(orion, lyra, voted, adem, sign_in):
    battle = voted("a")
    Answer.objects.filter(side="b").update(error_code="stalled", error_detail="no token for 20 s from 10.0.0.7")
    admin = sign_in(adem)
    page = admin.get(reverse("admin:arena_battle_change", args=[battle.pk]))
    assert page.status_code == 200
    assert "no token for 20 s from 10.0.0.7" in page.content.decode()
    for name in ("battle", "vote"):
        assert admin.get(reverse(f"admin:arena_{name}_changelist")).status_code == 200
        assert admin.get(reverse(f"admin:arena_{name}_add")).status_code == 403
    assert admin.post(reverse("admin:arena_battle_change", args=[battle.pk]), {}).status_code == 403
    assert admin.post(reverse("admin:arena_battle_delete", args=[battle.pk]), {"post": "yes"}).status_code == 403
    assert Battle.objects.exists()


def test_rows_name_themselves_for_the_shell(orion, lyra, voted, visitor):
    battle = voted("a")
    assert str(battle) == f"battle {battle.pk}"
    assert str(battle.vote) == f"vote a on {battle.pk}"
    assert str(Turn.objects.get()) == f"turn 0 of {battle.pk}"
    assert str(Answer.objects.get(side="a")) == f"answer a1 of {Turn.objects.get().pk}"
    assert str(visitor.voter).startswith("voter ")
    assert str(PairCount.objects.get()).endswith(": 1")


# --- recounting


def test_the_command_finds_counts_that_are_right(orion, lyra, voted, capsys):
    voted("a")
    call_command("rebuild_counts", "--check")
    assert "agree" in capsys.readouterr().out


def test_the_command_finds_counts_that_are_wrong_and_mends_them(orion, lyra, voted, capsys):
    voted("a")
    PairCount.objects.update(n=7)
    with pytest.raises(CommandError, match="disagree"):
        call_command("rebuild_counts", "--check")
    assert "Tally(n=7" in capsys.readouterr().out
    assert PairCount.objects.get().n == 7
    call_command("rebuild_counts")
    assert "1 cells" in capsys.readouterr().out
    assert ledger.differences() == []


# --- what two do at once


def test_who_loses_the_race_to_begin_gets_the_battle_of_the_winner(orion, lyra, visitor, monkeypatch):
    key, draw = uuid.uuid4(), battles._draw
    winner = []

    def while_another_request_is_faster(*arguments):
        monkeypatch.setattr(battles, "_draw", draw)
        winner.append(battles.start(visitor, key=key, prompt="Hi"))
        return draw(*arguments)

    monkeypatch.setattr(battles, "_draw", while_another_request_is_faster)
    loser = battles.start(visitor, key=key, prompt="Hi")
    assert loser == winner[0]
    assert (winner[0].is_new, loser.is_new) == (True, False)


def test_a_turn_is_new_only_for_who_made_it(orion, lyra, begin, finish, visitor):
    battle, key = finish(begin()), uuid.uuid4()
    assert battles.take_turn(battle, visitor, key=key, prompt="Two?").is_new
    assert not battles.take_turn(battle, visitor, key=key, prompt="Two?").is_new


def test_a_side_that_was_retried_meanwhile_is_not_replaced(orion, lyra, pavo, begin, finish, visitor):
    battle = finish(begin(), a=AnswerState.FAILED)
    failed = Answer.objects.get(side="a")
    Answer.objects.filter(pk=failed.pk).update(state=AnswerState.CUT_OFF)
    assert battles.replace(failed, visitor.user, already_tried=[]) is None
    assert battles.load(battle.pk).probability is not None
