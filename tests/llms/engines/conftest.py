"""A tiny model made here: two layers of random numbers, and a tokenizer with one token for each byte."""

import shutil
from pathlib import Path

import pytest

from tests.llms.engines.tiny import save_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder. Not to be changed: take `model_copy` for that."""
    folder = tmp_path_factory.mktemp("tiny-model")
    save_tiny_model(folder)
    return folder


@pytest.fixture
def model_copy(tiny_model: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    return folder
