#!/usr/bin/env python
"""Hakem's command line: `python manage.py help` lists the commands."""

import os
import sys

# Read by OpenMP, the tokenizers and the hub client when they are first imported, so set before anything else.
# Without the passive policy two busy cores spin on each other: 0.7 instead of 16 tokens a second.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def main() -> None:
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415 - after the environment is set
    from django.core.management import execute_from_command_line  # noqa: PLC0415
    from django.db import DatabaseError  # noqa: PLC0415

    try:
        from config import settings  # noqa: F401, PLC0415 - a setting that cannot be meant is one sentence, no traceback
    except ImproperlyConfigured as error:
        sys.exit(f"{error}")
    try:
        execute_from_command_line(sys.argv)
    except DatabaseError:
        _say_if_it_is_not_migrated()
        raise


def _say_if_it_is_not_migrated() -> None:
    from config import probes  # noqa: PLC0415

    try:
        probes.migrations_are_applied()
    except probes.NotWell as not_well:
        sys.exit(f"Not yet: {not_well}. Run: python manage.py migrate (make demo and manage.py up do it by themselves)")


if __name__ == "__main__":
    main()
