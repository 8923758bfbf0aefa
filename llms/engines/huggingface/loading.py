"""Brings weights, tokenizer and chat template up from wherever they are."""

import ctypes
import gc
import logging
import os
import sys
import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from llms.engines.base import LoadingFailed
from llms.engines.huggingface.adapted import adapted
from llms.engines.huggingface.adapters import read_adapter, tokenizer_folder
from llms.engines.huggingface.checks import folder_problems, gguf_problems, settings_problems
from llms.engines.huggingface.conversion import Report, converted
from llms.engines.huggingface.memory import base_key, device_of
from llms.engines.huggingface.options import PAGE_TOKENS, HuggingFaceOptions
from llms.engines.huggingface.prompts import PromptEncoder
from llms.engines.huggingface.quantization import quantize_linear_layers
from llms.engines.huggingface.sampling import greedy_generation
from llms.engines.huggingface.sharing import Share, bases
from llms.engines.huggingface.sources import BadSource, Folder, GgufFile, HubId, parse_source

logger = logging.getLogger(__name__)

DEFAULT_MAX_CONTEXT = 4096
SETTINGS_FILES = ["*.json", "*.jinja", "*.model", "*.txt"]
WEIGHT_FILES = ["*.safetensors"]
_threads_lock = threading.Lock()
_threads_are_set = False


@dataclass(frozen=True, slots=True)
class Loaded:
    model: Any
    tokenizer: Any
    prompts: PromptEncoder
    end_tokens: frozenset[int]
    max_context: int
    base: Share | None = None
    """Holds the weights in memory that others may share."""

    def decode(self, tokens: Any) -> str:
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def load(source: str, revision: str, options: HuggingFaceOptions, cache_dir: Path, report: Report) -> Loaded:
    """Raises `LoadingFailed`, or whatever the libraries raise for what nobody foresaw."""
    folder = local_folder(source, revision, options, cache_dir, report)
    limit_threads(options.threads)
    # A server's log is no place for progress bars.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    report("loading the tokenizer")
    tokenizer: Any = AutoTokenizer.from_pretrained(
        tokenizer_folder(options.adapter, folder), local_files_only=True, trust_remote_code=False
    )
    prompts = PromptEncoder(tokenizer)
    report("loading the weights")
    model, base = _assembled(folder, options)
    if options.quantization:
        free_memory()
    _check_vocabulary(model, tokenizer)
    end_tokens = _end_tokens(model, tokenizer)
    model.generation_config = greedy_generation(end_tokens)
    return Loaded(model, tokenizer, prompts, end_tokens, _max_context(model, options), base)


def local_folder(source: str, revision: str, options: HuggingFaceOptions, cache_dir: Path, report: Report) -> Path:
    """Where the weights lie on this machine: fetched or converted first, if need be. Raises `LoadingFailed`."""
    try:
        place = parse_source(source, revision)
    except BadSource as error:
        raise LoadingFailed(str(error)) from error
    adapter = Path(options.adapter) if options.adapter else None
    match place:
        case GgufFile(path):
            _refuse(gguf_problems(path))
            folder = converted(path, cache_dir, report)
        case Folder(path):
            folder = path
        case HubId():
            folder = _downloaded(place, adapter, report)
    _refuse(folder_problems(folder, adapter))
    return folder


def _downloaded(hub_id: HubId, adapter: Path | None, report: Report) -> Path:
    """The repository's snapshot on this machine. Looks at its settings, those that its adapter leaves to it, before it
    fetches the weights."""
    try:
        report(f"fetching {hub_id.name}")
        folder = Path(snapshot_download(hub_id.name, revision=hub_id.revision, allow_patterns=SETTINGS_FILES))
        _refuse(settings_problems(folder, adapter))
        return Path(
            snapshot_download(hub_id.name, revision=hub_id.revision, allow_patterns=[*SETTINGS_FILES, *WEIGHT_FILES])
        )
    except GatedRepoError as error:
        advice = "its owner wants to be asked: accept the terms on the hub and set HF_TOKEN"
        raise LoadingFailed(f"{hub_id.name} was refused; {advice}") from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        advice = "check the spelling and the revision, and set HF_TOKEN if it is private"
        raise LoadingFailed(f"{hub_id.name} is not on the hub; {advice}") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        advice = "see to the network (and HF_HUB_OFFLINE), or give the full path of a folder that holds it"
        raise LoadingFailed(f"{hub_id.name} could not be fetched ({error}); {advice}") from error


def _refuse(problems: list[str]) -> None:
    if problems:
        raise LoadingFailed(" ".join(problems))


def _assembled(folder: Path, options: HuggingFaceOptions) -> tuple[Any, Share | None]:
    """The model, and the base that it shares with others: none where its own numbers are others."""
    device = _checked_device(options)
    base = bases.take(base_key(folder, options), lambda: _load_weights(folder, options, device))
    model = base.tree()
    if options.adapter:
        model = adapted(model, read_adapter(Path(options.adapter)))
    if options.quantization:
        quantize_linear_layers(model)
        return model, None
    return model, Share(base)


def _load_weights(folder: Path, options: HuggingFaceOptions, device: torch.device) -> Any:
    default = "float32" if device.type == "cpu" else "auto"
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=options.dtype or default,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
    )
    model, info = loaded
    if missing := sorted(info["missing_keys"]):
        # transformers would fill them with random numbers.
        raise LoadingFailed(f"the weights lack {len(missing)} of its tensors, first {missing[0]}: download them again")
    return model.to(device).eval()


def _check_vocabulary(model: Any, tokenizer: Any) -> None:
    """An adapter's own tokenizer may know tokens that its base has no numbers for."""
    n_rows = model.get_input_embeddings().num_embeddings
    if max(tokenizer.get_vocab().values(), default=0) >= n_rows:
        raise LoadingFailed(
            f"the tokenizer knows more tokens than the {n_rows} of the weights: save the right one into the folder"
        )


def _checked_device(options: HuggingFaceOptions) -> torch.device:
    wanted = device_of(options)
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise LoadingFailed(f"this machine has no device {wanted}: set the option device to cpu or auto")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise LoadingFailed("this machine has no device mps: set the option device to cpu or auto")
    return device


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens after which an answer is over: the checkpoint and its tokenizer may each know some."""
    found: set[int] = set()
    for value in (model.generation_config.eos_token_id, model.config.get_text_config().eos_token_id):
        found.update(value if isinstance(value, Collection) else [value] if value is not None else [])
    if tokenizer.eos_token_id is not None:
        found.add(tokenizer.eos_token_id)
    return frozenset(found)


def _max_context(model: Any, options: HuggingFaceOptions) -> int:
    of_model = getattr(model.config.get_text_config(), "max_position_embeddings", None) or DEFAULT_MAX_CONTEXT
    wanted = options.max_context or min(of_model, DEFAULT_MAX_CONTEXT)
    if wanted > of_model:
        raise LoadingFailed(f"max_context is {wanted}, but the model knows {of_model} tokens only: lower it")
    # A last page that is only begun cannot be had.
    return min(wanted, options.cache_tokens // PAGE_TOKENS * PAGE_TOKENS)


def limit_threads(wanted: int | None) -> None:
    """Set torch's threads, once for the process. On a small machine, computations side by side in one thread each are
    faster than each in many, and a processor stays free for serving."""
    global _threads_are_set
    with _threads_lock:
        if _threads_are_set:
            return
        _threads_are_set = True
        if wanted is None and "OMP_NUM_THREADS" in os.environ:
            return
        n_threads = wanted or max(1, _n_processors() - 1)
        torch.set_num_threads(n_threads)
        logger.info("torch computes with %d threads", n_threads)


def _n_processors() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> None:
    """Give back what is not needed any more: to the device, and to the system where its allocator is asked to."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        # After a quantisation glibc would keep hundreds of megabytes. Other C libraries lack the function.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
