from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from llms import model_files


class Command(BaseCommand):
    help = "Writes all endpoints and models as a models.yaml for `manage.py register`. Keys are not in it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("-f", "--file", help="where to; standard output if it is not given")

    def handle(self, *args: Any, **options: Any) -> None:
        text = model_files.export()
        if not options["file"]:
            self.stdout.write(text, ending="")
            return
        try:
            Path(options["file"]).write_text(text, "utf-8")
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be written: {error.strerror}.") from error
