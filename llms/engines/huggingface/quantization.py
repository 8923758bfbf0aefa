"""Eight-bit weights for the processor, except where eight bits would spoil the answers."""

import logging
import warnings
from typing import Any

import torch
from torch import Tensor, nn

logger = logging.getLogger(__name__)

OUTLIER_RATIO = 40.0
"""A layer whose largest input is this many times their root mean square stays as it is: its inputs share one scale, by
which a few huge ones push all others towards zero. For SmolLM2-135M this spares 24 of 211 layers, and its loss a token
rises by 0.1 nats instead of 1.0."""
PROBE = (
    "The keel keeps a sailing boat from sliding sideways; together with the sail it lets her travel towards the wind. "
    "Rüzgâra karşı giden bir tekne zikzak çizer. 风从右边来。 def tack(angle): return 90 - angle  # degrees\n\n"
    "1. First, pull the sheet in. 2. Then turn the bow through the wind! What happens next?"
)


def quantize_linear_layers(model: Any, tokenizer: Any) -> None:
    """In place. Weights get a scale for each row, inputs one scale for each call."""
    ratios = _outlier_ratios(model, tokenizer(PROBE, return_tensors="pt").input_ids)
    spared = [name for name, ratio in ratios.items() if ratio > OUTLIER_RATIO]
    with warnings.catch_warnings():
        # Deprecated in favour of torchao, which is no part of torch; it still works in the pinned version.
        warnings.filterwarnings("ignore", message="torch.ao.quantization is deprecated", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message="torch.quantize_per_tensor", category=UserWarning)
        toolbox: Any = torch.ao.quantization
        rule = dict.fromkeys(ratios.keys() - spared, toolbox.per_channel_dynamic_qconfig)
        toolbox.quantize_dynamic(model, rule, dtype=torch.qint8, inplace=True)
    logger.info("%d of %d linear layers keep their numbers, for outliers in their inputs", len(spared), len(ratios))


@torch.no_grad()
def _outlier_ratios(model: Any, tokens: Tensor) -> dict[str, float]:
    """For each linear layer the largest of its inputs over their root mean square, while the model reads a text."""
    ratios: dict[str, float] = {}

    def measure(name: str, inputs: Tensor) -> None:
        ratios[name] = float(inputs.abs().max() / inputs.square().mean().sqrt().clamp_min(1e-12))

    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, name=name: measure(name, inputs[0]))
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        model(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return ratios
