"""What the battle socket refuses, in words and without losing anything."""

import json
import uuid

import pytest
from django.contrib.sessions.models import Session
from django.core import signing
from django.utils import translation

from arena import consumers, voters
from arena.models import Answer, Battle, Turn, Vote, Voter
from tests.helpers.pages import Closed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rivals(orion, lyra):
    return [orion, lyra]


@pytest.fixture
async def voting(rivals, visits):
    """A page whose voter may vote."""
    page = await visits.open()
    await page.start()
    await page.until_phase("voting")
    return page


# --- who may come in


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:8000", "x"]
)
async def test_a_foreign_site_cannot_open_a_socket(origin, rivals, visits):
    with pytest.raises(Closed):
        await visits.open(origin=origin)


async def test_a_members_only_site_turns_visitors_away(rivals, visits, settings, in_thread):
    settings.ACCESS = "members"
    page = await visits.open()
    await page.start()  # sent before the answer arrives
    assert await page.until_closed() == consumers.NOT_ALLOWED
    await page.start()
    assert await page.frames_of(0.1) == []
    assert not await in_thread(Battle.objects.exists)


async def test_a_members_only_site_lets_members_in(rivals, vera, visits, settings):
    settings.ACCESS = "members"
    page = await visits.open(user=vera)
    await page.start()
    await page.until_phase("voting")


async def test_rights_end_with_the_session_and_not_with_the_socket(rivals, vera, visits, settings, in_thread):
    settings.ACCESS = "members"
    page = await visits.open(user=vera)
    await page.start()
    await page.until_phase("voting")
    await in_thread(Session.objects.all().delete)
    await page.ask("vote", outcome="a")
    assert await page.until_closed() == consumers.NOT_ALLOWED
    assert not await in_thread(Vote.objects.exists)


async def test_whoever_signs_out_leaves_the_battle_to_the_account(rivals, vera, visits, in_thread):
    page = await visits.open(user=vera)
    await page.start()
    await page.until_phase("voting")
    await in_thread(Session.objects.all().delete)
    await page.ask("vote", outcome="a")
    assert await page.until_closed() == consumers.NOT_FOUND
    assert not await in_thread(Vote.objects.exists)


async def test_a_lost_role_closes_the_battle_that_it_opened(register, rana, visits, enrol, in_thread):
    for name in ("Secret 7B", "Secret 8B"):
        await enrol(name, visibility="internal")
    page = await visits.open(user=rana)
    await page.start()
    await page.until_phase("voting")
    await in_thread(rana.groups.clear)
    await page.ask("sync")
    assert await page.until_closed() == consumers.NOT_FOUND


async def test_signing_in_ties_the_voter_to_the_account(rivals, vera, visits, in_thread):
    page = await visits.open(user=vera)
    await page.start()
    await page.until_phase("voting")
    assert await in_thread(lambda: Voter.objects.get().user) == vera


@pytest.mark.parametrize(
    "cookie",
    [None, "", "forged", signing.dumps("me", salt="another salt"), signing.dumps(["me"], salt=voters._SALT)],
    ids=["none", "empty", "forged", "another salt", "no text"],
)
async def test_without_a_cookie_of_ours_no_battle_begins(cookie, rivals, visits, in_thread):
    page = await visits.open(visitor=None, cookies={} if cookie is None else {voters.COOKIE: cookie})
    assert await page.until_closed() == consumers.NO_COOKIE
    assert not await in_thread(Voter.objects.exists)


@pytest.mark.parametrize("visitor", ["another id", None])
async def test_somebody_elses_battle_is_not_found_before_the_vote(visitor, voting, visits):
    page = await visits.to(voting.battle["id"], visitor=visitor)
    assert await page.until_closed() == consumers.NOT_FOUND
    assert page.received == []


async def test_an_unknown_battle_is_not_found(visits):
    page = await visits.to(str(uuid.uuid4()))
    assert await page.until_closed() == consumers.NOT_FOUND


@pytest.mark.parametrize("visitor", ["another id", None])
async def test_after_the_vote_others_may_read_but_not_act(visitor, voting, visits, in_thread):
    await voting.ask("vote", outcome="a")
    await voting.until_phase("revealed")
    n_voters = await in_thread(Voter.objects.count)
    page = await visits.to(voting.battle["id"], visitor=visitor)
    battle = await page.until_phase("revealed")
    assert (battle["is_mine"], battle["can_vote"], battle["can_continue"]) == (False, False, False)
    assert battle["reveal"] == voting.battle["reveal"]
    for wish in ({"kind": "vote", "outcome": "b"}, {"kind": "abstain"}, {"kind": "retry"}, {"kind": "stop"}):
        await page.ask(**wish)
        assert (await page.until_refused())["code"] in {"not_your_battle", "refused"}
    await page.ask("feedback", reasons=[], comment="mine now")
    await page.until_refused()
    await page.go_on("mine now")
    await page.until_refused()
    vote = await in_thread(Vote.objects.get)
    assert (vote.outcome, vote.comment) == ("a", "")
    assert await in_thread(Turn.objects.count) == 1
    assert await in_thread(Voter.objects.count) <= n_voters + bool(visitor)


async def test_a_battle_with_an_internal_model_stays_hidden_from_visitors(register, rana, visits, enrol, in_thread):
    for name in ("Secret 1B", "Hidden 1B"):
        await enrol(name, visibility="internal", reply="well")
    page = await visits.open()
    await page.start()
    assert (await page.until_refused())["code"] == "not_enough_models"
    page = await visits.open(user=rana, visitor="rana's browser")
    await page.start()
    await page.until_phase("voting")
    await page.ask("vote", outcome="a")
    await page.until_phase("revealed")
    stranger = await visits.to(page.battle["id"], visitor="another id")
    assert await stranger.until_closed() == consumers.NOT_FOUND
    colleague = await visits.to(page.battle["id"], visitor="a third id", user=rana)
    await colleague.until_phase("revealed")


async def test_a_visitor_never_meets_an_internal_model(rivals, enrol, visits, in_thread):
    await enrol("Secret 1B", visibility="internal", battle_weight=1e6, reply="well")
    for _ in range(10):
        page = await visits.open()
        await page.start()
        await page.until_phase("voting")
    assert set(await in_thread(lambda: list(Answer.objects.values_list("llm__name", flat=True)))) == {
        "Orion 7B",
        "Lyra 13B",
    }


# --- how much


async def test_too_many_battles_are_refused_with_a_time_to_wait(rivals, visits, settings, in_thread):
    settings.BATTLES_PER_HOUR = 1
    page = await visits.open()
    await page.start()
    await page.until_phase("voting")
    await page.start("Another one?")
    refusal = await page.until_refused()
    assert refusal["code"] == "rate_limited"
    assert 0 < refusal["retry_after"] <= 3600
    assert str(refusal["retry_after"]) in refusal["message"].replace(",", "")
    assert await in_thread(Battle.objects.count) == 1
    assert page.battle["can_vote"]


async def test_a_whole_address_is_limited_too(rivals, visits, settings):
    settings.BATTLES_PER_HOUR, settings.ADDRESS_FACTOR = 1, 2
    for visitor in ("one", "two"):
        page = await visits.open(visitor=visitor)
        await page.start()
        await page.until_phase("voting")
    page = await visits.open(visitor="three")
    await page.start()
    assert (await page.until_refused())["code"] == "rate_limited"


async def test_too_many_turns_are_refused(voting, settings):
    settings.TURNS_PER_MINUTE = 1
    await voting.go_on("Two?")
    await voting.until(lambda page: len(page.battle["turns"]) == 2 and page.battle["phase"] == "voting")
    await voting.go_on("Three?")
    refusal = await voting.until_refused()
    assert (refusal["code"], refusal["retry_after"] <= 60) == ("rate_limited", True)


async def test_too_many_votes_are_refused_and_can_be_cast_later(voting, visits, settings):
    settings.VOTES_PER_HOUR = 1
    await voting.ask("vote", outcome="nonsense")
    assert (await voting.until_refused())["code"] == "refused"  # and costs nothing
    await voting.ask("vote", outcome="a")
    await voting.until_phase("revealed")
    await voting.ask("vote", outcome="a")  # its acknowledgement was lost, perhaps: nor does that
    page = await visits.open()
    await page.start()
    await page.until_phase("voting")
    await page.ask("vote", outcome="b")
    assert (await page.until_refused())["code"] == "rate_limited"
    settings.VOTES_PER_HOUR = 2
    await page.ask("vote", outcome="b")
    await page.until_phase("revealed")


async def test_what_was_heard_before_is_not_paid_for_again(rivals, visits, settings):
    settings.BATTLES_PER_HOUR = settings.TURNS_PER_MINUTE = 1
    begin, go_on = str(uuid.uuid4()), str(uuid.uuid4())
    page = await visits.open()
    await page.start(key=begin)
    await page.until_phase("voting")
    for _ in range(2):
        await page.go_on("Two?", key=go_on)
        await page.until(lambda page: len(page.battle["turns"]) == 2 and page.battle["phase"] == "voting")
    other = await visits.open()
    await other.start(key=begin)
    await other.until_phase("voting")
    assert other.battle["id"] == page.battle["id"]
    assert not [frame for frame in page.received + other.received if "rate_limited" in frame]


async def test_a_page_that_asks_without_end_is_slowed_down(voting, settings):
    settings.FRAMES_PER_MINUTE = 5
    for _ in range(6):
        await voting.ask("sync")
    assert (await voting.until_refused())["code"] == "rate_limited"


async def test_one_visitor_does_not_take_all_there_is(rivals, enrol, visits, settings):
    settings.ACTIVE_TURNS_PER_VISITOR, settings.ADDRESS_FACTOR = 1, 2
    for name in ("Pavo 3B", "Cygnus 1B"):
        await enrol(name, hang_at=0, battle_weight=1e9)
    for visitor in ("one", "two"):
        page = await visits.open(visitor=visitor)
        await page.start()
        await page.until_phase("answering")
    again = await visits.open(visitor="two")
    await again.start("Another one?")
    assert (await again.until_refused())["code"] == "too_many_at_once"
    third = await visits.open(visitor="three")
    await third.start()
    assert (await third.until_refused())["code"] == "busy"  # the whole address has its share


async def test_a_server_that_streams_all_it_can_says_so(rivals, enrol, visits, settings):
    settings.MAX_ACTIVE_TURNS = 1
    for name in ("Pavo 3B", "Cygnus 1B"):
        await enrol(name, hang_at=0, battle_weight=1e9)
    key = str(uuid.uuid4())
    page = await visits.open()
    await page.start(key=key)
    await page.until_phase("answering")
    other = await visits.open()
    await other.start()
    assert (await other.until_refused())["code"] == "busy"
    await other.start(key=key)  # no new battle: a page that lost its socket comes back to its own
    await other.until_phase("answering")
    assert other.battle["id"] == page.battle["id"]


@pytest.mark.parametrize(
    ("prompt", "code"), [("", "bad_prompt"), (" \n\x00", "bad_prompt"), ("x" * 8001, "bad_prompt")]
)
async def test_a_prompt_that_cannot_be_is_refused_and_costs_nothing(prompt, code, rivals, visits, settings):
    settings.BATTLES_PER_HOUR = 1
    page = await visits.open()
    await page.start(prompt)
    assert (await page.until_refused())["code"] == code
    await page.start("x" * 8000)
    await page.until_phase("voting")


# --- what


HOSTILE = [
    "",
    "{",
    "null",
    "[]",
    '"start"',
    "{}",
    '{"type": "reveal"}',
    '{"type": ["start"]}',
    '{"type": "start"}',
    '{"type": "start", "key": "1", "prompt": "x"}',
    '{"type": "start", "key": {"a": 1}, "prompt": "x"}',
    json.dumps({"type": "start", "key": str(uuid.uuid4()), "prompt": ["x"]}),
    json.dumps({"type": "start", "key": str(uuid.uuid4()), "prompt": "x", "rematch_of": "last"}),
    '{"type": "vote", "outcome": null}',
    '{"type": "feedback", "reasons": "useful"}',
    '{"type": "feedback", "reasons": [1]}',
    '{"type": "feedback", "reasons": [], "comment": 7}',
    '{"type": "turn", "key": "\\ud800"}',
    "[" * 5_000,
    '{"type": "sync", "x": 1e999}',
    '{"type": "start", "prompt": "' + "x" * 60_000 + '"}',
    b"\x00\xff\xfe",
    b'{"type": "sync"}',
]


async def test_no_frame_however_hostile_closes_the_socket(voting):
    for payload in HOSTILE:
        await voting.transport.send(payload)
        assert (await voting.until_refused())["code"] == "bad_frame"
    await voting.ask("vote", outcome="a")
    await voting.until_phase("revealed")


async def test_a_wish_without_a_battle_is_refused(rivals, visits):
    page = await visits.open()
    for wish in ({"kind": "vote", "outcome": "a"}, {"kind": "stop"}, {"kind": "retry"}, {"kind": "abstain"}):
        await page.ask(**wish)
        assert (await page.until_refused())["code"] == "refused"
    await page.ask("sync")
    assert await page.frames_of(0.05) == []


async def test_an_outcome_that_is_none_is_refused(voting, in_thread):
    for outcome in ("", "A", "c", "both bad", "a\x00"):
        await voting.ask("vote", outcome=outcome)
        assert (await voting.until_refused())["code"] == "refused"
    assert not await in_thread(Vote.objects.exists)


async def test_a_comment_that_is_too_long_is_refused(voting, in_thread):
    await voting.ask("feedback", reasons=[], comment="early")
    assert (await voting.until_refused())["code"] == "not_now"
    await voting.ask("vote", outcome="a")
    await voting.until_phase("revealed")
    await voting.ask("feedback", reasons=[], comment="x" * 2_001)
    assert "2000" in (await voting.until_refused())["message"].replace(",", "")
    assert (await in_thread(Vote.objects.get)).comment == ""


async def test_a_defect_of_ours_is_said_kindly_and_logged(voting, visits, monkeypatch):
    visits.expected_errors = {"a frame could not be answered"}
    monkeypatch.setattr(consumers.battles, "cast_vote", lambda *_, **__: 1 / 0)
    await voting.ask("vote", outcome="a")
    refusal = await voting.until_refused()
    assert refusal["code"] == "server_error"
    assert "division" not in json.dumps(refusal)
    monkeypatch.undo()
    await voting.ask("sync")
    assert (await voting.next())["battle"]["can_vote"]


# --- in which language


@pytest.mark.parametrize(
    ("cookies", "headers", "language"),
    [
        ({}, {}, "en"),
        ({}, {"accept-language": "tr,en;q=0.5"}, "tr"),
        ({"django_language": "tr"}, {"accept-language": "en"}, "tr"),
        ({"django_language": "xx"}, {"accept-language": "de"}, "en"),
    ],
)
async def test_it_speaks_the_readers_language(cookies, headers, language, rivals, visits, monkeypatch):
    monkeypatch.setattr(consumers, "_", lambda text: f"{translation.get_language()}: {text}")
    page = await visits.open(cookies=cookies, headers=headers)
    await page.ask("nonsense")
    assert (await page.until_refused())["message"].startswith(f"{language}: ")
