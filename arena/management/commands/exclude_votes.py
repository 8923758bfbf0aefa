"""`manage.py exclude_votes`: a vote, or all of an imported file, does not count; or counts again."""

import argparse
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from arena import ledger
from arena.models import Vote, VoteExclusion, VoteImport


class Command(BaseCommand):
    help = (
        "Leave a vote or an imported file out of the ratings, with the reason; or count it again. Nothing is deleted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--battle", type=_battle, metavar="ID", help="the vote of this battle")
        which.add_argument("--import", dest="source", metavar="DIGEST", help="all votes of this file; see below")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--reason", choices=VoteExclusion.Reason.values, help="why it does not count")
        how.add_argument("--restore", action="store_true", help="it counts again")
        parser.add_argument("--note", default="", help="more about the reason, for administrators")
        parser.epilog = "Without options it lists the imported files and what is left out."

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["battle"] or options["source"]):
            if options["reason"] or options["restore"]:
                raise CommandError("Say of what: --battle or --import.")
            self._list()
            return
        if not (options["reason"] or options["restore"]):
            raise CommandError(f"Say --restore, or why: --reason {'|'.join(VoteExclusion.Reason.values)}.")
        counted = _import(options["source"]) if options["source"] else _vote(options["battle"])
        try:
            if options["restore"]:
                ledger.restore(counted)
            else:
                ledger.exclude(counted, reason=options["reason"], note=options["note"])
        except ledger.NothingToDo as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            self.style.SUCCESS(f"The {counted} {'counts again' if options['restore'] else 'is left out'}.")
        )

    def _list(self) -> None:
        for source in VoteImport.objects.order_by("pk"):
            self.stdout.write(f"{source.digest[:12]}  {source.n_votes:,} votes  {source.name}")
        for exclusion in VoteExclusion.objects.in_force().select_related("vote", "source").order_by("pk"):
            self.stdout.write(f"left out since {exclusion.excluded_at:%Y-%m-%d}: {exclusion} {exclusion.note}".rstrip())


def _import(digest: str) -> VoteImport:
    found = list(VoteImport.objects.filter(digest__startswith=digest)[:2])
    if len(found) != 1:
        raise CommandError(f"{'Several files have' if found else 'No file has'} a digest that begins with {digest!r}.")
    return found[0]


def _vote(battle: uuid.UUID) -> Vote:
    found = Vote.objects.select_related("battle").filter(battle=battle).first()
    if found is None:
        raise CommandError(f"There is no vote on a battle {battle}.")
    return found


def _battle(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no battle: give the id from its address") from None
