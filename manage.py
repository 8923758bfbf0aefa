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

    try:
        from config import settings  # noqa: F401, PLC0415 - a setting that cannot be meant is one sentence, no traceback
    except ImproperlyConfigured as error:
        sys.exit(f"{error}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
