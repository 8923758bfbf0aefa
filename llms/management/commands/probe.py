"""`manage.py probe ENDPOINT`: asks a model server what its models can do, and prints it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from llms import endpoints, probing
from llms.models import Endpoint, ProbeResult
from llms.probing import ProbeFailed
from llms.translations import translated

MARKS = {
    ProbeResult.Verdict.YES: "✓",
    ProbeResult.Verdict.NO: "–",
    ProbeResult.Verdict.WRONG: "✗",
    ProbeResult.Verdict.UNKNOWN: "?",
}


class Command(BaseCommand):
    help = "Ask a model server what its models can do. What is found is remembered, as on the endpoint's page."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("endpoint", help="its name, as registered")
        parser.add_argument("--model", help="only this one, by its name at the endpoint; default: all that it lists")

    def handle(self, *args: Any, **options: Any) -> None:
        endpoint = _endpoint(options["endpoint"])
        for served_name in [options["model"]] if options["model"] else _served_names(endpoint):
            try:
                self._print(served_name, probing.probe(endpoint, served_name))
            except ProbeFailed as failed:
                raise CommandError(translated(failed.args[0])) from failed

    def _print(self, served_name: str, results: list[ProbeResult]) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(f"{served_name}  {results[0].server}".rstrip()))
        for result in results:
            verdict = ProbeResult.Verdict(result.verdict)
            number = f" ({result.number})" if result.number is not None else ""
            self.stdout.write(f"  {MARKS[verdict]} {result.get_capability_display()}: {verdict.label}{number}")
            self.stdout.write(f"      {translated(result.evidence)}")


def _endpoint(name: str) -> Endpoint:
    try:
        return Endpoint.objects.get(name=name)
    except Endpoint.DoesNotExist:
        known = ", ".join(Endpoint.objects.values_list("name", flat=True)) or _("none")
        raise CommandError(
            _("No endpoint is called %(name)s; known: %(known)s.") % {"name": name, "known": known}
        ) from None


def _served_names(endpoint: Endpoint) -> tuple[str, ...]:
    health = endpoints.ask(endpoint)
    if not health.models:
        words = _("%(endpoint)s lists no models (%(reason)s). Name one with --model.")
        raise CommandError(words % {"endpoint": endpoint, "reason": translated(health.words)})
    return health.models
