"""What is counted, and under which names."""

import subprocess
import sys

import pytest
from prometheus_client import REGISTRY

from telemetry import metrics
from tests.config.conftest import ROOT


def value(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def clock(monkeypatch):
    moments = iter([0.0, 0.3, 0.31, 0.51])
    monkeypatch.setattr(metrics.time, "perf_counter", lambda: next(moments))


def test_a_stream_is_timed_from_its_question(clock):
    meter = metrics.StreamMeter("timed")
    for _ in range(3):
        meter.note_text()
    assert value("hakem_first_token_seconds_sum", endpoint="timed") == pytest.approx(0.3)
    assert value("hakem_inter_token_seconds_count", endpoint="timed") == 2
    assert value("hakem_inter_token_seconds_sum", endpoint="timed") == pytest.approx(0.21)
    assert value("hakem_inter_token_seconds_bucket", endpoint="timed", le="0.02") == 1
    assert value("hakem_tokens_total", endpoint="timed") == 3


def test_the_waiting_line_does_not_count(clock):
    meter = metrics.StreamMeter("waited")
    meter.begin_again()
    meter.note_text()
    assert value("hakem_first_token_seconds_sum", endpoint="waited") == pytest.approx(0.01)


def test_no_metric_names_a_language_model():
    labels = {
        name for metric in vars(metrics).values() if hasattr(metric, "_labelnames") for name in metric._labelnames
    }
    assert labels == {"endpoint", "kind", "method", "outcome", "route", "server", "status"}


def test_several_processes_add_up(tmp_path):
    """Two that live and one that was killed with a turn going on."""
    code = (
        "import sys, os\nfrom telemetry import metrics\nmetrics.TURNS.inc(); metrics.ACTIVE_TURNS.inc()\nos._exit(0)\n"
    )
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    for _ in range(3):
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    script = (
        "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'; django.setup()\n"
        "from telemetry import metrics\n"
        "metrics.TURNS.inc(); metrics.ACTIVE_TURNS.inc()\n"
        "from config.metrics import _of_all_processes\n"
        "from prometheus_client import generate_latest\n"
        "print(generate_latest(_of_all_processes()).decode())\n"
    )
    own = {**environment, "HAKEM_DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=own, capture_output=True, text=True, check=True)
    assert "hakem_turns_total 4.0" in done.stdout
    assert "hakem_active_turns 1.0" in done.stdout
