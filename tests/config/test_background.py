"""What lives as long as the server: engines, and in one process the background work too."""

import asyncio
import threading
import time

import pytest
from celery.worker import state

from config import background as background_module
from config import lifespan
from config.background import Background
from config.celery import app
from leaderboard.models import LiveBoard
from llms.pool import Readiness, pool

REFRESH = {"task": "leaderboard.tasks.refresh_live_board", "schedule": 0.1, "options": {"expires": 10}}


@pytest.fixture
def one_task(monkeypatch):
    monkeypatch.setitem(app.conf, "beat_schedule", {"refresh": REFRESH})


def until(happened, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.02)
    return False


def background_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("background_")]


@pytest.mark.django_db(transaction=True)
def test_background_work_is_done_inside_the_process_and_ends_with_it(one_task):
    state.should_stop = 0  # as a former server in this process leaves it
    background = Background()
    background.start()
    assert until(LiveBoard.objects.exists)
    background.stop()
    assert until(lambda: not background_threads())


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_breaks_is_started_again(one_task, monkeypatch, caplog):
    whole = background_module.WorkController
    tries = []

    def fragile(**options):
        tries.append(options)
        if len(tries) == 1:
            raise OSError("out of file descriptors")
        return whole(**options)

    monkeypatch.setattr(background_module, "WorkController", fragile)
    monkeypatch.setattr(background_module, "RESTART_SECONDS", 0.01)
    state.should_stop = 0
    background = Background()
    background.start()
    assert until(LiveBoard.objects.exists)
    background.stop()
    assert until(lambda: not background_threads())
    assert "out of file descriptors" in caplog.text
    assert "starting it again" in caplog.text


def test_a_task_that_cannot_be_queued_does_not_end_the_ticking(one_task, monkeypatch, caplog):
    sent = []

    def send(name, **options):
        sent.append(name)
        if len(sent) == 1:
            raise OSError("the broker is away")

    monkeypatch.setattr(app, "send_task", send)
    background = Background()
    ticker = threading.Thread(target=background._tick)
    ticker.start()
    assert until(lambda: len(sent) > 1)
    background.stop()
    ticker.join(5)
    assert "the broker is away" in caplog.text


class Server:
    """The other end of the lifespan protocol."""

    def __init__(self):
        self.inbox, self.outbox = asyncio.Queue(), asyncio.Queue()

    async def say(self, kind):
        await self.inbox.put({"type": f"lifespan.{kind}"})
        return (await asyncio.wait_for(self.outbox.get(), 10))["type"]


@pytest.fixture
def embedded(settings, monkeypatch):
    settings.EMBEDDED = True
    done = []

    class Recorded:
        def start(self):
            done.append("start")

        def stop(self):
            done.append("stop")

    monkeypatch.setattr(lifespan, "Background", Recorded)
    return done


async def serve(application):
    server = Server()
    task = asyncio.create_task(application({"type": "lifespan"}, server.inbox.get, server.outbox.put))
    return server, task


@pytest.mark.django_db(transaction=True)
async def test_contenders_are_loaded_behind_the_page_and_closed_at_the_end(orion, register, embedded):
    resting = await asyncio.to_thread(register, "Resting", status="disabled", reply="zzz")
    server, task = await serve(lifespan.Lifespan())
    assert await server.say("startup") == "lifespan.startup.complete"
    assert embedded == ["start"]
    await asyncio.wrap_future(pool.load(orion))
    assert pool.readiness(resting) is Readiness.COLD
    assert await server.say("shutdown") == "lifespan.shutdown.complete"
    await asyncio.wait_for(task, 10)
    assert embedded == ["start", "stop"]
    assert pool.readiness(orion) is Readiness.COLD


@pytest.mark.django_db(transaction=True)
async def test_a_server_among_others_leaves_background_work_to_them(settings, embedded):
    settings.EMBEDDED = False
    server, _task = await serve(lifespan.Lifespan())
    assert await server.say("startup") == "lifespan.startup.complete"
    assert await server.say("shutdown") == "lifespan.shutdown.complete"
    assert embedded == []


@pytest.mark.django_db(transaction=True)
async def test_a_restart_cuts_off_what_the_last_process_was_writing(orion, lyra, begin, embedded):
    from arena.models import Answer

    await asyncio.to_thread(begin)
    server, _task = await serve(lifespan.Lifespan())
    await server.say("startup")
    states = await asyncio.to_thread(lambda: set(Answer.objects.values_list("state", flat=True)))
    assert states == {"cut_off"}
    await server.say("shutdown")


def test_the_application_answers_pages_sockets_and_its_own_life():
    from config.asgi import application

    assert set(application.application_mapping) == {"http", "websocket", "lifespan"}
