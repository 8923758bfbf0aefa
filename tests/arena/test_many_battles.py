"""Many battles at once through the real server: no token is lost, and nobody writes for those who left."""

import subprocess
import sys

import pytest

from tests.helpers.server import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("more", [[], ["--bare"]], ids=["hakem", "bare"])
def test_forty_battles_at_once(more):
    plan = ["--battles", "40", "--rate", "6", "--tokens", "24", "--ramp", "2", "--leavers", "0.25", *more]
    command = [sys.executable, "-m", "bench.battles", *plan]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tokens lost 0 of 1440; errors 0" in done.stdout
    assert "60 answers ended, 20 cancelled, 0 still open" in done.stdout
