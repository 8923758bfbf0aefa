"""Each set of weights is loaded once per process, and shared."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from llms import pool as pool_module
from llms.engines.base import LoadingFailed
from llms.engines.echo import EchoEngine
from llms.models import LanguageModel
from llms.pool import RETRY_AFTER_SECONDS, EngineKey, Pool, Readiness


class Loader:
    """Stands in for an engine's class: counts loads, waits at a gate, fails when told."""

    def __init__(self):
        self.loaded = []
        self.closed = []
        self.gate = threading.Event()
        self.gate.set()
        self.error = None

    def from_options(self, source, revision, options, *, cache_dir, connection=None):
        self.loaded.append(source)
        assert self.gate.wait(5)
        if self.error:
            raise self.error
        loader = self

        class Engine(EchoEngine):
            def close(self):
                loader.closed.append(source)

        return Engine.from_options(source, revision, {}, cache_dir=cache_dir)


@pytest.fixture
def loader(monkeypatch):
    loader = Loader()
    monkeypatch.setattr(pool_module, "engine_class", lambda name: loader)
    yield loader
    loader.gate.set()


@pytest.fixture
def pool(loader):
    pool = Pool()
    yield pool
    loader.gate.set()
    pool.close()


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(pool_module, "time", clock)
    return clock


def model(**fields):
    return LanguageModel(**{"engine": "echo", "source": "weights", **fields})


def test_models_that_differ_only_in_how_they_are_asked_share_an_engine(pool, loader):
    one = model(slug="a", decoding={"temperature": 0}, options={"x": 1, "y": 2})
    other = model(slug="b", system_prompt="Be brief.", status="enabled", options={"y": 2, "x": 1})
    assert pool.load(one).result(5) is pool.load(other).result(5)
    assert loader.loaded == ["weights"]


@pytest.mark.parametrize(
    "different",
    [{"source": "others"}, {"revision": "v2"}, {"engine": "huggingface"}, {"options": {"dtype": "float32"}}],
)
def test_other_weights_are_another_engine(different, pool, loader):
    assert EngineKey.of(model()) != EngineKey.of(model(**different))
    assert pool.load(model()).result(5) is not pool.load(model(**different)).result(5)


def test_many_who_ask_at_once_wait_for_one_load(pool, loader):
    loader.gate.clear()
    with ThreadPoolExecutor(8) as together:
        futures = list(together.map(pool.load, [model() for _ in range(32)]))
        loader.gate.set()
        assert len({future.result(5) for future in futures}) == 1
    assert loader.loaded == ["weights"]


def test_engines_are_loaded_one_after_the_other(pool, loader):
    loader.gate.clear()
    first, second = pool.load(model(source="first")), pool.load(model(source="second"))
    while not loader.loaded:
        pass
    assert loader.loaded == ["first"]
    loader.gate.set()
    first.result(5), second.result(5)
    assert loader.loaded == ["first", "second"]


def test_readiness(pool, loader):
    llm = model()
    assert pool.readiness(llm) is Readiness.COLD
    loader.gate.clear()
    future = pool.load(llm)
    assert pool.readiness(llm) is Readiness.WARMING
    loader.gate.set()
    future.result(5)
    assert pool.readiness(llm) is Readiness.READY
    assert pool.readiness(model(source="others")) is Readiness.COLD


def test_a_failed_load_is_kept_for_a_while_and_then_tried_again(pool, loader, clock):
    loader.error = LoadingFailed("no such file")
    for _ in range(5):
        with pytest.raises(LoadingFailed, match="no such file"):
            pool.load(model()).result(5)
    assert pool.readiness(model()) is Readiness.FAILED
    assert len(loader.loaded) == 1
    loader.error = None
    clock.now += RETRY_AFTER_SECONDS + 1
    pool.load(model()).result(5)
    assert pool.readiness(model()) is Readiness.READY


def test_a_failed_load_says_why(pool, loader):
    assert pool.failure(model()) == ""
    loader.gate.clear()
    loader.error = LoadingFailed("no such file")
    future = pool.load(model())
    assert pool.failure(model()) == ""
    loader.gate.set()
    assert future.exception(5)
    assert pool.failure(model()) == "no such file"
    loader.error = None
    pool.load(model(source="others")).result(5)
    assert pool.failure(model(source="others")) == ""


def test_the_while_begins_with_the_failure_however_long_the_load_took(pool, loader, clock):
    loader.error = LoadingFailed("out of memory")
    loader.gate.clear()
    future = pool.load(model())
    clock.now += 10 * RETRY_AFTER_SECONDS
    assert pool.load(model()) is future
    loader.gate.set()
    with pytest.raises(LoadingFailed):
        future.result(5)
    clock.now += RETRY_AFTER_SECONDS - 1
    assert pool.load(model()) is future
    assert len(loader.loaded) == 1


def test_an_engine_that_is_ready_is_never_loaded_again(pool, loader, clock):
    first = pool.load(model()).result(5)
    clock.now += 1e9
    assert pool.load(model()).result(5) is first


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA"), KeyError("torch"), OSError("disk"), MemoryError(), ImportError("x")]
)
def test_whatever_a_library_raises_is_a_failed_load_and_in_the_log(error, pool, loader, caplog):
    loader.error = error
    with caplog.at_level(logging.ERROR), pytest.raises(LoadingFailed) as failed:
        pool.load(model()).result(5)
    assert str(failed.value)
    assert failed.value.__cause__ is error
    assert type(error).__name__ in caplog.text


def test_an_unknown_engine_is_a_failed_load_that_names_the_known_ones():
    pool = Pool()
    with pytest.raises(LoadingFailed, match="known are echo"):
        pool.load(model(engine="abacus")).result(5)
    pool.close()


def test_somebody_who_cancels_a_load_that_waits_does_not_spoil_it_for_ever(pool, loader):
    loader.gate.clear()
    pool.load(model(source="first"))
    waiting = pool.load(model(source="second"))
    assert waiting.cancel()
    assert pool.readiness(model(source="second")) is Readiness.FAILED
    loader.gate.set()
    assert pool.load(model(source="second")).result(5)


def test_closing_closes_what_is_loaded_and_drops_what_is_not(pool, loader):
    pool.load(model(source="ready")).result(5)
    loader.error = LoadingFailed("no")
    with pytest.raises(LoadingFailed):
        pool.load(model(source="broken")).result(5)
    loader.error = None
    loader.gate.clear()
    loading = pool.load(model(source="loading"))
    while loader.loaded[-1] != "loading":
        pass
    waiting = pool.load(model(source="waiting"))
    threading.Timer(0.05, loader.gate.set).start()
    pool.close()
    assert sorted(loader.closed) == ["loading", "ready"]
    assert loading.done()
    assert waiting.cancelled()
    assert pool.readiness(model(source="ready")) is Readiness.COLD


def test_the_end_does_not_wait_for_ever_for_a_load_and_closes_it_when_it_comes(pool, loader, monkeypatch):
    monkeypatch.setattr(pool_module, "CLOSING_SECONDS", 0.05)
    loader.gate.clear()
    loading = pool.load(model(source="huge"))
    while not loader.loaded:
        pass
    pool.close()
    assert not loading.done()
    loader.gate.set()
    loading.result(5)
    assert pool.load(model(source="another")).result(5)  # after it, in the same thread
    assert loader.closed == ["huge"]


def test_warming_up_asks_for_each(pool, loader):
    pool.warm_up([model(source="a"), model(source="b"), model(source="a")])
    pool.load(model(source="b")).result(5)
    assert loader.loaded == ["a", "b"]
