"""`manage.py benchmarks`: which benchmarks there are, which rows are here, and how to get the others; private ones too,
which are added and replaced here or on their page."""

from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug
from django.utils.translation import gettext as _

from evaluation import private_benchmarks
from evaluation.benchmarks.base import Capability
from evaluation.benchmarks.registry import PRIVATE_PREFIX, benchmark
from evaluation.datasets import Availability, from_samples, inventory
from evaluation.errors import DataMissing, EvaluationError
from evaluation.models import PrivateBenchmark
from evaluation.private_benchmarks import Naming
from evaluation.private_sets import PrivateSet, read_private_set
from llms.translations import translated

MOST_PROBLEMS_SHOWN: Final = 50


class Command(BaseCommand):
    help = "Show each benchmark, what is here of its rows, and how to get what is missing; add private ones."

    def add_arguments(self, parser: CommandParser) -> None:
        change = parser.add_mutually_exclusive_group()
        change.add_argument("--add", type=Path, metavar="FILE", help="a private benchmark: one JSON object a line")
        change.add_argument("--replace", type=Path, metavar="FILE", help="a new version of the private set --name")
        parser.add_argument("--name", help="its short name, as in private/NAME: letters, digits, - and _")
        parser.add_argument("--title", help="with --add: what people read; default: the short name")
        parser.add_argument(
            "--measures", choices=[one.value for one in Capability], default="knowledge", help="with --add"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["add"]:
                self._add(options)
            elif options["replace"]:
                self._replace(options)
            else:
                self._list()
        except EvaluationError as error:
            raise CommandError(translated(error.user_message)) from error

    # --- private sets

    def _add(self, options: dict[str, Any]) -> None:
        naming = Naming(_name(options), options["title"] or _name(options), options["measures"])
        version = private_benchmarks.add(self._read(options["add"]), naming)
        self._say_that_it_is_here(version.benchmark, version.number, version.n_items)

    def _replace(self, options: dict[str, Any]) -> None:
        known = PrivateBenchmark.objects.filter(slug=_name(options)).first()
        if known is None:
            raise CommandError(f"There is no private benchmark {options['name']!r}: add it with --add.")
        version = private_benchmarks.replace(known, self._read(options["replace"]))
        self._say_that_it_is_here(known, version.number, version.n_items)

    def _say_that_it_is_here(self, known: PrivateBenchmark, number: int, n_items: int) -> None:
        self.stdout.write(self.style.SUCCESS(f"{known.name}, version {number}: {n_items:,} items."))
        self.stdout.write(f"  Run it: manage.py evaluate --model SLUG --benchmark {known.name}")

    def _read(self, path: Path) -> PrivateSet:
        try:
            with path.open("rb") as file:
                uploaded = read_private_set(file, size=path.stat().st_size)
        except OSError as error:
            raise CommandError(f"{path} cannot be read ({error.strerror}): give the path of a file.") from error
        for line, reason in uploaded.problems[:MOST_PROBLEMS_SHOWN]:
            self.stderr.write(f"  line {line}: {translated(reason)}")
        n_more = len(uploaded.problems) - MOST_PROBLEMS_SHOWN
        if n_more > 0:
            self.stderr.write(f"  and {n_more:,} more")
        if uploaded.problems:
            raise CommandError("Nothing is stored. Mend these lines, and try again.")
        return uploaded

    # --- the list

    def _list(self) -> None:
        for found in inventory(settings.BENCHMARK_DATA_DIR, settings.HUB_ROWS_DIR):
            self._print(found)
        for known in PrivateBenchmark.objects.all():
            version = known.versions.latest("number")
            archived = " (archived)" if known.archived_at else ""
            self.stdout.write(self.style.MIGRATE_HEADING(f"{known.name}  {known.title}{archived}"))
            self.stdout.write(f"  {self.style.SUCCESS('✓')} {version.n_items:,} items, version {version.number}")

    def _print(self, found: Availability) -> None:
        chosen = benchmark(found.name)
        self.stdout.write(self.style.MIGRATE_HEADING(f"{found.name}  {_(chosen.card.title)}"))
        self.stdout.write(f"  {_(chosen.card.measures)}")
        published = f" of {found.n_published:,}" if found.n_published else ""
        here = "no rows here" if found.n_rows is None else f"{found.n_rows:,}{published} rows, from {found.source}"
        mark = self.style.WARNING("–") if found.n_rows is None else self.style.SUCCESS("✓")
        self.stdout.write(f"  {mark} {here}")
        if found.advice:
            self.stdout.write(f"    {translated(found.advice)}")
        n_built_in = _built_in(found.name)
        if n_built_in:
            self.stdout.write(f"    {n_built_in} built-in rows are always here: evaluate … --data sample")


def _name(options: dict[str, Any]) -> str:
    name = str(options["name"] or "").removeprefix(PRIVATE_PREFIX)
    try:
        validate_slug(name)
    except ValidationError:
        raise CommandError("Give a short name of letters, digits, - and _ with --name, such as travel-rules.") from None
    return name


def _built_in(name: str) -> int:
    try:
        return len(from_samples(benchmark(name)).rows)
    except DataMissing:
        return 0
