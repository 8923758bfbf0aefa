"""`python manage.py doctor`: what is wrong here, and how to mend it."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.doctor import scoring
from config.doctor.examination import examine
from config.doctor.findings import Result, State
from config.doctor.report import as_json, as_text
from llms.models import LanguageModel
from llms.pool import pool


class Command(BaseCommand):
    help = "Look at services, disk, keys, endpoints, models, devices and versions, and say how to mend what is wrong."
    requires_system_checks = []  # what they would stop at is among the findings

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for a machine to read")
        parser.add_argument("--strict", action="store_true", help="warnings, too, make the exit code 1")
        parser.add_argument(
            "--model", metavar="SLUG", help="only this model: can it be scored here, and does the fast way do it right?"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        results = self._of_model(options["model"]) if options["model"] else examine()
        self.stdout.write(as_json(results) if options["json"] else as_text(results, plain=not self.stdout.isatty()))
        states = {result.finding.state for result in results}
        tolerated = {State.OK} if options["strict"] else {State.OK, State.WARNING}
        if states - tolerated:
            sys.exit(1)

    def _of_model(self, slug: str) -> list[Result]:
        llm = LanguageModel.objects.select_related("endpoint").filter(slug=slug).first()
        if llm is None:
            known = ", ".join(LanguageModel.objects.values_list("slug", flat=True)) or "none"
            raise CommandError(f"No model has the slug {slug!r}. Known: {known}.")
        try:
            return list(scoring.examine_model(llm, tell=self._tell))
        except KeyboardInterrupt:
            raise CommandError("Stopped. Nothing was noted; ask again whenever you like.") from None
        finally:
            pool.close()  # whatever it loaded is free for others

    def _tell(self, words: str) -> None:
        """Beside the findings, which stay alone on the standard output."""
        self.stderr.write(f"… {words}", style_func=str)
