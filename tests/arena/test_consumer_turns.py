"""What can happen between the prompt and the vote: more turns, stops, failures, retries and replacements."""

import asyncio
from concurrent.futures import Future

import pytest

from arena import live_turns
from arena.models import Answer, Battle, Turn
from tests.helpers.engines import BrokenEngine, EndlessEngine, ListeningEngine, Shelf

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "once upon a time " * 200


@pytest.fixture
def shelf(monkeypatch):
    def shelf(**engines):
        stand_in = Shelf(**engines)
        monkeypatch.setattr(live_turns, "pool", stand_in)
        return stand_in

    return shelf


@pytest.fixture
def attempts(in_thread):
    """All attempts of all turns, in order, as the database has them."""

    async def attempts(*fields):
        rows = Answer.objects.order_by("turn__index", "side", "attempt").values_list(*fields)
        return await in_thread(lambda: list(rows))

    return attempts


def is_writing(page):
    return all(state == "streaming" for state in page.states().values())


# --- more turns


async def test_the_next_turn_goes_to_the_same_models_with_all_that_was_said(orion, lyra, shelf, visits, settings):
    settings.ANSWER_TOKEN_LIMIT = 99
    engines = {"orion": ListeningEngine(), "lyra": ListeningEngine()}
    shelf(**engines)
    page = await visits.open()
    await page.start("One?")
    await page.until_phase("voting")
    await page.go_on("  Two?\x00 ")
    battle = await page.until(lambda page: len(page.battle["turns"]) == 2 and page.battle["phase"] == "voting")
    assert [turn["prompt"] for turn in battle["turns"]] == ["One?", "Two?"]
    assert page.texts(1) == {"a": "answer 2", "b": "answer 2"}
    for engine in engines.values():
        assert engine.conversations == [
            [("user", "One?")],
            [("user", "One?"), ("assistant", "answer 1"), ("user", "Two?")],
        ]
        assert {sampling.max_new_tokens for sampling in engine.samplings} == {99}


async def test_a_model_gets_its_system_prompt(orion, lyra, shelf, visits, in_thread):
    await in_thread(type(orion).objects.update, system_prompt="Be brief.")
    engine = ListeningEngine()
    shelf(orion=engine, lyra=engine)
    page = await visits.open()
    await page.start("One?")
    await page.until_phase("voting")
    assert engine.conversations == [[("system", "Be brief."), ("user", "One?")]] * 2


async def test_a_model_reads_its_own_words_unmasked(enrol, shelf, visits):
    await enrol("Orion 7B", reply="I am Orion 7B")
    await enrol("Lyra 13B", reply="I am Orion 7B")
    page = await visits.open()
    await page.start("One?")
    await page.until_phase("voting")
    assert page.texts() == {"a": "I am █████", "b": "I am █████"}
    engine = ListeningEngine()
    shelf(orion=engine, lyra=engine)
    await page.go_on("Two?")
    await page.until(lambda page: len(page.battle["turns"]) == 2 and page.battle["phase"] == "voting")
    assert engine.conversations[0][1] == ("assistant", "I am Orion 7B")


async def test_the_last_turn_is_said_to_be_the_last(orion, lyra, visits, settings):
    settings.TURN_LIMIT = 2
    page = await visits.open()
    await page.start()
    assert (await page.until_phase("voting"))["can_continue"]
    await page.go_on("Two?")
    battle = await page.until(lambda page: len(page.battle["turns"]) == 2 and page.battle["phase"] == "voting")
    assert not battle["can_continue"]
    await page.go_on("Three?")
    assert (await page.until_refused())["code"] == "not_now"
    assert page.battle == battle


async def test_an_answer_that_reached_the_limit_says_so(enrol, visits, settings):
    settings.ANSWER_TOKEN_LIMIT = 3
    await enrol("Orion 7B", reply="abcdefgh" * 9)
    await enrol("Lyra 13B", reply="abc")
    page = await visits.open()
    await page.start()
    await page.until_phase("voting")
    assert sorted((answer["truncated"], answer["text"]) for answer in (page.answer("a"), page.answer("b"))) == [
        (False, "abc"),
        (True, "abcdefghabcd"),
    ]


# --- stopping


async def test_what_was_shown_before_a_stop_can_be_judged(enrol, visits, attempts, in_thread):
    for name in ("Orion 7B", "Lyra 13B"):
        await enrol(name, reply=LONG, delay=0.001)
    page = await visits.open()
    await page.start()
    await page.until(is_writing)
    await page.ask("stop")
    battle = await page.until_phase("voting")
    assert page.states() == {"a": "stopped", "b": "stopped"}
    assert battle["can_vote"]
    assert await attempts("shown_text") == [(page.texts()["a"],), (page.texts()["b"],)]
    assert LONG.startswith(page.texts()["a"])
    await page.ask("vote", outcome="a")
    await page.until_phase("revealed")
    assert LONG.startswith(page.texts()["a"])


async def test_a_stop_before_the_first_word_leaves_something_to_retry(enrol, visits, in_thread):
    for name in ("Orion 7B", "Lyra 13B"):
        await enrol(name, hang_at=0)
    page = await visits.open()
    await page.start()
    await page.until_phase("answering")
    await page.ask("stop")
    battle = await page.until_phase("stuck")
    assert (battle["can_retry"], battle["can_vote"]) == (True, False)


async def test_a_stop_is_heard_from_the_very_beginning_to_the_very_end(enrol, visits, in_thread):
    """Wherever it falls, the battle comes to a state from which its voter can go on."""
    for name in ("Orion 7B", "Lyra 13B"):
        await enrol(name, reply="ab", chunk_size=1)
    for n_ticks in range(8):
        page = await visits.open()
        await page.start()
        for _ in range(n_ticks):
            await asyncio.sleep(0.002)
        await page.ask("stop")
        battle = await page.until(lambda page: page.battle["phase"] != "answering")
        assert battle["can_vote"] or battle["can_retry"] or page.states().keys() == set()
        await page.close()
    assert not await in_thread(Turn.objects.running().exists)


async def test_stopping_stops_the_computation(orion, lyra, shelf, visits):
    engine = EndlessEngine()
    shelf(orion=engine, lyra=engine)
    page = await visits.open()
    await page.start()
    await page.until(is_writing)
    assert engine.n_running == 2
    await page.ask("stop")
    await page.until_phase("voting")
    assert engine.n_running == 0


# --- failing


async def test_a_side_that_failed_is_retried_alone(enrol, visits, attempts, in_thread):
    await enrol("Orion 7B", reply="well")
    await enrol("Lyra 13B", chunks=["We", "ll", "!"], fail_at=2, fail_times=1)
    page = await visits.open()
    await page.start()
    battle = await page.until_phase("stuck")
    assert (battle["can_retry"], battle["can_vote"]) == (True, False)
    (failed,) = [side for side, state in page.states().items() if state == "failed"]
    assert page.answer(failed)["message"] == "The model broke off in the middle of its answer. Try again."
    assert page.answer(failed)["text"] == "Well"
    await page.ask("retry")
    await page.until_phase("voting")
    assert (page.answer(failed)["attempt"], page.answer(failed)["text"]) == (2, "Well!")
    kept = [row for row in await attempts("side", "attempt", "state", "text") if row[0] == failed]
    assert kept == [(failed, 1, "failed", "Well"), (failed, 2, "complete", "Well!")]
    await page.ask("vote", outcome="tie")
    await page.until_phase("revealed")


async def test_both_sides_may_fail_and_be_retried(enrol, visits, attempts, in_thread):
    await enrol("Orion 7B", reply="well", fail_times=1)
    await enrol("Lyra 13B", reply="good", fail_times=1)  # models with the same options would share an engine
    page = await visits.open()
    await page.start()
    await page.until_phase("stuck")
    await page.ask("retry")
    await page.until_phase("voting")
    assert await attempts("side", "attempt", "state") == [
        ("a", 1, "failed"),
        ("a", 2, "complete"),
        ("b", 1, "failed"),
        ("b", 2, "complete"),
    ]


async def test_a_retry_from_a_tab_that_looks_at_the_wrong_moment_still_runs(enrol, visits, in_thread, monkeypatch):
    """The failure is known before the turn has said its last word; a retry that comes just then must not be lost."""
    await enrol("Orion 7B", reply="well", fail_times=1)
    await enrol("Lyra 13B", reply="good", fail_times=1)  # models with the same options would share an engine
    last_word = live_turns.transcripts.end_turn

    def slowly(turn_id):
        asyncio.run(asyncio.sleep(0.1))
        last_word(turn_id)

    monkeypatch.setattr(live_turns.transcripts, "end_turn", slowly)
    page = await visits.open()
    await page.start()
    await page.until(lambda page: set(page.states().values()) == {"failed"})
    await page.ask("retry")
    await page.until_phase("voting")


async def test_another_model_takes_over_on_the_first_turn(enrol, visits, attempts, in_thread):
    await enrol("Orion 7B", reply="well", fail_times=99)
    for name in ("Lyra 13B", "Pavo 3B"):
        await enrol(name, reply="well")
    for _ in range(20):
        page = await visits.open()
        await page.start()
        await page.until_phase("voting")
        if {page.answer("a")["attempt"], page.answer("b")["attempt"]} == {1, 2}:
            break
    battle = await in_thread(lambda: Battle.objects.get(pk=page.battle["id"]))
    assert battle.probability is None
    assert "Orion" not in "".join(visits.frames)
    replaced = Answer.objects.select_related("llm").filter(turn__battle=battle, state="replaced")
    failed = await in_thread(replaced.get)
    assert (failed.llm.name, failed.error_code) == ("Orion 7B", "generation_failed")
    await page.ask("vote", outcome="a")
    reveal = (await page.until_phase("revealed"))["reveal"]
    assert reveal[failed.side]["replaced"] == ["Orion 7B"]
    assert {reveal["a"]["name"], reveal["b"]["name"]} == {"Lyra 13B", "Pavo 3B"}


async def test_no_other_model_takes_over_on_a_later_turn(orion, lyra, pavo, shelf, visits):
    good = ListeningEngine()
    engines = shelf(orion=good, lyra=good, pavo=good)
    page = await visits.open()
    await page.start()
    await page.until_phase("voting")
    engines.engines = {}
    await page.go_on("Two?")
    await page.until(lambda page: page.battle["phase"] == "stuck")
    assert page.states(1) == {"a": "failed", "b": "failed"}
    assert page.answer("a")["attempt"] == page.answer("b")["attempt"] == 1


async def test_at_most_two_models_take_over_in_one_turn(enrol, visits, attempts, in_thread):
    for name in ("Orion", "Lyra", "Pavo", "Cygnus", "Draco", "Hydra"):
        await enrol(f"{name} 7B", reply="well", fail_times=99)
    page = await visits.open()
    await page.start()
    await page.until_phase("stuck")
    states = [state for (state,) in await attempts("state")]
    assert sorted(states) == ["failed", "failed", "replaced", "replaced"]
    assert len({llm for (llm,) in await attempts("llm")}) == 4


async def test_an_engine_that_cannot_be_loaded_is_replaced_too(enrol, shelf, visits, in_thread, attempts):
    for name in ("Orion 7B", "Lyra 13B"):
        await enrol(name)
    await enrol("Pavo 3B", battle_weight=1e-9)
    shelf(lyra=ListeningEngine(), pavo=ListeningEngine())
    page = await visits.open()
    await page.start()
    await page.until_phase("voting")
    assert sorted(await attempts("state", "error_code")) == [
        ("complete", ""),
        ("complete", ""),
        ("replaced", "loading_failed"),
    ]


async def test_a_defect_in_one_engine_leaves_the_other_side_alone(orion, lyra, shelf, visits):
    visits.expected_errors = {"has a defect"}
    shelf(orion=BrokenEngine(), lyra=ListeningEngine())
    page = await visits.open()
    await page.start()
    await page.until_phase("stuck")
    assert sorted(page.states().values()) == ["complete", "failed"]
    assert "tensor" not in "".join(visits.frames)


async def test_a_prompt_that_is_too_long_for_one_model_is_said_and_not_replaced(enrol, visits, in_thread, attempts):
    for name in ("Orion 7B", "Lyra 13B", "Pavo 3B"):
        await enrol(name, reply="well", max_prompt_characters=20)
    page = await visits.open()
    await page.start("This prompt has more than twenty characters.")
    await page.until_phase("stuck")
    assert page.answer("a")["message"].startswith("The conversation is too long for this model.")
    assert {code for (code,) in await attempts("error_code")} == {"prompt_too_long"}


@pytest.mark.parametrize(
    ("limit", "options", "code"),
    [
        ("FIRST_TOKEN_SECONDS", {"hang_at": 0}, "first_token_timeout"),
        ("STALLED_SECONDS", {"hang_at": 2, "reply": LONG}, "stalled"),
        ("ANSWER_SECONDS", {"delay": 0.02, "reply": LONG}, "total_timeout"),
    ],
)
async def test_a_model_that_keeps_its_reader_waiting_fails(limit, options, code, enrol, visits, settings, attempts):
    setattr(settings, limit, 0.15)
    for name in ("Orion 7B", "Lyra 13B"):
        await enrol(name, **options)
    page = await visits.open()
    await page.start()
    await page.until_phase("stuck")
    assert await attempts("error_code") == [(code,), (code,)]
    assert all(page.answer(side)["message"] for side in ("a", "b"))


async def test_the_wait_for_the_weights_does_not_count_against_the_model(enrol, shelf, visits, settings, in_thread):
    settings.FIRST_TOKEN_SECONDS = 0.05
    await enrol("Orion 7B")
    await enrol("Lyra 13B")
    engines = shelf(orion=ListeningEngine())
    later = live_turns.pool.load

    def load(llm):
        future = type(later(llm))()
        asyncio.get_running_loop().call_later(0.3, future.set_result, engines.engines["orion"])
        return future

    engines.load = load
    page = await visits.open()
    await page.start()
    await page.until_phase("voting")


async def test_weights_that_are_never_there_do_not_keep_a_voter_for_ever(enrol, shelf, visits, settings, attempts):
    settings.LOADING_SECONDS = 0.05
    await enrol("Orion 7B")
    await enrol("Lyra 13B")
    shelf().load = lambda llm: Future()
    page = await visits.open()
    await page.start()
    await page.until_phase("stuck")
    assert await attempts("error_code") == [("loading_timeout",), ("loading_timeout",)]
