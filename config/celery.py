import logging.config
import os
from typing import Any

from celery import Celery, signals
from django.conf import settings

from telemetry import context

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("hakem")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def _log_as_everywhere(**_: Any) -> None:
    """In place of Celery's own lines. That somebody listens is what keeps it from them."""
    logging.config.dictConfig(settings.LOGGING)


@signals.task_prerun.connect
def _say_which_task(task_id: str, task: Any, **_: Any) -> None:
    context.bind(task=task.name, task_id=task_id)


@signals.task_postrun.connect
def _say_it_no_more(**_: Any) -> None:
    """Threads are used again."""
    context.bind(task=None, task_id=None)
