"""The battle socket, from the first prompt to the names."""

import uuid

import pytest

from arena import ledger
from arena.models import Answer, Battle, Vote
from llms.models import LanguageModel

pytestmark = pytest.mark.django_db(transaction=True)

SPOKEN = ["I am Or", "ion", " 7", "B by North", "lab. Lyra", "-13", "b is another", "; orion_7b, ", "ly", "ra 13B."]


@pytest.fixture
def rivals(register):
    """Two that cannot keep their names to themselves."""
    return [
        register("Orion 7B", organisation="Northlab", aliases=["Orionis"], chunks=[*SPOKEN, " Orion", "is."]),
        register(
            "Lyra 13B", organisation="Blue Peak", aliases=["Lyrae"], chunks=["I was made by Blue P", "eak. ", *SPOKEN]
        ),
    ]


@pytest.fixture
def slow_rivals(register):
    return [register(name, reply="abcdefgh" * 20, delay=0.01) for name in ("Orion 7B", "Lyra 13B")]


async def test_it_leads_from_the_prompt_to_the_names(rivals, visits, in_thread):
    page = await visits.open()
    await page.start("Who are you?")
    battle = await page.until_phase("answering")
    assert battle["is_mine"]
    assert [turn["prompt"] for turn in battle["turns"]] == ["Who are you?"]
    assert not battle["can_vote"]

    battle = await page.until_phase("voting")
    assert (battle["can_vote"], battle["can_continue"], battle["can_retry"]) == (True, True, False)
    assert page.states() == {"a": "complete", "b": "complete"}

    await page.ask("vote", outcome="a")
    battle = await page.until_phase("revealed")
    row = await in_thread(Battle.objects.select_related("llm_a", "llm_b").get)
    assert (battle["reveal"]["a"]["name"], battle["reveal"]["b"]["name"]) == (row.llm_a.name, row.llm_b.name)
    assert battle["reveal"]["wins_a"] == 1
    assert battle["vote"] == {"outcome": "a", "reasons": [], "comment": ""}
    assert await in_thread(ledger.differences) == []


async def test_no_frame_tells_a_name_before_the_vote(rivals, visits, in_thread):
    page, other_tab = await visits.open(), None
    await page.start("Who are you?")
    battle = await page.until(lambda page: any(page.texts().values()))
    other_tab = await visits.to(battle["id"])
    await page.until_phase("voting")
    await other_tab.until_phase("voting")
    await page.go_on("And who is the other?")
    await page.until(lambda page: len(page.battle["turns"]) == 2 and page.battle["phase"] == "voting")
    await other_tab.until(lambda page: len(page.battle["turns"]) == 2 and page.battle["phase"] == "voting")

    told = "".join(visits.frames).casefold()
    shown = "".join(text for turn in (0, 1) for text in page.texts(turn).values())
    names = await in_thread(
        lambda: [n for llm in LanguageModel.objects.all() for n in (llm.name, llm.slug, *llm.aliases)]
    )
    for name in names:
        assert name.casefold() not in told
        assert name.casefold() not in shown.casefold()
    for word in ("orion", "lyra", "northlab", "blue peak"):
        assert word not in shown.casefold().replace("█", "")
    assert "expected" not in told.replace('"expected_a"', "")
    assert '"reveal":null' in told


async def test_once_voted_the_answers_are_shown_as_they_were_written(rivals, visits, in_thread):
    page = await visits.open()
    await page.start()
    await page.until_phase("voting")
    assert "█" in page.texts()["a"]
    await page.ask("vote", outcome="tie")
    await page.until_phase("revealed")
    written = await in_thread(lambda: dict(Answer.objects.values_list("side", "text")))
    assert page.texts() == written
    assert "Orion 7B" in "".join(written.values())


async def test_asking_twice_with_one_key_begins_one_battle(rivals, visits, in_thread):
    key = str(uuid.uuid4())
    page = await visits.open()
    await page.start(key=key)
    await page.start(key=key)
    battle = await page.until_phase("voting")
    again = await visits.open()
    await again.start(key=key)
    assert (await again.until_phase("voting"))["id"] == battle["id"]
    assert await in_thread(Battle.objects.count) == 1
    assert await in_thread(Answer.objects.count) == 2


@pytest.mark.parametrize("is_new_turn", [False, True])
async def test_a_wish_that_another_process_heard_first_is_not_run_twice(is_new_turn, slow_rivals, visits, processes):
    key = str(uuid.uuid4())
    page = await visits.open(served_by="one")
    if is_new_turn:
        await page.start()
        battle = await page.until_phase("voting")
        await page.go_on("And then?", key=key)
        await page.until_phase("answering")
        other = await visits.to(battle["id"], served_by="two")
        await other.go_on("And then?", key=key)
    else:
        await page.start(key=key)
        await page.until_phase("answering")
        other = await visits.open(served_by="two")
        await other.start(key=key)
    await other.until_phase("answering")
    assert processes.of("one")._by_battle
    assert not processes.of("two")._by_battle
    await page.until_phase("voting")
    await other.until_phase("voting")
    assert page.texts() == other.texts() == {"a": "abcdefgh" * 20, "b": "abcdefgh" * 20}


async def test_a_key_of_a_turn_long_gone_runs_nothing(rivals, visits, processes):
    key = str(uuid.uuid4())
    page = await visits.open()
    await page.start()
    await page.until_phase("voting")
    await page.go_on("Second", key=key)
    await page.until(lambda page: len(page.battle["turns"]) == 2 and page.battle["phase"] == "voting")
    await page.go_on("Third")
    battle = await page.until(lambda page: len(page.battle["turns"]) == 3 and page.battle["phase"] == "voting")
    await page.go_on("Second", key=key)
    assert (await page.next())["battle"] == battle
    assert not processes.of("one")._by_battle


async def test_two_sockets_that_vote_at_once_make_one_vote(rivals, visits, in_thread):
    page = await visits.open()
    await page.start()
    battle = await page.until_phase("voting")
    other = await visits.to(battle["id"])
    await other.until_phase("voting")
    await page.ask("vote", outcome="a")
    await other.ask("vote", outcome="b")
    refusals = []
    for tab in (page, other):
        while tab.battle["phase"] != "revealed":
            frame = await tab.next()
            refusals += [frame] if frame["type"] == "error" else []
        refusals += [frame for frame in await tab.frames_of(0.2) if frame["type"] == "error"]
    assert [refusal["code"] for refusal in refusals] == ["already_voted"]
    assert page.battle == other.battle
    vote = await in_thread(Vote.objects.get)
    assert vote.outcome == page.battle["vote"]["outcome"]


async def test_a_second_tab_sees_the_vote_the_reasons_and_the_names(rivals, visits):
    page = await visits.open()
    await page.start()
    battle = await page.until_phase("voting")
    other = await visits.to(battle["id"])
    await other.until_phase("voting")
    await page.ask("vote", outcome="b")
    await other.until_phase("revealed")
    assert other.battle["reveal"]["a"]["name"] in {"Orion 7B", "Lyra 13B"}
    await other.ask("feedback", reasons=["useful"], comment="Nice\x00 one")
    said = {"outcome": "b", "reasons": ["useful"], "comment": "Nice one"}
    await page.until(lambda page: page.battle["vote"] == said)
    await other.until(lambda page: page.battle["vote"] == said)


async def test_abstaining_ends_the_battle_and_reveals_nothing(rivals, visits, in_thread):
    page = await visits.open()
    await page.start()
    await page.until_phase("voting")
    await page.ask("abstain")
    battle = await page.until_phase("abstained")
    assert (battle["reveal"], battle["vote"], battle["can_vote"]) == (None, None, False)
    await page.ask("vote", outcome="a")
    assert (await page.until_refused())["code"] == "not_now"
    assert not await in_thread(Vote.objects.exists)
    assert "Orion" not in "".join(visits.frames)


async def test_a_battle_can_be_fought_again_with_the_same_prompt(rivals, enrol, visits, in_thread):
    for name in ("Pavo 3B", "Cygnus 1B"):
        await enrol(name)
    page = await visits.open()
    await page.start("Who are you?")
    battle = await page.until_phase("voting")
    await page.ask("vote", outcome="a")
    await page.until_phase("revealed")
    await page.start("Who are you?", rematch_of=battle["id"])
    await page.until(lambda page: page.battle["id"] != battle["id"] and page.battle["phase"] == "voting")
    first, second = await in_thread(lambda: list(Battle.objects.order_by("created_at")))
    assert second.rematch_of_id == first.pk
    assert not {first.llm_a_id, first.llm_b_id} & {second.llm_a_id, second.llm_b_id}


async def test_a_socket_is_told_everything_again_when_it_asks(rivals, visits):
    page = await visits.open()
    await page.start()
    battle = await page.until_phase("voting")
    for _ in range(3):
        await page.ask("sync")
        frame = await page.next()
        assert (frame["type"], frame["battle"]) == ("state", battle)
