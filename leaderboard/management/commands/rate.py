"""`manage.py rate`: what `python -m stats` does for a file, for the votes of this server. Models go by their slugs."""

import argparse
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from arena.models import PairCount
from leaderboard.sources import single_votes, votes
from llms.models import Visibility
from stats.comparisons import Comparisons, PairCounts
from stats.errors import StatsError
from stats.rating_command import add_rating_options, check, counted, options_of, save
from stats.rating_files import as_text
from stats.rating_methods import UnsupportedOptionError
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
        parser.add_argument(
            "--category",
            default=PairCount.OVERALL,
            help=f"which of the ledger's categories of votes to count ({PairCount.OVERALL})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        asked = argparse.Namespace(**options)
        try:
            check(asked)
            table = self._rate(asked)
            self.stdout.write(as_text(table))
            save(table, asked, subject=f"{_described(asked)} votes")
        except StatsError as error:
            raise CommandError(str(error)) from error

    def _rate(self, asked: argparse.Namespace) -> RatingTable:
        audience = Visibility(asked.audience)
        _check_category(asked)
        given: Comparisons | PairCounts
        style = None
        if asked.style or asked.method == "elo":
            cast = single_votes.read(audience, style=asked.style)
            llms, given, n_votes = cast.llms, cast.comparisons, len(cast.comparisons.left)
            style = style_of(*cast.style) if cast.style else None
        else:
            llms, given = votes.read(audience, category=asked.category)
            cast, n_votes = None, int(given.n_comparisons)
        self._tell([f"{counted(n_votes, 'vote')} on {counted(len(llms), 'model')} ({_described(asked)})."])
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


def _is_overall(asked: argparse.Namespace) -> bool:
    return bool(asked.category == PairCount.OVERALL)


def _check_category(asked: argparse.Namespace) -> None:
    """Raises UnsupportedOptionError: a category that no vote is of, or whose votes are known by their counts alone."""
    if _is_overall(asked):
        return
    counted_as = PairCount.objects.exclude(category=PairCount.OVERALL).values_list("category", flat=True)
    known = [PairCount.OVERALL, *counted_as.order_by("category").distinct()]
    if asked.category not in known:
        raise UnsupportedOptionError(
            f"No votes are counted as {asked.category!r}. The categories are: {', '.join(known)}."
        )
    if asked.style or asked.method == "elo":
        raise UnsupportedOptionError(
            "Elo ratings and style need the votes one by one, and a category has only their counts: "
            "leave --category out, or rate it by another method."
        )


def _described(asked: argparse.Namespace) -> str:
    return str(asked.audience) if _is_overall(asked) else f"{asked.audience}, {asked.category}"
