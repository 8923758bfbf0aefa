"""What an architecture allows. Whether it does allow it is found out by a trial, see `trial`."""

from typing import Any

from llms.engines.huggingface.quantization import EightBitLinear
from llms.sentences import filled, mark

DEFAULT_LENGTH = 2048
UNLIMITED = 1 << 30
"""Tokenizers say so where they know no length, or an even larger number."""
TAKES_OUR_MASK = ("sdpa", "eager", "paged|eager")
SHARED, SLIDING = "full_attention", "sliding_attention"


def max_length(model: Any, tokenizer: Any) -> int:
    """Tokens that the model reads at once, found as lm-evaluation-harness finds it."""
    config = model.config.get_text_config()
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        found = getattr(config, name, None)
        if isinstance(found, int) and found > 0:
            return found
    of_tokenizer: int = getattr(tokenizer, "model_max_length", UNLIMITED)
    return of_tokenizer if of_tokenizer < UNLIMITED else DEFAULT_LENGTH


def obstacle(model: Any) -> str:
    """Why texts cannot share what is computed, as far as the settings tell; empty where nothing speaks against it."""
    config = model.config.get_text_config()
    if getattr(model, "_is_stateful", False):
        return filled(mark("the model keeps a state that runs through the whole text"))
    if _has_alibi(config):
        words = mark("its positions are biases of the attention (ALiBi), which a mask of our own would replace")
        return filled(words)
    kinds = set(getattr(config, "layer_types", None) or [])
    if strange := sorted(kinds - {SHARED, SLIDING}):
        words = mark("some layers are %(kinds)s, which have no keys and values to share")
        return filled(words, kinds=", ".join(strange))
    attention = getattr(config, "_attn_implementation", None)
    if attention not in TAKES_OUR_MASK:
        return filled(mark("the attention implementation %(name)s takes no mask of our own"), name=str(attention))
    return ""


def _has_alibi(config: Any) -> bool:
    of_attention = getattr(config, "attn_config", None)
    return config.model_type == "bloom" or getattr(config, "alibi", False) or getattr(of_attention, "alibi", False)


def window(model: Any) -> int | None:
    """Tokens that a layer with a sliding window sees. A text that fits is seen whole by all layers."""
    config = model.config.get_text_config()
    size = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    is_used = SLIDING in kinds if kinds else getattr(config, "use_sliding_window", True)
    return size if is_used and isinstance(size, int) else None


def is_exact(model: Any) -> bool:
    """Whether rounding is too small to be seen: float32 all through."""
    is_single = str(model.dtype) in ("torch.float32", "torch.float64")
    return is_single and not any(isinstance(module, EightBitLinear) for module in model.modules())
