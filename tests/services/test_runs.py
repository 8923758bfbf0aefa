"""Runs on real servers: PostgreSQL, a broker of either kind, and workers that are killed, doubled and cut off. Each
sample is there once at the end, and none is computed twice but those of the batch that was at work."""

import os
import signal
import subprocess
import sys
from collections import Counter

import psycopg
import pytest

from tests.helpers.brokers import BROKERS
from tests.helpers.journal_engine import BATCH, allow
from tests.helpers.server import ROOT, Server
from tests.llms.engines.tiny import save_tiny_model
from tests.services.conftest import REDIS, new_database, wait_until

PATIENCE = 180
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ALL = 10_000
SHUTTING_DOWN = "Warm shutdown"
REQUEST = """
import tests.helpers.worker_faults
from evaluation import runs, tasks
from evaluation.datasets import DataKind
from evaluation.plans import Wish
from llms.models import LanguageModel
llm = LanguageModel.objects.create(slug={slug!r}, name={slug!r}, engine={engine!r}, source={source!r},
    options={options!r}, status="disabled")
run = runs.request(llm, Wish(benchmark="mmlu", data=DataKind.SAMPLE))
for _ in range({n_messages}):
    tasks.announce(run)
print(run.pk)
"""
STATE = """
select status, epoch, n_samples, n_done, (select count(*) from evaluation_sampleresult s where s.run_id = r.id),
(select count(distinct sample_id) from evaluation_sampleresult s where s.run_id = r.id) from evaluation_run r where id = %s
"""


class Workshop:
    """A database, a broker, beat, a worker that reconciles, and as many evaluators as a test starts."""

    def __init__(self, folder, broker, database_url):
        self.folder, self.broker, self.database_url = folder, broker, database_url
        environment = {
            "DATABASE_URL": database_url,
            "REDIS_URL": f"{REDIS}/12",
            "CELERY_BROKER_URL": broker.url,
            "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
        }
        self.console = Server(folder, 1, environment)
        self.processes = []

    def open(self):
        self.broker.start()
        self.console.run("from django.core.management import call_command; call_command('migrate', verbosity=0)")
        self.start("beat")
        self.start("worker", "--include", "tests.helpers.worker_faults")

    def start(self, role, *arguments, **environment):
        with (self.folder / f"{role}.log").open("ab") as log:
            process = subprocess.Popen(
                ["sh", "docker-entrypoint.sh", role, *arguments],
                cwd=ROOT,
                env=self.console.settings() | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def log(self, role):
        return (self.folder / f"{role}.log").read_text()

    def evaluator(self, **environment):
        return self.start("evaluator", "--include", "tests.helpers.worker_faults", **environment)

    def end(self, process, with_signal=signal.SIGTERM):
        process.send_signal(with_signal)
        process.wait(30)
        self.processes.remove(process)

    def close(self):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait(30)
        self.broker.stop()

    def request(self, slug, *, allowed=ALL, engine="journal", source="none", options=None, n_messages=1):
        journal = self.folder / slug
        allow(journal, allowed)
        options = {"journal": str(journal)} if options is None else options
        code = REQUEST.format(slug=slug, engine=engine, source=source, options=options, n_messages=n_messages)
        return Watched(self, slug, int(self.console.run(code)))


class Watched:
    def __init__(self, workshop, slug, pk):
        self.workshop, self.slug, self.pk = workshop, slug, pk

    def row(self):
        with psycopg.connect(self.workshop.database_url) as connection:
            return connection.execute(STATE, [self.pk]).fetchone()

    status = property(lambda self: self.row()[0])
    epoch = property(lambda self: self.row()[1])
    n_samples = property(lambda self: self.row()[2])
    n_stored = property(lambda self: self.row()[4])

    def ask(self, verb):
        code = "from evaluation import runs, tasks; from evaluation.models import Run;"
        code += f"run = Run.objects.get(pk={self.pk}); assert runs.{verb}(run); run.refresh_from_db();"
        self.workshop.console.run(code + "run.status == 'queued' and tasks.announce(run)")

    def allow(self, n_requests):
        allow(self.workshop.folder / self.slug, n_requests)

    def until_heard(self):
        """Until who scores it has looked twice at what is wanted of it."""
        for _ in range(2):
            seen = self.heartbeat()
            wait_until(lambda seen=seen: self.heartbeat() != seen, PATIENCE)

    def heartbeat(self):
        with psycopg.connect(self.workshop.database_url) as connection:
            return connection.execute("select heartbeat_at from evaluation_run where id = %s", [self.pk]).fetchone()

    def until(self, *statuses):
        wait_until(lambda: self.status in statuses, PATIENCE)

    def until_stored(self, n):
        wait_until(lambda: self.n_stored >= n, PATIENCE)

    def computed(self):
        """Each request with how often it was."""
        journal = self.workshop.folder / self.slug
        return Counter(line.split()[1] for line in journal.read_text().splitlines())

    def is_whole(self, n_repeated_at_most=0):
        status, epoch, n_samples, n_done, n_stored, n_distinct = self.row()
        assert (status, n_done, n_stored, n_distinct) == ("succeeded", n_samples, n_samples, n_samples)
        computed = self.computed()
        assert len(computed) == n_samples
        assert computed.total() <= n_samples + n_repeated_at_most, f"{computed} in {epoch + 1} attempts"


@pytest.fixture(scope="module", params=list(BROKERS))
def workshop(request, tmp_path_factory):
    kind = BROKERS[request.param]
    if kind.program() is None:
        refuse = pytest.fail if os.environ.get("HAKEM_REQUIRE_SERVICES") else pytest.skip
        refuse(f"needs a broker of its own, and {kind.places[-1]} is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    with new_database() as database_url:
        workshop = Workshop(folder, kind(folder / "broker"), database_url)
        try:
            workshop.open()
            yield workshop
        finally:
            workshop.close()


@pytest.fixture
def evaluator(workshop):
    process = workshop.evaluator()
    yield process
    if process in workshop.processes:
        workshop.end(process)


def test_a_worker_killed_in_the_middle_leaves_every_sample_once(workshop):
    first = workshop.evaluator()
    run = workshop.request("killed", allowed=4, n_messages=2)
    run.until_stored(4)
    wait_until(lambda: run.computed().total() == 4 + BATCH, PATIENCE)
    workshop.end(first, signal.SIGKILL)
    assert (run.status, run.n_stored) == ("running", 4)
    run.allow(ALL)
    second = workshop.evaluator()

    run.until("succeeded", "failed")
    assert run.epoch >= 1
    run.is_whole(n_repeated_at_most=run.epoch * BATCH)
    workshop.end(second)


def test_a_run_that_is_delivered_to_two_is_scored_by_one(workshop, evaluator):
    second = workshop.evaluator()
    run = workshop.request("twice", allowed=4, n_messages=3)
    run.until_stored(4)
    run.allow(ALL)
    run.until("succeeded", "failed")
    run.is_whole()
    assert run.epoch == 0
    workshop.end(second)


def test_a_broker_that_restarts_costs_nothing(workshop, evaluator):
    run = workshop.request("restart", allowed=4)
    run.until_stored(4)
    workshop.broker.stop()
    run.allow(10)
    run.until_stored(10)  # who scores it needs no broker
    late = workshop.request("late")  # of which nobody can be told
    workshop.broker.start()
    run.allow(ALL)

    run.until("succeeded", "failed")
    run.is_whole()
    late.until("succeeded", "failed")
    late.is_whole()


def test_pause_resume_and_cancel_reach_a_worker(workshop, evaluator):
    run = workshop.request("paused", allowed=4)
    run.until_stored(4)
    run.ask("pause")
    run.until_heard()
    run.allow(8)
    run.until("paused")
    n_paused = run.n_stored
    assert 4 <= n_paused <= 4 + BATCH
    run.ask("resume")
    run.until_stored(n_paused + 2)
    run.ask("cancel")
    run.until_heard()
    run.allow(ALL)
    run.until("cancelled")
    assert run.n_stored < run.n_samples
    run.ask("resume")
    run.until("succeeded", "failed")
    run.is_whole(n_repeated_at_most=2 * BATCH)


def test_a_worker_that_is_stopped_hands_its_run_on(workshop):
    first = workshop.evaluator()
    run = workshop.request("stopped", allowed=4)
    run.until_stored(4)
    n_before = workshop.log("evaluator").count(SHUTTING_DOWN)
    first.terminate()
    wait_until(lambda: workshop.log("evaluator").count(SHUTTING_DOWN) > n_before, PATIENCE)
    run.until_heard()
    run.allow(ALL)
    first.wait(PATIENCE)
    workshop.processes.remove(first)
    assert run.status == "queued"
    second = workshop.evaluator()
    run.until("succeeded", "failed")
    run.is_whole(n_repeated_at_most=BATCH)
    workshop.end(second)


def test_memory_that_runs_out_costs_no_sample(workshop, tmp_path):
    """Real scoring in a real worker: batches of more than two rows do not fit."""
    save_tiny_model(tmp_path)
    worker = workshop.evaluator(TEST_MOST_ROWS="2", LOG_LEVEL="WARNING")
    options = {"device": "cpu", "dtype": "float32"}
    run = workshop.request("tight", engine="huggingface", source=str(tmp_path), options=options)
    run.until("succeeded", "failed")
    status, epoch, n_samples, *counted = run.row()
    assert (status, epoch, counted) == ("succeeded", 0, [n_samples] * 3)
    assert "memory ran out" in workshop.log("evaluator")
    workshop.end(worker)
