"""`manage.py import_results PATH`: results of lm-evaluation-harness, lighteval and inspect become runs."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from evaluation import imports
from evaluation.benchmarks.registry import benchmark
from evaluation.foreign.results import BadFile
from evaluation.imports import Examination, Examined
from evaluation.progress import metric_words
from llms.models import LanguageModel, Visibility
from llms.translations import translated


class Command(BaseCommand):
    help = "Import results and samples of lm-evaluation-harness, lighteval and inspect as runs marked “imported”."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="A file, a folder or a zip of them.")
        parser.add_argument("--model", help="The slug of the model that they are of; else it is who the files name.")
        parser.add_argument("--public", action="store_true", help="Models that are listed anew are shown to everybody.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would be imported, and write nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        llm = _llm(options["model"])
        try:
            examination = imports.examine(options["path"])
            self._tell(examination)
            if examination.problems:
                raise CommandError("Nothing was imported: mend or take out the files above, and import again.")
            if options["dry_run"]:
                self._tell_plan(examination, llm)
                return
            visibility = Visibility.PUBLIC if options["public"] else Visibility.INTERNAL
            imported = imports.bring_in(examination, llm=llm, visibility=visibility)
        except BadFile as error:
            raise CommandError(translated(error.user_message)) from None
        for one in imported:
            where = f"run {one.run.pk}" if one.run else "was here already"
            self.stdout.write(
                f"{where}: {_line(one.examined)} on {one.llm.slug}{' (listed)' if one.is_new_llm else ''}"
            )
        n_new = sum(one.run is not None for one in imported)
        self.stdout.write(self.style.SUCCESS(f"{n_new} imported, {len(imported) - n_new} here already."))

    def _tell(self, examination: Examination) -> None:
        for skipped in examination.skipped:
            what = f" ({skipped.what})" if skipped.what else ""
            self.stdout.write(f"left out: {skipped.file}{what}: {translated(skipped.reason)}")
        for problem in examination.problems:
            self.stderr.write(self.style.ERROR(f"{problem.file}: {translated(problem.reason)}"))
        headlines = [examined.summary.headline for examined in examination.runs]
        if any(headline and headline.standard_error is not None for headline in headlines):
            self.stdout.write("± is the standard error.")

    def _tell_plan(self, examination: Examination, llm: LanguageModel | None) -> None:
        for examined in examination.runs:
            meant = llm or imports.known_llm(examined.llm, examined.revision)
            named = meant.slug if meant else f"{examined.llm} (would be listed)"
            self.stdout.write(f"would import: {_line(examined)} on {named}")
            self.stdout.write(f"  {translated(imports.summary_words(examined))}: {translated(examined.reason)}")


def _line(examined: Examined) -> str:
    headline = examined.summary.headline
    samples = (
        f"{examined.n_samples:,} samples" if examined.has_samples else f"{examined.n_samples:,} samples, without them"
    )
    words = metric_words(headline.name, headline.value, headline.standard_error) if headline else ""
    return f"{benchmark(examined.benchmark).card.title} {words}, {samples}, {examined.file}"


def _llm(slug: str | None) -> LanguageModel | None:
    if not slug:
        return None
    found = LanguageModel.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(LanguageModel.objects.values_list("slug", flat=True)) or "none"
        raise CommandError(f"No model has the slug {slug!r}. Known: {known}.")
    return found
