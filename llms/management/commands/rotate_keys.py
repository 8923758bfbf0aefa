from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from llms import key_rotation


class Command(BaseCommand):
    help = "Seal every stored key with the first of FIELD_KEYS, so that the others can be taken away."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail if one is sealed otherwise")

    def handle(self, *args: Any, **options: Any) -> None:
        n_changed = 0 if options["check"] else key_rotation.rotate()
        found = key_rotation.survey()
        for name in found.unreadable:
            self.stdout.write(f"{name}: sealed with a key that is not among FIELD_KEYS")
        for name in found.old:
            self.stdout.write(f"{name}: sealed with an old key")
        if found.unreadable:
            raise CommandError("Bring the missing key back (FIELD_KEYS=<new>,<old>), or type the servers' keys anew.")
        if found.old:
            raise CommandError("Seal them with the first of FIELD_KEYS: manage.py rotate_keys")
        self.stdout.write(f"Keys sealed anew: {n_changed}. Under the first of FIELD_KEYS: all {found.n_current}.")
