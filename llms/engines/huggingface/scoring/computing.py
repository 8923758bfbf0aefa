"""Runs a model over batches, and its head only over the places that are asked for."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, DynamicLayer

from llms.engines.huggingface.scoring.trees import Batch

LOGITS = 1 << 24
"""Entries computed at once: 64 MB as float32."""


class Stem:
    """Keys and values of a beginning, layer by layer, for a single row."""

    def __init__(self, layers: list[tuple[Tensor, Tensor]] | None = None, n_tokens: int = 0) -> None:
        self.layers = layers or []
        self.n_tokens = n_tokens

    def before_many(self) -> Cache:
        return Cache(layers=[_SharedLayer(keys, values) for keys, values in self.layers])

    def to_grow(self) -> Cache:
        if not self.layers:
            return Cache(layer_class_to_replicate=DynamicLayer)
        return Cache(layers=[_GrowingLayer(keys, values) for keys, values in self.layers])


class _GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Begins with the keys and values of a shorter stem, and leaves them as they are."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        self.keys: Tensor = keys
        self.values: Tensor = values


class _SharedLayer(_GrowingLayer):  # type: ignore[no-untyped-call]
    """Puts the stem before every row, and keeps nothing of the rows."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        shape = (len(key_states), -1, -1, -1)
        keys = torch.cat([self.keys.expand(shape), key_states], -2)
        return keys, torch.cat([self.values.expand(shape), value_states], -2)


class Computation:
    """Safe from any thread: it changes nothing in the model, which others use at the same time."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device: torch.device = model.device
        self.dtype: torch.dtype = model.dtype
        self.head = _Head.of(model)

    def grow(self, stem: Stem, tokens: Tensor) -> Stem:
        """The stem, longer by these tokens."""
        cache = stem.to_grow()
        self._body()(input_ids=tokens.unsqueeze(0).to(self.device), past_key_values=cache, use_cache=True)
        layers: list[Any] = cache.layers
        return Stem([(layer.keys, layer.values) for layer in layers], stem.n_tokens + len(tokens))

    def hidden(self, batch: Batch, stem: Stem) -> Tensor:
        """What the head turns into predictions, one line a place of the flattened batch."""
        inputs: dict[str, Any] = {"input_ids": torch.from_numpy(batch.tokens).to(self.device), "use_cache": False}
        if batch.sees is not None:
            inputs["position_ids"] = torch.from_numpy(batch.depths).to(self.device)
            inputs["attention_mask"] = self._mask(torch.from_numpy(batch.sees))
        if stem.layers:
            inputs |= {"past_key_values": stem.before_many(), "use_cache": True}
        computed: Tensor = self._body()(**inputs)[0]
        return computed.flatten(0, 1)

    def logits(self, hidden: Tensor) -> Iterator[Tensor]:
        """Of the lines, in pieces: the vocabulary is large."""
        n_lines = max(1, LOGITS // self.n_entries)
        for piece in torch.split(hidden, n_lines):
            yield (piece if self.head is None else self.head(piece)).float()

    @property
    def n_entries(self) -> int:
        size: int = self.model.config.get_text_config().vocab_size
        return size

    def _body(self) -> Any:
        return self.model if self.head is None else self.head.body

    def _mask(self, sees: Tensor) -> Tensor:
        """Added to the attention's scores, for every head alike."""
        hidden = torch.zeros(sees.shape, dtype=self.dtype, device=self.device)
        return hidden.masked_fill_(~sees.to(self.device), torch.finfo(self.dtype).min).unsqueeze(1)


class _Head:
    """The model's own way from hidden states to logits (with its scales and caps), without the way to them: a copy of
    the outermost module, in which the body returns what it is given."""

    def __init__(self, model: Any, body: nn.Module, output: type[Any]) -> None:
        self.body = body
        self._head = copy.copy(model)
        self._head._modules = model._modules | {model.base_model_prefix: _Given(output)}

    @classmethod
    @torch.no_grad()
    def of(cls, model: Any) -> "_Head | None":
        """None where the two cannot be told apart, or give something else together than the model as a whole."""
        body = model._modules.get(getattr(model, "base_model_prefix", ""))
        if body is None:
            return None
        tokens = torch.ones((1, 2), dtype=torch.int64, device=model.device)
        whole = model(input_ids=tokens, use_cache=False).logits[0].float()
        try:
            computed = body(input_ids=tokens, use_cache=False)
            head = cls(model, body, type(computed))
            rest = head(computed[0][0]).float()
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError):
            return None
        return head if rest.shape == whole.shape and torch.allclose(rest, whole, rtol=0.02, atol=1e-3) else None

    def __call__(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self._head(inputs_embeds=hidden.unsqueeze(0), use_cache=False).logits
        return logits.squeeze(0)


class _Given(nn.Module):
    def __init__(self, output: type[Any]) -> None:
        super().__init__()
        self._output = output

    def forward(self, *args: Any, inputs_embeds: Tensor, **kwargs: Any) -> Any:
        return self._output(last_hidden_state=inputs_embeds)
