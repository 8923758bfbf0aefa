"""Puts a LoRA adapter into a tree of modules whose tensors others use too: adds to them, and changes none."""

import re
import warnings
from collections import Counter
from typing import Any

from peft import LoraConfig, PeftModelForCausalLM, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import nn

from llms.engines.base import LoadingFailed
from llms.engines.huggingface.adapters import WEIGHTS, Adapter, mismatch

NAME = "default"


def adapted(model: Any, adapter: Adapter) -> Any:
    """The model with the adapter in its layers. Raises `LoadingFailed` when the two do not belong together."""
    _check_layers(model, adapter)
    with warnings.catch_warnings():
        # PEFT asks a model of transformers by a name that will go in its next version.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`")
        wrapped: Any = PeftModelForCausalLM(model, _config(adapter), NAME)
    report: Any = set_peft_model_state_dict(wrapped, load_file(adapter.folder / WEIGHTS), NAME)
    left_out = [key for key in report.missing_keys if ".lora_" in key]
    if left_out or report.unexpected_keys:
        first = (left_out or report.unexpected_keys)[0]
        raise LoadingFailed(f"the adapter and the model do not fit together, first at {first}: save the adapter again")
    # What PEFT wraps around it is for training, and for kinds of adapters that are not loaded here.
    return wrapped.get_base_model().eval().requires_grad_(False)


def _check_layers(model: nn.Module, adapter: Adapter) -> None:
    modules = dict(model.named_modules())
    for name, (down, up) in adapter.layers.items():
        weight = getattr(modules.get(name), "weight", None)
        wanted = (up.shape[0], down.shape[1])
        found = tuple(weight.shape) if weight is not None else None
        if found not in (wanted, wanted[::-1]):
            raise LoadingFailed(mismatch(adapter, name, wanted, found))


def _config(adapter: Adapter) -> LoraConfig:
    """Built anew from what was checked: whatever else the file says stays outside."""
    ranks = adapter.ranks
    usual = Counter(ranks.values()).most_common(1)[0][0]
    return LoraConfig(
        task_type="CAUSAL_LM",
        inference_mode=True,
        r=usual,
        lora_alpha=adapter.alpha,  # type: ignore[arg-type]  # PEFT itself writes fractions
        lora_dropout=0.0,
        use_rslora=adapter.use_rslora,
        fan_in_fan_out=adapter.fan_in_fan_out,
        target_modules=sorted(ranks),
        rank_pattern={re.escape(name): rank for name, rank in ranks.items() if rank != usual},
        alpha_pattern=adapter.alpha_pattern,
    )
