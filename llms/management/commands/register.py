import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from llms import identification, model_files, probing
from llms.engines.base import EngineError
from llms.model_files import Applied, BadFile, Change
from llms.models import LanguageModel, ProbeResult
from llms.probing import ProbeFailed
from llms.translations import translated

MAX_BYTES = 4_000_000


class Command(BaseCommand):
    help = (
        "Registers the endpoints and models of a models.yaml, or changes them to what it says. May run again and "
        "again. What the file does not name stays as it is; nothing is deleted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("-f", "--file", required=True, help="the file, or - for standard input")
        parser.add_argument("--others", action="store_true", help="also list what is registered and not in the file")
        either = parser.add_mutually_exclusive_group()
        either.add_argument("--dry-run", action="store_true", help="only show what would change")
        either.add_argument("--probe", action="store_true", help="also probe the endpoints and compute identities")

    def handle(self, *args: Any, **options: Any) -> None:
        text = _read(options["file"])
        try:
            applied = model_files.apply(text, os.environ, dry_run=options["dry_run"])
        except BadFile as error:
            lines = [f"{options['file']}:{problem.line}: {problem.words}" for problem in error.problems]
            raise CommandError("\n".join([*lines, "Nothing was changed."])) from error
        self._tell(applied, dry_run=options["dry_run"])
        if options["others"]:
            self._tell_others(applied.others)
        if options["probe"]:
            self._look_closer(applied.llms)

    def _tell(self, applied: Applied, *, dry_run: bool) -> None:
        for change in applied.changes:
            self._tell_change(change)
        n = len(applied.changes)
        if n == 0:
            self.stdout.write("Nothing to do: everything is as the file says.")
        elif dry_run:
            self.stdout.write(f"{n} would change. Nothing was changed: this was a dry run.")
        else:
            self.stdout.write(self.style.SUCCESS(f"{n} changed."))

    def _tell_change(self, change: Change) -> None:
        self.stdout.write(f"{'+' if change.is_new else '~'} {change.kind} {change.name}")
        for field in change.fields:
            if change.is_new:
                if field.new not in (None, "", [], {}):
                    self.stdout.write(f"    {field.name}: {field.new!r}")
            else:
                self.stdout.write(f"    {field.name}: {field.old!r} → {field.new!r}")

    def _tell_others(self, others: list[str]) -> None:
        self.stdout.write(f"Not in the file, and left alone: {', '.join(others) or 'none'}.")

    def _look_closer(self, llms: list[LanguageModel]) -> None:
        """At all of them, whatever becomes of one. What one server serves under one name is probed once."""
        failed, probed = [], set()
        for llm in llms:
            try:
                if llm.endpoint is not None and (llm.endpoint, llm.source) not in probed:
                    probed.add((llm.endpoint, llm.source))
                    self._tell_findings(llm.slug, probing.probe(llm.endpoint, llm.source))
                self.stdout.write(f"{llm.slug}: {identification.identify(llm) or 'unpinned'}")
            except (ProbeFailed, EngineError) as error:
                failed.append(f"{llm.slug}: {translated(error.args[0])}")
        if failed:
            raise CommandError("\n".join([*failed, "They are registered all the same: mend this, and run it again."]))

    def _tell_findings(self, slug: str, results: list[ProbeResult]) -> None:
        for result in results:
            self.stdout.write(f"{slug}: {result.capability} {result.verdict}: {translated(result.evidence)}")


def _read(name: str) -> str:
    try:
        raw = sys.stdin.buffer.read(MAX_BYTES + 1) if name == "-" else _beginning(Path(name))
        if len(raw) > MAX_BYTES:
            raise CommandError(f"{name} is larger than {MAX_BYTES} bytes: that is no list of models.")
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{name} is not UTF-8 text: save it as that.") from error


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
