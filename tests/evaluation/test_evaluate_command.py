import contextlib
import io
import threading
from datetime import timedelta

import filelock
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from evaluation import runs, scribe
from evaluation.datasets import DataKind
from evaluation.management.commands import evaluate
from evaluation.models import Run
from evaluation.plans import Wish
from evaluation.progress import duration, line
from llms import demo
from llms.models import LanguageModel
from tests.helpers.run_rows import run_row


def command(*arguments, exit_code=None):
    out = io.StringIO()
    with pytest.raises(SystemExit) if exit_code else contextlib.nullcontext() as ended:
        call_command("evaluate", *arguments, stdout=out, stderr=out)
    assert exit_code is None or ended.value.code == exit_code
    return out.getvalue()


def test_it_says_the_cost_first_and_the_result_last(counted):
    text = command("--model", "orion-7b", "--benchmark", "mmlu", "--data", "sample")

    run = Run.objects.get()
    assert run.status == Run.Status.SUCCEEDED
    assert text.index(f"{run.n_samples} samples, about") < text.index(f"{run.n_samples}/{run.n_samples}")
    assert f"Run {run.pk}: acc {100 * run.value:.1f} % ± {100 * run.standard_error:.1f} (standard error)" in text


def test_several_benchmarks_go_one_after_the_other(counted):
    command("--model", "orion-7b", "--benchmark", "piqa", "hellaswag", "--data", "sample", "--limit", "2")

    assert [run.benchmark for run in Run.objects.order_by("finished_at")] == ["piqa", "hellaswag"]


def test_a_misspelt_benchmark_costs_nothing(counted):
    with pytest.raises(CommandError, match="mmlu2"):
        command("--model", "orion-7b", "--benchmark", "piqa", "mmlu2", "--data", "sample")
    assert not Run.objects.exists()


def test_an_unknown_model_is_answered_with_the_known_ones(counted):
    with pytest.raises(CommandError, match="orion-7b"):
        command("--model", "orion", "--benchmark", "piqa")


def test_a_suite_says_what_is_not_applicable(counted):
    text = command("--model", "orion-7b", "--suite", "after-finetuning", "--data", "sample", "--limit", "1")

    assert "gaia: not applicable" in text
    assert set(Run.objects.values_list("benchmark", "status")) == {
        (name, "succeeded") for name in ("mmlu", "hellaswag", "arc_challenge", "winogrande", "piqa", "ifeval")
    }


def test_ctrl_c_pauses_and_says_how_to_go_on(counted, engine, monkeypatch):
    reached = threading.Event()
    heard = threading.Event()

    def hold_until_paused(n_computed):
        if n_computed == 3:
            reached.set()
            assert heard.wait(30)

    def interrupt(self, worker):
        if reached.wait(0.05):
            raise KeyboardInterrupt

    whole = scribe.Scribe._stop

    def stop(self, halt):
        whole(self, halt)
        heard.set()

    engine.before_each = hold_until_paused
    with monkeypatch.context() as interrupted:
        interrupted.setattr(evaluate.Command, "_sleep", interrupt)
        interrupted.setattr(scribe.Scribe, "_stop", stop)
        text = command("--model", "orion-7b", "--benchmark", "mmlu", "--data", "sample", exit_code=130)

    run = Run.objects.get()
    assert (run.status, run.n_done, run.samples.count()) == (Run.Status.PAUSED, 4, 4)
    assert f"evaluate --resume {run.pk}" in text
    assert f"{run.n_samples}/{run.n_samples}" in command("--resume", str(run.pk))
    run.refresh_from_db()
    assert (run.status, engine.n_computed) == (Run.Status.SUCCEEDED, run.n_samples)


def test_a_second_ctrl_c_gives_up_the_batch_at_work(counted, engine, monkeypatch):
    reached, released = threading.Event(), threading.Event()

    def hold(n_computed):
        if n_computed == 3:
            reached.set()
            assert released.wait(30)

    def interrupt(self, work):
        if reached.wait(0.05):
            monkeypatch.setattr(evaluate.Work, "join", interrupt_again)
            raise KeyboardInterrupt

    def interrupt_again(self):
        monkeypatch.undo_join()
        raise KeyboardInterrupt

    def end_process(code):
        raise SystemExit(code)

    whole_join = evaluate.Work.join
    monkeypatch.undo_join = lambda: monkeypatch.setattr(evaluate.Work, "join", whole_join)
    monkeypatch.setattr(evaluate.Command, "_sleep", interrupt)
    monkeypatch.setattr(evaluate.os, "_exit", end_process)
    engine.before_each = hold
    text = command("--model", "orion-7b", "--benchmark", "mmlu", "--data", "sample", exit_code=130)
    run = Run.objects.get()
    n_stored = run.samples.count()
    assert (run.status, run.epoch) == (Run.Status.PAUSED, 1)
    assert f"evaluate --resume {run.pk}" in text
    released.set()
    for thread in threading.enumerate():
        if isinstance(thread, evaluate.Work):
            thread.join(30)
    assert run.samples.count() == n_stored  # what was at work is not written any more


def test_a_run_whose_process_was_killed_is_taken_over(counted, engine):
    run = runs.request(counted, Wish(benchmark="mmlu", data=DataKind.SAMPLE))
    silent_since = timezone.now() - timedelta(seconds=scribe.LEASE_SECONDS + 1)
    Run.objects.update(status=Run.Status.RUNNING, heartbeat_at=silent_since)

    text = command("--resume", str(run.pk))

    run.refresh_from_db()
    assert (run.status, run.epoch, run.samples.count()) == (Run.Status.SUCCEEDED, 1, run.n_samples)
    assert "its worker was lost" in text


def test_beside_a_server_it_only_watches(counted, engine, settings, tmp_path):
    settings.SERVER_LOCK_FILE = tmp_path / "lock"
    who = set()
    engine.before_each = lambda n_computed: who.add(threading.current_thread().name)
    ended = threading.Event()

    def serve():
        while not ended.wait(0.1):
            runs.work_off()
        connection.close()

    server = threading.Thread(target=serve, name="the server")
    with filelock.FileLock(settings.SERVER_LOCK_FILE):
        server.start()
        try:
            text = command("--model", "orion-7b", "--benchmark", "piqa", "--data", "sample")
        finally:
            ended.set()
            server.join()

    assert who == {"the server"}
    assert "here it is watched" in text
    assert Run.objects.get().status == Run.Status.SUCCEEDED


@pytest.mark.parametrize(("n_samples", "told"), [(6, "acc 66.7 % ± 10.0"), (100, "acc 66.7 %")], ids=["all", "part"])
def test_a_part_of_the_rows_has_no_standard_error(orion, n_samples, told, capsys):
    run = run_row(orion, 6)
    run.n_samples = n_samples
    evaluate.Command()._draw(run, is_last=True)
    assert capsys.readouterr().out.rstrip().endswith(told)


def test_a_full_disk_is_said_with_what_to_do(counted, engine, monkeypatch):
    monkeypatch.setattr(scribe, "LEASE_SECONDS", 0)
    monkeypatch.setattr(scribe.Scribe, "_store", full)
    monkeypatch.setattr(runs, "LEASE_SECONDS", 0)
    monkeypatch.setattr(runs, "reconcile", full)
    with pytest.raises(CommandError, match=r"disk is full.*--resume"):
        command("--model", "orion-7b", "--benchmark", "piqa", "--data", "sample")


def full(*args):
    raise OperationalError("database or disk is full")


def test_on_a_clean_checkout_the_small_model_registers_itself(db, monkeypatch):
    def plain(report):
        report("converting the weights")
        return LanguageModel.objects.create(slug=demo.PLAIN_SLUG, name="Small", engine="echo", status="disabled")

    monkeypatch.setattr(demo, "plain", plain)
    monkeypatch.setattr(evaluate.Command, "_execute", lambda self, run: run)
    text = command("--model", demo.PLAIN_SLUG, "--benchmark", "piqa", "--data", "sample")

    assert "converting the weights" in text
    assert Run.objects.get().llm.slug == demo.PLAIN_SLUG


def test_benchmarks_are_listed_with_how_to_get_them(db, settings, tmp_path):
    settings.BENCHMARK_DATA_DIR, settings.HUB_ROWS_DIR = tmp_path, tmp_path / "hub"
    out = io.StringIO()
    call_command("benchmarks", stdout=out)

    assert "cais/mmlu" in out.getvalue()
    assert "20 built-in rows" in out.getvalue()


def test_a_line_says_how_long_it_takes():
    assert line(50, 100, rate=2.0, seconds_left=25.0, metric="acc 25.0 %").endswith(
        "50/100  2.0/s  25 s left  acc 25.0 %"
    )
    assert [duration(seconds) for seconds in (5, 65, 3725)] == ["5 s", "1 min 05 s", "1 h 02 min"]
