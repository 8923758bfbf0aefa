"""`manage.py rate`: what `python -m stats` does for a file, for the votes of this server. Models go by their slugs."""

import argparse
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leaderboard.sources import single_votes, votes
from llms.models import Visibility
from stats.comparisons import Comparisons, PairCounts, StatsError
from stats.rating_command import add_rating_options, check, counted, options_of, save
from stats.rating_files import as_text
from stats.rating_tables import RatingTable, rate
from stats.style import style_of


class Command(BaseCommand):
    help = "Rate the models by the votes of this server, as `python -m stats` does by those of a file."

    def add_arguments(self, parser: CommandParser) -> None:
        add_rating_options(parser)
        parser.add_argument(
            "--audience",
            choices=Visibility.values,
            default=Visibility.PUBLIC,
            help="public: votes between public models only; internal: all votes",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        asked = argparse.Namespace(**options)
        try:
            check(asked)
            table = self._rate(asked)
            self.stdout.write(as_text(table))
            save(table, asked, subject=f"{asked.audience} votes")
        except StatsError as error:
            raise CommandError(str(error)) from error

    def _rate(self, asked: argparse.Namespace) -> RatingTable:
        audience = Visibility(asked.audience)
        given: Comparisons | PairCounts
        style = None
        if asked.style or asked.method == "elo":
            cast = single_votes.read(audience, style=asked.style)
            llms, given, n_votes = cast.llms, cast.comparisons, len(cast.comparisons.left)
            style = style_of(*cast.style) if cast.style else None
        else:
            llms, given = votes.read(audience)
            cast, n_votes = None, int(given.n_comparisons)
        self._tell([f"{counted(n_votes, 'vote')} on {counted(len(llms), 'model')} ({audience})."])
        if cast and cast.n_unmeasured:
            self._tell([f"{counted(cast.n_unmeasured, 'vote')} left out: the style of their answers was not measured."])
        if style:
            self._tell(["Length is counted in words."])
        names = tuple(llm.slug for llm in llms)
        table = rate(names, given, method=asked.method, options=options_of(asked, style))
        self._tell(table.notes)
        return table

    def _tell(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stderr.write(line, style_func=str)
