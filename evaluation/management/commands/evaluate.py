"""`manage.py evaluate`: run benchmarks on a model, here and now, and watch; or hand them to the workers."""

import os
import time
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from evaluation import plans, runs, suites, tasks
from evaluation.benchmarks.base import Draw, Options
from evaluation.benchmarks.registry import benchmark
from evaluation.costs import Estimate
from evaluation.datasets import DataKind
from evaluation.errors import EvaluationError
from evaluation.management.work import Work, is_served, quiet_log, terminated_as_interrupted
from evaluation.models import Run
from evaluation.plans import Plan, Wish
from evaluation.progress import duration, line, metric_text
from evaluation.prompts import Template
from llms import demo
from llms.engines.base import EngineError
from llms.models import LanguageModel
from llms.translations import translated

LOOK_SECONDS = 0.5
SECONDS_A_LINE = 10.0
"""Between two lines, where the output is no terminal."""
CHARACTERS_A_TOKEN = 4
CLEARED = "\r\033[K"
"""Back to the beginning of the terminal's line, and away with what it says."""
INTERRUPTED = 130
"""What shells expect of a program that Ctrl+C ended."""


class Command(BaseCommand):
    help = "Run benchmarks on a registered model. Ctrl+C pauses; --resume goes on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", help="the model's slug")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--benchmark", nargs="+", help="names, as `manage.py benchmarks` lists them")
        what.add_argument("--suite", help=f"a list of benchmarks: {', '.join(suites.SUITES)}")
        what.add_argument("--resume", type=int, metavar="RUN", help="go on with a run that was paused or failed")
        parser.add_argument("--limit", type=int, help="only so many rows; of each subject, where there are subjects")
        parser.add_argument("--data", choices=["published", "sample"], default="published", help="which rows")
        parser.add_argument("--shots", type=int, help="examples in the prompt; default: the benchmark's own number")
        parser.add_argument("--draw", choices=[draw.value for draw in Draw], help="how the examples are chosen")
        parser.add_argument("--seed", type=int, help="for examples that are drawn")
        parser.add_argument("--chat-template", action="store_true", help="prompts through the model's chat template")
        parser.add_argument("--variant", help="where the benchmark has several")
        parser.add_argument("--priority", type=int, default=0, help="with --follow: the higher, the sooner")
        parser.add_argument("--follow", action="store_true", help="leave it to the workers, and only watch")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with quiet_log(), terminated_as_interrupted():
                ended = self._evaluate(options)
        except EvaluationError as error:
            raise CommandError(translated(error.user_message)) from error
        except DatabaseError as error:
            words = f"The database could not be read or written: {error}. Is the disk full? Then free some;"
            raise CommandError(f"{words} runs that began go on with --resume and their number.") from error
        if any(run.status == Run.Status.FAILED for run in ended):
            raise CommandError("Not all of it succeeded; see above.")
        if any(run.status == Run.Status.PAUSED for run in ended):
            raise SystemExit(INTERRUPTED)

    def _evaluate(self, options: dict[str, Any]) -> list[Run]:
        self._prepare_database()
        waiting = [self._resumed(options["resume"])] if options["resume"] else self._requested(options)
        if options["follow"]:
            for run in waiting:
                tasks.announce(run)
        ended = []
        for run in waiting:
            ended.append(self._followed(run) if options["follow"] else self._execute(run))
            if ended[-1].status == Run.Status.PAUSED:
                break
        return ended

    # --- where there is nothing yet

    def _prepare_database(self) -> None:
        """On a clean checkout this command works at once; a database with anything in it is its administrator's."""
        try:
            executor = MigrationExecutor(connection)
            is_current = not executor.migration_plan(executor.loader.graph.leaf_nodes())
            is_empty = not connection.introspection.table_names()
        except OperationalError as error:
            words = f"The database cannot be reached: {error}. `python manage.py doctor` says what to look at."
            raise CommandError(words) from error
        if not is_current and is_empty and settings.EMBEDDED:
            self.stdout.write("  database …")
            call_command("migrate", verbosity=0, interactive=False)
        elif not is_current:
            raise CommandError("The database does not fit this version yet. Run: python manage.py migrate")

    def _llm(self, slug: str | None) -> LanguageModel:
        rows = LanguageModel.objects.select_related("endpoint")
        found = rows.filter(slug=slug or "").first()
        if found is None and slug == demo.PLAIN_SLUG:
            return self._small_model()
        if found is None:
            known = sorted({*LanguageModel.objects.values_list("slug", flat=True), demo.PLAIN_SLUG})
            which = f"No model has the slug {slug!r}" if slug else "Say which model, by its slug, with --model"
            raise CommandError(f"{which}. Known: {', '.join(known)}. Others: python manage.py register --help")
        return found

    def _small_model(self) -> LanguageModel:
        self.stdout.write("  registering the small model of the demo …")
        try:
            return demo.plain(lambda step: self.stdout.write(f"    {step} …"))
        except (EngineError, demo.NoModel) as error:
            raise CommandError(str(error)) from error

    # --- what is to be done

    def _resumed(self, run_id: int) -> Run:
        run = Run.objects.select_related("llm__endpoint").filter(pk=run_id).first()
        if run is None:
            raise CommandError(f"There is no run {run_id}.")
        if not runs.resume(run) and run.status not in (Run.Status.QUEUED, Run.Status.RUNNING):
            raise CommandError(f"Run {run_id} has {run.get_status_display()}: there is nothing to resume.")
        run.refresh_from_db()
        self.stdout.write(f"{run} goes on after {run.n_done:,} of {run.n_samples:,} samples.")
        return run

    def _requested(self, options: dict[str, Any]) -> list[Run]:
        """All are planned before the first is requested: a misspelt one must not cost the others."""
        llm = self._llm(options["model"])
        planned = [plans.plan(llm, wish) for wish in self._wishes(llm, options)]
        for one in planned:
            self._tell(llm, one)
        return [runs.request_planned(llm, one) for one in planned]

    def _wishes(self, llm: LanguageModel, options: dict[str, Any]) -> list[Wish]:
        if options["benchmark"]:
            return [_adapted(Wish(benchmark=name), options) for name in options["benchmark"]]
        found = []
        for entry, obstacle in suites.entries_for(llm, options["suite"]):
            if obstacle:
                self.stdout.write(f"{entry.benchmark}: not applicable. {translated(obstacle)}")
            else:
                found.append(_adapted(suites.wish_of(entry), options))
        return found

    def _tell(self, llm: LanguageModel, planned: Plan) -> None:
        heading = f"{planned.prepared.benchmark.card.title} on {llm.name}"
        self.stdout.write(self.style.MIGRATE_HEADING(heading))
        self.stdout.write(f"  {translated(planned.prepared.protocol.summary)}")
        self.stdout.write(f"  rows from {planned.origin}")
        for words in _in_words(planned.estimate):
            self.stdout.write(f"  {words}")

    # --- here, or elsewhere

    def _execute(self, run: Run) -> Run:
        """The computation has a thread of its own: Ctrl+C must not break it off in the middle of a batch."""
        work = Work(run, only_waits=is_served())
        if work.only_waits:
            self.stdout.write("  A Hakem runs on these data: it does the work, and here it is watched.")
        work.start()
        try:
            return self._watch(run, work)
        except KeyboardInterrupt:
            return self._pause(run, work)

    def _pause(self, run: Run, work: Work) -> Run:
        runs.pause(run)
        self.stdout.write("\n  Pausing after the batch at work … (Ctrl+C again stops at once and gives that batch up)")
        try:
            work.join()
        except KeyboardInterrupt:
            work.give_up()
            self._told(run)
            self.stdout.flush()
            # A thread in the middle of a computation cannot be ended otherwise, and what it computes nobody takes.
            os._exit(INTERRUPTED)
        return self._told(run)

    def _followed(self, run: Run) -> Run:
        try:
            return self._watch(run)
        except KeyboardInterrupt:
            words = f"The workers go on with run {run.pk}. To watch again: python manage.py evaluate --follow --resume"
            self.stdout.write(f"\n  {words} {run.pk}")
            raise SystemExit(INTERRUPTED) from None

    def _watch(self, run: Run, work: Work | None = None) -> Run:
        next_line, last_told = 0.0, run.log.count()
        while True:
            has_stopped = work is not None and not work.is_alive()
            run.refresh_from_db()
            now = time.monotonic()
            is_over = run.has_ended or run.status == Run.Status.PAUSED
            last_told += 0 if is_over else self._tell_log(run, last_told)
            if is_over or self._is_due(run, now, next_line):
                self._draw(run, is_last=is_over)
                next_line = now + SECONDS_A_LINE
            if is_over:
                if work:
                    work.join()
                return self._told(run)
            if work and has_stopped:
                raise work.failure or CommandError(f"Run {run.pk} stopped by itself. Go on with --resume {run.pk}.")
            self._sleep(work)

    def _sleep(self, work: Work | None) -> None:
        if work and work.is_alive():
            work.join(LOOK_SECONDS)
        else:
            time.sleep(LOOK_SECONDS)

    def _tell_log(self, run: Run, start: int) -> int:
        """What happened since; how many lines that are."""
        lines = list(run.log.all()[start:])
        for line_of_log in lines:
            self.stdout.write(f"{CLEARED if self._is_terminal() else ''}  {translated(line_of_log.words)}")
        return len(lines)

    def _is_due(self, run: Run, now: float, next_line: float) -> bool:
        return self._is_terminal() or (run.n_done > 0 and now >= next_line)

    def _is_terminal(self) -> bool:
        return bool(self.stdout.isatty())

    def _draw(self, run: Run, *, is_last: bool) -> None:
        rate = run.n_done / run.seconds if run.seconds else 0.0
        text = line(run.n_done, run.n_samples, rate=rate, seconds_left=run.seconds_left, metric=_metric(run))
        if self._is_terminal():
            self.stdout.write(f"{CLEARED}{text}", ending="\n" if is_last else "")
            self.stdout.flush()
        else:
            self.stdout.write(text)

    def _told(self, run: Run) -> Run:
        run.refresh_from_db()
        match run.status:
            case Run.Status.SUCCEEDED:
                error = "" if run.standard_error is None else " (standard error)"
                words = f"Run {run.pk}: {_metric(run)}{error}  in {duration(run.seconds)}"
                self.stdout.write(self.style.SUCCESS(f"  {words}") + _remarks(run))
            case Run.Status.PAUSED:
                self.stdout.write(
                    f"  Paused after {run.n_done:,} of {run.n_samples:,} samples. Go on with:"
                    f" python manage.py evaluate --resume {run.pk}"
                )
            case Run.Status.FAILED:
                self.stdout.write(self.style.ERROR(f"  Run {run.pk} failed: {translated(run.error)}"))
            case _:
                self.stdout.write(f"  Run {run.pk} is {run.get_status_display()}.")
        return run


def _adapted(wish: Wish, options: dict[str, Any]) -> Wish:
    """What the command line says wins over the benchmark's own options and the suite's."""
    chosen = wish.options or benchmark(wish.benchmark).default_options
    given: dict[str, Any] = {"n_shots": options["shots"], "seed": options["seed"], "variant": options["variant"]}
    given["draw"] = Draw(options["draw"]) if options["draw"] else None
    given["template"] = Template.CHAT if options["chat_template"] else None
    changed: Options = replace(chosen, **{name: value for name, value in given.items() if value is not None})
    limit = options["limit"] if options["limit"] is not None else wish.limit
    return replace(wish, options=changed, limit=limit, data=DataKind(options["data"]), priority=options["priority"])


def _in_words(estimate: Estimate) -> list[str]:
    n_tokens = estimate.n_characters // CHARACTERS_A_TOKEN
    took = f"about {duration(estimate.seconds)}" if estimate.seconds else "a time that the first run will tell"
    words = [f"{estimate.n_samples:,} samples, about {n_tokens:,} tokens in prompts, {took}"]
    if estimate.smallest_difference:
        points = 100 * estimate.smallest_difference
        words.append(f"can tell two models apart that differ by {points:.1f} points or more")
    return words


def _metric(run: Run) -> str:
    """Rows scored so far are the longest, and no random sample: no standard error before all are."""
    error = run.standard_error if run.n_done == run.n_samples else None
    return metric_text(benchmark(run.benchmark), run.value, error)


def _remarks(run: Run) -> str:
    remarks = {"without a score": run.n_errors, "truncated": run.n_truncated, "requests from memory": run.n_cached}
    told = ", ".join(f"{n:,} {words}" for words, n in remarks.items() if n)
    return f"  ({told})" if told else ""
