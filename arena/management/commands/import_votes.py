"""`manage.py import_votes FILE...`: votes of people that were cast elsewhere become rows of the ledger."""

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from arena import imports
from arena.foreign_votes import ForeignVotes, Reading, read_file
from arena.imports import CannotImport, Plan
from llms.models import LanguageModel, Visibility
from stats.errors import StatsError
from stats.rating_command import counted
from stats.rating_files import plain
from stats.vote_options import (
    ALL_OR_NONE,
    KNOWN_FILES,
    add_reading_options,
    columns_of,
    names_all_or_none,
    what_was_read,
)

SECONDS_BETWEEN_LINES: Final = 2.0
ROLES: Final = ("voter", "prompt", "time")


class Command(BaseCommand):
    help = "Import votes of people from files. Each row is counted once, however often its file is imported."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=KNOWN_FILES)
        parser.add_argument("--dry-run", action="store_true", help="say what would be added, and write nothing")
        parser.add_argument("--public", action="store_true", help="models that are listed anew are shown to everybody")
        parser.add_argument(
            "--model",
            type=_named,
            action="append",
            default=[],
            metavar="NAME=SLUG",
            help="the registered model that a name in the file stands for; else the one of that slug, name or source",
        )
        add_reading_options(parser)
        for role in ROLES:
            parser.add_argument(f"--{role}", metavar="COLUMN", help="with the three others, where there is one")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = argparse.Namespace(**options)
        if not names_all_or_none(asked):
            raise CommandError(f"{ALL_OR_NONE.capitalize()}.")
        try:
            planned = self._plans(asked)
            for one in planned:
                self._tell(_plan_in_words(one, is_dry=asked.dry_run))
            if asked.dry_run:
                return
            visibility = Visibility.PUBLIC if asked.public else Visibility.INTERNAL
            for one in planned:
                self._bring_in(one.file, visibility, _chosen(asked.model, one.file))
        except (CannotImport, StatsError) as error:
            raise CommandError(plain(str(error))) from error

    def _plans(self, asked: argparse.Namespace) -> list[Plan]:
        """Of all files, before anything is written."""
        files: dict[str, ForeignVotes] = {}
        for path in asked.files:
            file = read_file(path, _reading(asked))
            if file.digest in files:
                self._tell([f"{path} is the same as {files[file.digest].path}, and counts once."])
                continue
            files[file.digest] = file
            self._tell([f"{path}:", *what_was_read(file.votes, every_bad_row=asked.bad_rows), *file.notes])
        _check_names(asked.model, files.values())
        return [imports.plan(file, _chosen(asked.model, file)) for file in files.values()]

    def _bring_in(self, file: ForeignVotes, visibility: Visibility, chosen: dict[str, LanguageModel]) -> None:
        """Planned anew: the file before it may have listed models that this one names."""
        told_at = time.monotonic()

        def tell(n_done: int) -> None:
            nonlocal told_at
            if time.monotonic() - told_at >= SECONDS_BETWEEN_LINES:
                told_at = time.monotonic()
                self._tell([f"  {n_done:,} of {len(file):,} rows"])

        source, n_added = imports.bring_in(imports.plan(file, chosen), visibility=visibility, tell=tell)
        self.stdout.write(
            self.style.SUCCESS(f"{file.path}: {n_added:,} votes added, {source.n_votes - n_added:,} were here already.")
        )

    def _tell(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stderr.write(plain(line), style_func=str)


def _plan_in_words(planned: Plan, *, is_dry: bool) -> Iterator[str]:
    n_new = len(planned.file) - planned.n_here
    if is_dry:
        yield f"{planned.file.path}: {counted(n_new, 'vote')} would be added, {planned.n_here} are here already."
    for name, llm in planned.llms.items():
        if llm is None:
            yield f"  {name}: not registered, {'would be' if is_dry else 'is'} listed"
        elif llm.slug != name:
            yield f"  {name}: {llm.slug}"


def _reading(asked: argparse.Namespace) -> Reading:
    columns = columns_of(asked)
    roles = {role: getattr(asked, role) for role in ROLES if getattr(asked, role)}
    if roles and not columns:
        raise CannotImport(f"--{next(iter(roles))} goes with --left, --right and --outcome.")
    return Reading(columns._replace(**roles) if columns else None, dict(asked.word))


def _check_names(named: list[tuple[str, str]], files: Iterable[ForeignVotes]) -> None:
    known = sorted({name for file in files for name in file.votes.names})
    if wrong := [name for name, _ in named if name not in known]:
        raise CannotImport(f"No file names a model {wrong[0]!r}. They name {', '.join(known)}.")


def _chosen(named: list[tuple[str, str]], file: ForeignVotes) -> dict[str, LanguageModel]:
    chosen = {}
    for name, slug in named:
        llm = LanguageModel.objects.filter(slug=slug).first()
        if llm is None:
            known = ", ".join(LanguageModel.objects.values_list("slug", flat=True)) or "none"
            raise CannotImport(f"No model has the slug {slug!r}. Known: {known}.")
        if name in file.votes.names:
            chosen[name] = llm
    return chosen


def _named(text: str) -> tuple[str, str]:
    name, _, slug = text.rpartition("=")
    if not name or not slug:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=SLUG, as in 'GPT 4=gpt-4'")
    return name, slug
