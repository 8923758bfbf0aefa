"""The whole product in one process: `python manage.py up`."""

import contextlib
import errno
import os
import shutil
import socket
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import uvicorn
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from arena.protocol import MAX_FRAME_CHARACTERS
from config.env import MAX_PORT
from llms import demo
from llms.engines.base import EngineError

MIN_FREE_BYTES = 2_000_000_000
FRAME_BYTES = MAX_FRAME_CHARACTERS


class Command(BaseCommand):
    help = "Set up what is missing (keys, database, static files) and serve everything from this one process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument(
            "--port", type=_port, default=settings.PORT, help=f"port to listen on (default {settings.PORT})"
        )
        parser.add_argument(
            "--demo", action="store_true", help="register three small contenders, so that one can vote at once"
        )
        parser.add_argument(
            "--model", default="", help="with --demo: a hub id, a folder or a GGUF file in place of the small model"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["port"] != settings.PORT:
            _begin_again_with(options["port"])
        self._check_port(options["host"], options["port"])
        self._check_disk()
        with _alone():
            self._set_up_and_serve(options)

    def _set_up_and_serve(self, options: dict[str, Any]) -> None:
        self._step("database", lambda: call_command("migrate", verbosity=0, interactive=False))
        self._step("static files", lambda: call_command("collectstatic", verbosity=0, interactive=False))
        if options["demo"]:
            self._prepare_demo(options["model"])
        self._serve(options["host"], options["port"])

    def _check_port(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise CommandError(
                    f"Cannot listen on {host}:{port} ({error.strerror}). {_remedy(error, port)}"
                ) from error

    def _check_disk(self) -> None:
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(settings.DATA_DIR).free
        if free < MIN_FREE_BYTES:
            raise CommandError(
                f"Only {free / 1e9:.1f} GB are free where {settings.DATA_DIR} lies; 2 GB are needed."
                " Free some, or set HAKEM_DATA_DIR to a folder on another disk."
            )

    def _prepare_demo(self, source: str) -> None:
        try:
            self._step("contenders", lambda: demo.prepare(source))
            demo.convert(source, lambda step: self.stdout.write(f"    {step} …"))
        except (EngineError, demo.NoModel) as error:
            raise CommandError(str(error)) from error
        administrator = demo.administrator(settings.KEYS_DIR / "demo_admin_password")
        if administrator:
            name, password_file = administrator
            self.stdout.write(f"  administrator: {name}, password in {_short(password_file)}")

    def _step(self, what: str, work: Any) -> None:
        self.stdout.write(f"  {what} …")
        work()

    def _serve(self, host: str, port: int) -> None:
        self.stdout.write(self.style.SUCCESS(f"\n  Hakem is at {settings.PUBLIC_URL}"))
        self.stdout.write("  Stop it with Ctrl+C.\n")
        if not User.objects.filter(is_superuser=True).exists():
            self.stdout.write("  No administrator yet: python manage.py createsuperuser\n")
        if not settings.EMBEDDED:
            self.stdout.write("  Background work is left to `celery -A config.celery worker` and `beat`.\n")
        uvicorn.run(
            "config.asgi:application",
            host=host,
            port=port,
            lifespan="on",
            ws="websockets-sansio",
            ws_max_size=FRAME_BYTES,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=10,
            server_header=False,
            access_log=False,
            proxy_headers=False,
            log_config=None,  # Django's settings say how
            log_level=settings.LOG_LEVEL.lower(),
        )


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """A single process takes every turn that looks alive when it starts for one that a restart cut off. So there must
    be no other on the same data. The lock ends with the process, however that ends."""
    if not settings.EMBEDDED:
        yield
        return
    try:
        with filelock.FileLock(settings.SERVER_LOCK_FILE, timeout=0):
            yield
    except filelock.Timeout:
        raise CommandError(
            f"Another Hakem works on {_short(settings.DATA_DIR)}. Stop it, or give this one a folder of its own:"
            " HAKEM_DATA_DIR=<folder>. Several processes on one database need REDIS_URL (docs/operating.md)."
        ) from None


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PORT:
        raise ArgumentTypeError(f"{text!r} is no port: write a number from 1 to {MAX_PORT}")
    return int(text)


def _remedy(error: OSError, port: int) -> str:
    if error.errno != errno.EADDRINUSE:
        return "Choose another --host or --port."
    return (
        "Another program uses it, perhaps a Hakem that still runs. Stop that one, or choose another port:"
        f" --port {port + 1} (make demo PORT={port + 1})"
    )


def _begin_again_with(port: int) -> None:
    """Allowed hosts and origins follow from the port, and settings are read only once."""
    os.execve(  # noqa: S606 - this very program, with its own arguments
        sys.executable, [sys.executable, *sys.argv], {**os.environ, "PORT": str(port)}
    )


def _short(path: Path) -> str:
    """Relative to where one is, if that is shorter to read."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
