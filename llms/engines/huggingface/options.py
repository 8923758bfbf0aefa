"""What an administrator may set for a Hugging Face model. No torch here: the form's checks read it too."""

import re
from dataclasses import dataclass
from typing import Literal

from llms.sentences import filled, mark

DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
PAGE_TOKENS = 64
"""Tokens in a page of the cache. Beginnings of conversations are shared in whole pages, so small pages share more."""


@dataclass(frozen=True, slots=True)
class HuggingFaceOptions:
    dtype: Literal["auto", "float32", "bfloat16", "float16"] | None = None
    """`auto` is what the checkpoint says. Unset: float32 on the processor, `auto` on an accelerator."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, `mps`. `auto` takes an accelerator where there is one."""
    quantization: Literal["int8-dynamic"] | None = None
    """`int8-dynamic`: eight-bit weights on an x86 processor, about three times as fast as float32."""
    adapter: str | None = None
    """The full path of a folder with a LoRA adapter for the source. Several adapters share one copy of their base."""
    max_context: int | None = None
    """Most tokens of a conversation with its answer. Unset: what the model allows, up to 4096."""
    max_concurrent: int = 8
    """Answers computed at the same time; further ones wait."""
    max_waiting: int = 64
    """Answers that may wait; further ones are refused as overloaded."""
    cache_tokens: int = 8192
    """Tokens that all running conversations may hold together. Decides how much memory the cache takes."""
    batching: Literal["auto", "continuous", "none"] = "auto"
    """`continuous` computes all answers together; `none` each in a thread of its own, which every model supports;
    `auto` tries the first and falls back to the second."""
    threads: int | None = None
    """Processor threads for one computation. Holds for the whole process: the first engine that is loaded decides.
    Unset: the environment's OMP_NUM_THREADS, or one less than there are processors."""

    def __post_init__(self) -> None:
        if not DEVICE.fullmatch(self.device):
            words = mark("device must be auto, cpu, mps, cuda or cuda:0, not %(value)s")
            raise ValueError(filled(words, value=repr(self.device)))
        if self.quantization and self.device not in ("auto", "cpu"):
            words = mark("quantization int8-dynamic works on the cpu only, not on %(device)s")
            raise ValueError(filled(words, device=self.device))
        if self.quantization and self.dtype not in (None, "float32"):
            words = mark("quantization int8-dynamic starts from float32, not from %(dtype)s")
            raise ValueError(filled(words, dtype=self.dtype))
        if self.quantization and self.adapter:
            words = mark("quantization int8-dynamic cannot stand beside adapter: merge the adapter into its base first")
            raise ValueError(filled(words))
        if self.max_context is not None and self.max_context > self.cache_tokens:
            words = mark("max_context must not exceed cache_tokens, which is %(most)s")
            raise ValueError(filled(words, most=self.cache_tokens))
        least = {
            "max_context": 64,
            "max_concurrent": 1,
            "max_waiting": 0,
            "cache_tokens": 4 * PAGE_TOKENS,
            "threads": 1,
        }
        for name, lowest in least.items():
            value = getattr(self, name)
            if value is not None and value < lowest:
                words = mark("%(name)s must be at least %(least)s, not %(value)s")
                raise ValueError(filled(words, name=name, least=lowest, value=value))
