from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from arena import ledger


class Command(BaseCommand):
    help = "Make the pair counts anew from the votes, or check that they agree."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail if they disagree")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["check"]:
            self.stdout.write(f"{ledger.rebuild()} cells counted from the votes.")
            return
        differences = ledger.differences()
        for difference in differences:
            self.stdout.write(difference)
        if differences:
            raise CommandError("The counts disagree with the votes. Mend them with: manage.py rebuild_counts")
        self.stdout.write("The counts agree with the votes.")
