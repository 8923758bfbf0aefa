"""Each set of weights is loaded once per process, and shared."""

import logging
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from llms import identification
from llms import pool as pool_module
from llms.engines.base import LoadingFailed
from llms.keeper import Keeper
from llms.pool import RETRY_AFTER_SECONDS, EngineKey, Pool, Readiness
from tests.helpers.scripted_loads import model
from tests.helpers.waiting import eventually_in_thread


def test_models_that_differ_only_in_how_they_are_asked_share_an_engine(pool, loads):
    one = model(slug="a", decoding={"temperature": 0}, options={"x": 1, "y": 2})
    other = model(slug="b", system_prompt="Be brief.", status="enabled", options={"y": 2, "x": 1})
    assert pool.load(one).result(5) is pool.load(other).result(5)
    assert loads.loaded == ["weights"]


@pytest.mark.parametrize(
    "different",
    [{"source": "others"}, {"revision": "v2"}, {"engine": "huggingface"}, {"options": {"dtype": "float32"}}],
)
def test_other_weights_are_another_engine(different, pool, loads):
    assert EngineKey.of(model()) != EngineKey.of(model(**different))
    assert pool.load(model()).result(5) is not pool.load(model(**different)).result(5)


def test_many_who_ask_at_once_wait_for_one_load(pool, loads):
    loads.gate.clear()
    with ThreadPoolExecutor(8) as together:
        futures = list(together.map(pool.load, [model() for _ in range(32)]))
        loads.gate.set()
        assert len({future.result(5) for future in futures}) == 1
    assert loads.loaded == ["weights"]


def test_engines_are_loaded_one_after_the_other(pool, loads):
    loads.gate.clear()
    first, second = pool.load(model(source="first")), pool.load(model(source="second"))
    eventually_in_thread(lambda: loads.loaded)
    assert loads.loaded == ["first"]
    loads.gate.set()
    first.result(5), second.result(5)
    assert loads.loaded == ["first", "second"]


def test_whoever_is_waited_for_comes_first(pool, loads):
    loads.gate.clear()
    pool.load(model(source="first"))
    eventually_in_thread(lambda: loads.loaded)
    others = [pool.load(model(source=name)) for name in ("second", "third")]
    with pool.hold(model(source="third")):
        loads.gate.set()
        [future.result(5) for future in others]
    assert loads.loaded == ["first", "third", "second"]


def test_readiness(pool, loads):
    llm = model()
    assert pool.readiness(llm) is Readiness.COLD
    loads.gate.clear()
    future = pool.load(llm)
    assert pool.readiness(llm) is Readiness.WARMING
    loads.gate.set()
    future.result(5)
    assert pool.readiness(llm) is Readiness.READY
    assert pool.readiness(model(source="others")) is Readiness.COLD


def test_a_load_under_way_says_what_is_done_for_how_long_and_how_large_it_is(pool, loads, clock):
    loads.sizes["large"] = 5_000
    loads.memory = 10_000
    assert pool.progress(model(source="large")) is None
    loads.gate.clear()
    first, large = pool.load(model(source="first")), pool.load(model(source="large"))
    eventually_in_thread(lambda: loads.loaded)
    clock.now += 7
    progress = pool.progress(model(source="large"))
    assert (progress.words, progress.seconds, progress.n_bytes) == ("waits until others are loaded", 7, None)
    assert pool.progress(model(source="first")).words == "is being loaded"
    loads.gate.set()
    first.result(5), large.result(5)
    assert pool.progress(model(source="large")) is None
    assert [(held.source, held.n_bytes) for held in pool.held()] == [("large", 5_000)]


def test_a_failed_load_is_kept_for_a_while_and_then_tried_again(pool, loads, clock):
    loads.error = LoadingFailed("no such file")
    for _ in range(5):
        with pytest.raises(LoadingFailed, match="no such file"):
            pool.load(model()).result(5)
    assert pool.readiness(model()) is Readiness.FAILED
    assert len(loads.loaded) == 1
    loads.error = None
    clock.now += RETRY_AFTER_SECONDS + 1
    pool.load(model()).result(5)
    assert pool.readiness(model()) is Readiness.READY


def test_a_failed_load_says_why(pool, loads):
    assert pool.failure(model()) == ""
    loads.gate.clear()
    loads.error = LoadingFailed("no such file")
    future = pool.load(model())
    assert pool.failure(model()) == ""
    loads.gate.set()
    assert future.exception(5)
    assert pool.failure(model()) == "no such file"
    loads.error = None
    pool.load(model(source="others")).result(5)
    assert pool.failure(model(source="others")) == ""


def test_the_while_begins_with_the_failure_however_long_the_load_took(pool, loads, clock):
    loads.error = LoadingFailed("out of memory")
    loads.gate.clear()
    future = pool.load(model())
    clock.now += 10 * RETRY_AFTER_SECONDS
    assert pool.load(model()) is future
    loads.gate.set()
    with pytest.raises(LoadingFailed):
        future.result(5)
    clock.now += RETRY_AFTER_SECONDS - 1
    assert pool.load(model()) is future
    assert len(loads.loaded) == 1


def test_an_engine_that_is_ready_is_never_loaded_again(pool, loads, clock):
    first = pool.load(model()).result(5)
    clock.now += 1e9
    assert pool.load(model()).result(5) is first


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA"), KeyError("torch"), OSError("disk"), MemoryError(), ImportError("x")]
)
def test_whatever_a_library_raises_is_a_failed_load_and_in_the_log(error, pool, loads, caplog):
    loads.error = error
    with caplog.at_level(logging.ERROR), pytest.raises(LoadingFailed) as failed:
        pool.load(model()).result(5)
    assert str(failed.value)
    assert failed.value.__cause__ is error
    assert type(error).__name__ in caplog.text


def test_a_failed_load_leaves_nothing_of_what_was_loaded_until_then(pool, loads):
    """The error is kept for a while, and with it the frames that it went through."""

    class Weights:
        pass

    seen = []

    def break_off():
        weights = Weights()
        seen.append(weakref.ref(weights))
        raise RuntimeError("a tensor is missing")

    loads.on_load = break_off
    with pytest.raises(LoadingFailed):
        pool.load(model()).result(5)
    assert pool.failure(model()) == "a tensor is missing"
    assert seen[0]() is None


def test_whatever_breaks_around_a_load_ends_that_load_only(pool, loads, monkeypatch):
    loads.sizes |= {"first": 1, "second": 1}
    loads.memory = 10
    with monkeypatch.context() as broken:
        broken.setattr(loads, "available_memory", lambda device: {}["the driver is gone"])
        failed = pool.load(model(source="first")).exception(5)
    assert isinstance(failed, LoadingFailed)
    assert pool.load(model(source="second")).result(5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_keeper_whose_thread_has_died_gets_another(pool, loads, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(Keeper, "_wait", lambda *args: {}["no way to wait"])
        pool.load(model(source="first")).result(5)
        eventually_in_thread(lambda: not pool._keeper._thread.is_alive())
    assert pool.load(model(source="second")).result(5)


def test_an_unknown_engine_is_a_failed_load_that_names_the_known_ones():
    pool = Pool()
    with pytest.raises(LoadingFailed, match="known are echo"):
        pool.load(model(engine="abacus")).result(5)
    pool.close()


def test_somebody_who_cancels_a_load_that_waits_does_not_spoil_it_for_ever(pool, loads):
    loads.gate.clear()
    pool.load(model(source="first"))
    waiting = pool.load(model(source="second"))
    assert waiting.cancel()
    assert pool.readiness(model(source="second")) is Readiness.FAILED
    loads.gate.set()
    assert pool.load(model(source="second")).result(5)


def test_closing_closes_what_is_loaded_and_drops_what_is_not(pool, loads):
    pool.load(model(source="ready")).result(5)
    loads.error = LoadingFailed("no")
    with pytest.raises(LoadingFailed):
        pool.load(model(source="broken")).result(5)
    loads.error = None
    loads.gate.clear()
    loading = pool.load(model(source="loading"))
    eventually_in_thread(lambda: loads.loaded[-1] == "loading")
    waiting = pool.load(model(source="waiting"))
    threading.Timer(0.05, loads.gate.set).start()
    pool.close()
    assert sorted(loads.closed) == ["loading", "ready"]
    assert loading.done()
    assert waiting.cancelled()
    assert pool.readiness(model(source="ready")) is Readiness.COLD


def test_the_end_does_not_wait_for_ever_for_a_load_and_closes_it_when_it_comes(pool, loads, monkeypatch):
    monkeypatch.setattr(pool_module, "CLOSING_SECONDS", 0.05)
    loads.gate.clear()
    loading = pool.load(model(source="huge"))
    eventually_in_thread(lambda: loads.loaded)
    pool.close()
    assert not loading.done()
    loads.gate.set()
    loading.result(5)
    assert pool.load(model(source="another")).result(5)  # after it, in the same thread
    assert loads.closed == ["huge"]


def test_warming_up_asks_for_each(pool, loads):
    pool.warm_up([model(source="a"), model(source="b"), model(source="a")])
    pool.load(model(source="b")).result(5)
    assert loads.loaded == ["a", "b"]


# --- who may be drawn


def test_what_computes_here_is_drawn_only_when_it_is_ready_and_asked_for_meanwhile(pool, loads):
    loads.holds_weights = True
    llm = model()
    loads.gate.clear()
    assert pool.drawable([llm]) == []
    assert pool.readiness(llm) is Readiness.WARMING
    assert pool.drawable([llm]) == []
    loads.gate.set()
    pool.load(llm).result(5)
    assert pool.drawable([llm]) == [llm]
    assert loads.loaded == ["weights"]


def test_what_is_elsewhere_may_be_drawn_before_anybody_asked_it(pool, loads):
    llm = model()
    assert pool.drawable([llm]) == [llm]
    assert loads.loaded == []


def test_what_could_not_be_loaded_is_not_drawn_and_tried_again_after_a_while(pool, loads, clock):
    for holds_weights in (True, False):
        loads.holds_weights, loads.error = holds_weights, LoadingFailed("no")
        llm = model(source=f"weights {holds_weights}")
        assert pool.load(llm).exception(5)
        assert pool.drawable([llm]) == []
        clock.now += RETRY_AFTER_SECONDS + 1
        loads.error = None
        assert pool.drawable([llm]) == []
        pool.load(llm).result(5)
        assert pool.drawable([llm]) == [llm]


def test_a_process_that_loads_no_weights_never_does_and_says_what_to_do(pool, loads, settings):
    loads.holds_weights = True
    settings.LOADS_WEIGHTS = False
    llm = model()
    assert pool.drawable([llm]) == []
    assert pool.readiness(llm) is Readiness.BARRED
    assert "register the model at that endpoint" in pool.failure(llm)
    with pytest.raises(LoadingFailed, match="LOADS_WEIGHTS"), pool.hold(llm) as loading:
        loading.result(5)
    with pytest.raises(LoadingFailed, match="LOADS_WEIGHTS"):
        pool.load(llm).result(5)
    assert loads.loaded == []
    loads.holds_weights = False
    assert pool.drawable([llm]) == [llm]


# --- weights that change


@pytest.fixture
def weights(monkeypatch):
    """What the files on this machine hold, by source."""
    found = {"weights": "weights-1:old"}
    monkeypatch.setattr(identification, "of_files", lambda engine, source, *which: found.get(source, ""))
    return found


def test_weights_that_are_replaced_while_they_are_loaded_fail_the_load(pool, loads, weights, clock):
    loads.on_load = lambda: weights.update(weights="weights-1:new")
    with pytest.raises(LoadingFailed, match="weights is being written to"):
        pool.load(model()).result(5)
    assert loads.closed == ["weights"]
    clock.now += RETRY_AFTER_SECONDS + 1
    pool.load(model()).result(5)
    assert pool.expect(model(), "weights-1:new")


def test_an_engine_of_former_weights_leaves(pool, loads, weights):
    pool.load(model()).result(5)
    assert pool.expect(model(), "weights-1:old")
    assert not pool.expect(model(), "weights-1:new")
    eventually_in_thread(lambda: loads.closed == ["weights"])


def test_an_engine_of_weights_that_nobody_identified_is_not_taken_for_any(pool, loads, weights):
    weights.clear()
    pool.load(model()).result(5)
    assert pool.expect(model(), "")
    assert not pool.expect(model(), "weights-1:new")
    assert pool.readiness(model()) is Readiness.COLD


def test_weights_that_cannot_be_identified_are_loaded_all_the_same(pool, loads, monkeypatch, caplog):
    monkeypatch.setattr(identification, "of_files", lambda *which: {}["no such file"])
    assert pool.load(model()).result(5)
    assert "could not be identified" in caplog.text


# --- models that were edited


def test_a_model_that_was_edited_leaves_its_former_engine_which_closes_when_it_is_idle(pool, loads):
    with pool.hold(model(pk=1, source="old")) as loading:
        old = loading.result(5)
        new = pool.load(model(pk=1, source="new")).result(5)
        assert new is not old
        assert pool.load(model(pk=2, source="newer")).result(5)  # the keeper has had the time to close it
        assert loads.closed == []
    eventually_in_thread(lambda: loads.closed == ["old"])


def test_an_engine_that_another_model_shares_stays(pool, loads):
    both = [pool.load(model(pk=pk, source="old")).result(5) for pk in (1, 2)]
    pool.load(model(pk=1, source="new")).result(5)
    assert pool.load(model(pk=2, source="old")).result(5) is both[0]
    pool.load(model(pk=2, source="new")).result(5)
    eventually_in_thread(lambda: loads.closed == ["old"])


def test_a_load_that_nobody_wants_any_more_is_given_up(pool, loads):
    loads.gate.clear()
    pool.load(model(pk=1, source="first"))
    eventually_in_thread(lambda: loads.loaded)
    pool.load(model(pk=2, source="mistyped"))
    right = pool.load(model(pk=2, source="right"))
    loads.gate.set()
    right.result(5)
    assert loads.loaded == ["first", "right"]


def test_one_that_is_edited_while_it_loads_is_closed_when_it_has_come(pool, loads):
    loads.gate.clear()
    pool.load(model(pk=1, source="first"))
    eventually_in_thread(lambda: loads.loaded)
    second = pool.load(model(pk=1, source="second"))
    loads.gate.set()
    second.result(5)
    eventually_in_thread(lambda: loads.closed == ["first"])
