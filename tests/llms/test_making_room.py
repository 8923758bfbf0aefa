"""What does not fit waits, or others give way; what answers never does; what could never fit says so."""

import logging

import pytest

from llms.devices import DeviceLocks
from llms.engines.base import Footprint, LoadingFailed
from llms.keeper import TURN_SECONDS
from llms.pool import Pool, Readiness
from llms.room import Room
from tests.helpers.scripted_loads import model
from tests.helpers.waiting import eventually_in_thread


@pytest.fixture
def load(pool, loads):
    """Load a source of that size, and wait until it is there."""

    def load(source, size=40):
        loads.sizes[source] = size
        return pool.load(model(source=source)).result(5)

    loads.memory = 100
    return load


def test_what_fits_beside_the_others_is_loaded_beside_them(load, loads):
    load("a"), load("b"), load("c", 20)
    assert loads.inside == ["a", "b", "c"]


def test_for_somebody_who_waits_the_least_recently_used_gives_way(pool, load, loads, clock):
    for source in ("a", "b"):
        load(source)
        clock.now += 1
    pool.load(model(source="a"))  # used again
    loads.sizes["c"] = 40
    with pool.hold(model(source="c")) as loading:
        loading.result(5)
    assert loads.inside == ["a", "c"]
    assert pool.readiness(model(source="b")) is Readiness.COLD


def test_as_many_give_way_as_must_and_no_more(pool, load, loads):
    for source in ("a", "b", "c"):
        load(source, 30)
    loads.sizes["large"] = 60
    with pool.hold(model(source="large")) as loading:
        loading.result(5)
    assert loads.inside == ["c", "large"]


def test_what_answers_never_gives_way(pool, load, loads):
    load("a"), load("b")
    loads.sizes["c"] = 40
    loads.running["a"] = 1
    with pool.hold(model(source="b")), pool.hold(model(source="c")) as loading:
        eventually_in_thread(lambda: "waits for 0.0 GB" in pool.progress(model(source="c")).words)
        assert not loading.done()
        assert loads.inside == ["a", "b"]
        loads.running["a"] = 0
        loading.result(5)
    assert loads.inside == ["b", "c"]


def test_nobody_gives_way_for_what_would_still_not_fit(pool, load, loads):
    load("a"), load("b")
    loads.sizes["large"] = 90
    with pool.hold(model(source="large")) as loading:
        with pool.hold(model(source="a")):
            eventually_in_thread(lambda: "waits for" in pool.progress(model(source="large")).words)
            assert loads.inside == ["a", "b"]
        loading.result(5)
    assert loads.inside == ["large"]


def test_what_could_never_fit_fails_with_the_numbers_and_the_mend(load, loads):
    loads.memory = 3_000_000_000
    load("a", 1_000_000_000)
    with pytest.raises(LoadingFailed) as failed:
        load("huge", 5_400_000_000)
    assert "needs 5.4 GB of memory on cpu" in str(failed.value)
    assert "no more than 3.0 GB can be had" in str(failed.value)
    assert "cache_tokens" in str(failed.value)
    assert loads.inside == ["a"]


def test_a_load_that_nobody_waits_for_has_its_turn_when_the_others_have_had_theirs(pool, load, loads, clock):
    load("a"), load("b")
    loads.sizes["c"] = 40
    waiting = pool.load(model(source="c"))
    clock.now += TURN_SECONDS - 1
    eventually_in_thread(lambda: "waits for" in pool.progress(model(source="c")).words)
    assert loads.inside == ["a", "b"]
    clock.now += 2
    waiting.result(5)
    assert loads.inside == ["b", "c"]
    again = pool.load(model(source="a"))  # as the next draw does
    again.result(5)
    assert loads.inside == ["a", "c"]  # b has been there longest


def test_something_smaller_does_not_wait_behind_something_large(pool, load, loads):
    load("a"), load("b")
    loads.sizes |= {"large": 70, "small": 15}
    large, small = pool.load(model(source="large")), pool.load(model(source="small"))
    small.result(5)
    assert not large.done()
    assert loads.inside == ["a", "b", "small"]


def test_one_that_waits_for_room_can_be_given_up(pool, load, loads):
    load("a"), load("b")
    loads.sizes["c"] = 40
    waiting = pool.load(model(source="c"))
    eventually_in_thread(lambda: "waits for" in pool.progress(model(source="c")).words)
    assert waiting.cancel()
    load("d", 20)
    assert loads.inside == ["a", "b", "d"]
    assert pool.progress(model(source="c")) is None


def test_a_load_that_fails_gives_its_room_back(load, loads):
    loads.error = MemoryError("no")
    with pytest.raises(LoadingFailed):
        load("a", 90)
    loads.error = None
    load("b", 90)
    assert loads.inside == ["b"]


def test_the_height_of_a_load_counts_while_it_lasts(pool, load, loads):
    load("a", Footprint("cpu", own=20, base=80, base_key="orion", keeps_base=False))
    load("b", 80)
    assert loads.inside == ["a", "b"]
    loads.sizes["c"] = Footprint("cpu", own=10, base=80, base_key="lyra", keeps_base=False)
    with pool.hold(model(source="c")) as loading:
        loading.result(5)
    assert loads.inside == ["c"]  # ninety while it is loaded: one of the others would have been too many


def test_what_is_made_from_weights_that_are_there_needs_them_no_second_time(load, loads):
    load("base", Footprint("cpu", own=10, base=60, base_key="orion"))
    load("eight bits", Footprint("cpu", own=30, base=60, base_key="orion", keeps_base=False))
    assert loads.inside == ["base", "eight bits"]


def test_weights_that_several_share_are_counted_once(load, loads):
    for source in ("base", "adapter 1", "adapter 2", "adapter 3"):
        load(source, Footprint("cpu", own=10, base=60, base_key="orion"))
    assert loads.inside == ["adapter 1", "adapter 2", "adapter 3", "base"]


def test_weights_that_the_newcomer_shares_go_last(pool, load, loads, clock):
    load("base", Footprint("cpu", own=10, base=50, base_key="orion"))
    clock.now += 1
    load("other", 30)
    loads.sizes["adapter"] = Footprint("cpu", own=20, base=50, base_key="orion")
    with pool.hold(model(source="adapter")) as loading:
        loading.result(5)
    assert loads.inside == ["adapter", "base"]


def test_nobody_gives_way_for_weights_that_stay_with_one_that_answers(pool, load, loads):
    load("base", Footprint("cpu", own=10, base=60, base_key="orion"))
    load("adapter", Footprint("cpu", own=10, base=60, base_key="orion"))
    loads.sizes["c"] = 40
    with pool.hold(model(source="base")), pool.hold(model(source="c")) as loading:
        eventually_in_thread(lambda: "waits for" in pool.progress(model(source="c")).words)
        assert loads.inside == ["adapter", "base"]  # the adapter would have left no more than its own ten
        assert loading.cancel()


def test_weights_that_are_there_are_no_reason_to_try_what_could_never_fit(pool, load, loads):
    load("base", Footprint("cpu", own=10, base=60, base_key="orion"))
    loads.sizes["adapter"] = Footprint("cpu", own=50, base=60, base_key="orion")
    with pool.hold(model(source="adapter")) as loading, pytest.raises(LoadingFailed, match="no more than"):
        loading.result(5)
    assert loads.inside == ["base"]


def test_devices_do_not_take_room_from_each_other(load, loads, tmp_path):
    load("a", 90)
    load("b", Footprint("cuda:0", 10, hardware="cuda-one"))
    assert loads.inside == ["a", "b"]


def test_memory_that_was_promised_is_not_free_though_nobody_has_touched_it_yet(loads, clock):
    """A cache fills only as conversations grow."""
    loads.memory = 100
    loads.available_memory = lambda device: 100
    pool = Pool(clock=clock, room=Room(lambda: 0))
    loads.sizes |= {"a": 60, "b": 60}
    pool.load(model(source="a")).result(5)
    assert not pool.load(model(source="b")).done()
    eventually_in_thread(lambda: "40" in str(pool.progress(model(source="b"))) or pool.progress(model(source="b")))
    assert loads.inside == ["a"]
    pool.close()


def test_an_engine_that_cannot_be_closed_does_not_stop_the_rest(pool, load, loads, caplog, monkeypatch):
    stubborn = load("stubborn", 90)

    def fail():
        loads.closed.append("stubborn")
        raise RuntimeError("a thread does not end")

    monkeypatch.setattr(stubborn, "close", fail)
    loads.sizes["next"] = 90
    with caplog.at_level(logging.ERROR), pool.hold(model(source="next")) as loading:
        loading.result(5)
    assert "could not be closed" in caplog.text


# --- devices


def test_a_device_that_another_process_uses_is_waited_for_and_the_wait_says_so(loads, clock, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    loads.memory = 100
    loads.sizes |= {
        "a": Footprint("cuda:0", 10, hardware="cuda-1234"),
        "b": Footprint("cuda:0", 20, hardware="cuda-1234"),
    }
    pool, other = (Pool(clock=clock, room=Room(loads.taken)) for _ in range(2))
    pool.load(model(source="a")).result(5)
    pool.load(model(source="b")).result(5)  # the same process may load more
    waiting = other.load(model(source="a"))
    eventually_in_thread(lambda: "which another process uses" in other.progress(model(source="a")).words)
    assert "process" in other.progress(model(source="a")).words
    assert not waiting.done()
    pool.close()
    waiting.result(5)
    other.close()
    pool.load(model(source="a")).result(5)
    pool.close()


def test_a_device_is_free_again_when_the_last_engine_on_it_has_given_way(pool, loads, settings, tmp_path):
    one = Footprint("cuda:0", 10, hardware="cuda-1234")
    mine, others = DeviceLocks(tmp_path), DeviceLocks(tmp_path)
    assert mine.take(one)
    assert mine.take(one)
    assert not others.take(one)
    assert others.take(one._replace(hardware="cuda-5678"))
    mine.keep_only([one])
    assert not others.take(one)
    mine.keep_only([])
    assert others.take(one)
    assert not mine.take(one)
    others.keep_only([])


@pytest.fixture
def device(loads, settings, tmp_path):
    """`device()`: whether another process could take it now."""
    settings.DATA_DIR = tmp_path
    loads.memory = 100
    loads.sizes |= {name: Footprint("cuda:0", 60, hardware="cuda-1234") for name in ("a", "b")}

    def is_free():
        others = DeviceLocks(tmp_path / "devices")
        is_taken = others.take(loads.sizes["a"])
        others.keep_only([])
        return is_taken

    return is_free


def test_a_device_stays_ours_while_its_last_engine_gives_way_to_the_next(loads, clock, device):
    pool = Pool(clock=clock, room=Room(loads.taken))
    pool.load(model(source="a")).result(5)
    was_free = []
    loads.on_load = lambda: was_free.append(device())
    with pool.hold(model(source="b")) as loading:
        loading.result(5)
    assert loads.inside == ["b"]
    assert was_free == [False]
    pool.close()


def test_a_load_that_fails_gives_its_device_back(loads, clock, device):
    pool = Pool(clock=clock, room=Room(loads.taken))
    loads.error = RuntimeError("CUDA")
    assert pool.load(model(source="a")).exception(5)
    eventually_in_thread(device)
    pool.close()


def test_a_load_that_is_given_up_gives_its_device_back(loads, clock, device, monkeypatch):
    pool = Pool(clock=clock, room=Room(loads.taken))
    loads.gate.clear()
    pool.load(model(source="before"))
    eventually_in_thread(lambda: loads.loaded)
    waiting = pool.load(model(source="a"))
    monkeypatch.setattr(loads, "available_memory", lambda of: waiting.cancel() and 100)
    loads.gate.set()
    eventually_in_thread(lambda: waiting.cancelled() and device())
    assert loads.loaded == ["before"]
    pool.close()


def test_the_processor_is_nobodys(tmp_path):
    mine, others = DeviceLocks(tmp_path), DeviceLocks(tmp_path)
    assert mine.take(Footprint("cpu", 10))
    assert others.take(Footprint("cpu", 10))
    assert list(tmp_path.iterdir()) == []
