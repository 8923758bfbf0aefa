"""`manage.py up`, where each model of the engine huggingface is loaded only once a file of its name says so."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import manage
from llms.engines.huggingface.engine import HuggingFaceEngine

prepare = HuggingFaceEngine.prepare


def prepare_when_told(source: str, *args: Any, **kwargs: Any) -> Any:
    while not Path(os.environ["GATE"], Path(source).name).exists():
        time.sleep(0.05)
    return prepare(source, *args, **kwargs)


if __name__ == "__main__":
    HuggingFaceEngine.prepare = prepare_when_told  # type: ignore[method-assign,assignment]
    sys.argv = ["manage.py", "up"]
    manage.main()
