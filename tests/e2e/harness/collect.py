"""Runs `collectstatic` with the manifest storage, in a process of its own so that no settings mix."""

import subprocess
import sys
from pathlib import Path

COLLECT = """
import sys
from django.conf import settings
settings.configure(
    STATIC_ROOT=sys.argv[2], STATIC_URL="/static/", STATICFILES_DIRS=[sys.argv[1]],
    INSTALLED_APPS=["django.contrib.staticfiles"],
    STORAGES={"staticfiles": {"BACKEND": "__main__.Storage"}},
)
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
class Storage(ManifestStaticFilesStorage):
    support_js_module_import_aggregation = True
import django
from django.core.management import call_command
django.setup()
call_command("collectstatic", interactive=False, verbosity=0)
"""


def collect(source: Path, target: Path) -> None:
    command = [sys.executable, "-c", COLLECT, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=target)
    assert done.returncode == 0, done.stdout + done.stderr
