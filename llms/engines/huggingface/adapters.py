"""LoRA adapters as they lie in a folder: what may be loaded, and which model they are for. Imports no torch.

What an adapter's settings say is taken only as far as it is plain LoRA. Which layers it changes is read off its
tensors; the patterns that PEFT would run for that could be made to run for ever.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llms.engines.huggingface.tensors import BrokenWeights, Tensor, tensors_in, tensors_of
from llms.engines.huggingface.weight_files import PICKLED, file_problems
from llms.sentences import filled, mark

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MAX_CONFIG_BYTES = 1 << 20
MAX_RANK, MAX_ALPHA = 4096, 1e6
PLAIN_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")
"""Ways to begin training that leave the base as it was."""
MUST_BE_UNSET = (
    "use_dora",
    "alora_invocation_tokens",
    "layer_replication",
    "trainable_token_indices",
    "target_parameters",
    "lora_bias",
)
TOKENIZERS = ("tokenizer.json", "tokenizer.model")
_KEY = re.compile(r"base_model\.model\.([\w.]{1,200})\.lora_(A|B)\.weight", re.ASCII)
_ALPHA_KEY = re.compile(r"[\w.]{1,200}", re.ASCII)


class BadAdapter(ValueError):
    """It cannot be used. The text is a sentence that says how to mend it."""


@dataclass(frozen=True, slots=True)
class Adapter:
    folder: Path
    base: str
    """The name of the model that it was trained on, as its settings have it. Never followed, only compared."""
    alpha: float
    use_rslora: bool
    fan_in_fan_out: bool
    alpha_pattern: dict[str, float]
    layers: dict[str, tuple[Tensor, Tensor]]
    """The pair of tensors of each changed layer, by the layer's name in the base."""

    @property
    def ranks(self) -> dict[str, int]:
        return {name: down.shape[0] for name, (down, _) in self.layers.items()}


def adapter_problems(folder: Path, base: Path | None = None) -> list[str]:
    """What would keep it from loading, each a sentence; against the folder of its base too, where that is at hand."""
    try:
        adapter = read_adapter(folder)
        return mismatches(adapter, base) if base else []
    except BadAdapter as error:
        return [error.args[0]]
    except OSError as error:
        words = mark("%(path)s cannot be read (%(reason)s): let this server's user read it.")
        return [filled(words, path=error.filename or folder, reason=error.strerror)]


def base_named_in(folder: Path | str) -> str:
    """The base that an adapter says it is for: a hub id or a folder, unchecked. Raises `BadAdapter`."""
    return _text(_config(Path(folder)).get("base_model_name_or_path"))


def tokenizer_folder(adapter: Path | str | None, base: Path) -> Path:
    """Training often gives an adapter a tokenizer and a chat template of its own: then these are the right ones."""
    return own_tokenizer(adapter) or base


def own_tokenizer(adapter: Path | str | None) -> Path | None:
    """The adapter's folder, if it has a tokenizer of its own."""
    if not adapter:
        return None
    adapter = Path(adapter)
    has_own = (adapter / "tokenizer_config.json").is_file() and any((adapter / name).is_file() for name in TOKENIZERS)
    return adapter if has_own else None


def read_adapter(folder: Path) -> Adapter:
    """Raises `BadAdapter`, or `OSError`."""
    if not folder.is_absolute() or ".." in folder.parts:
        words = mark("The adapter %(path)s must be a full path, which begins with “/” and has no “..”.")
        raise BadAdapter(filled(words, path=folder))
    config = _config(folder)
    for problem in _unusual(config):
        raise BadAdapter(problem)
    _check_weights(folder)
    return Adapter(
        folder,
        _text(config.get("base_model_name_or_path")),
        _alpha(config.get("lora_alpha", 8)),
        _flag(config, "use_rslora"),
        _flag(config, "fan_in_fan_out"),
        _alpha_pattern(config.get("alpha_pattern")),
        _layers(folder),
    )


def mismatches(adapter: Adapter, base: Path) -> list[str]:
    """Layers that the base has in another shape, as far as their names can be found in its files."""
    try:
        tensors = tensors_in(base)
    except BrokenWeights as error:
        return [filled(mark("The base of the adapter cannot be read (%(problem)s)."), problem=error.args[0])]
    known = [
        (name, pair, tensors[f"{name}.weight"]) for name, pair in adapter.layers.items() if f"{name}.weight" in tensors
    ]
    for name, (down, up), weight in known:
        shape = (up.shape[0], down.shape[1])
        if weight.shape not in (shape, shape[::-1]):
            return [mismatch(adapter, name, shape, weight.shape)]
    return []


def mismatch(adapter: Adapter, name: str, wanted: tuple[int, ...], found: tuple[int, ...] | None) -> str:
    words = mark(
        "The adapter is for another base: it changes %(layer)s, of the shape %(wanted)s, where this model has "
        "%(found)s. It names %(base)s as its base: give that as the source."
    )
    has = "×".join(map(str, found)) if found else filled(mark("nothing"))
    return filled(
        words, layer=name, wanted="×".join(map(str, wanted)), found=has, base=adapter.base or filled(mark("no model"))
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not path.is_file():
        words = mark("%(folder)s has no adapter_config.json: give the folder into which PEFT saved the adapter.")
        raise BadAdapter(filled(words, folder=folder))
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise BadAdapter(filled(mark("adapter_config.json is far too large: save the adapter again.")))
    try:
        config = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadAdapter(filled(mark("adapter_config.json is not valid JSON: save the adapter again."))) from error
    if not isinstance(config, dict):
        raise BadAdapter(filled(mark("adapter_config.json is not valid JSON: save the adapter again.")))
    return config


def _unusual(config: dict[str, Any]) -> Iterator[str]:
    if config.get("peft_type") != "LORA":
        words = mark("The adapter is of the kind %(kind)s, and only LORA is supported: merge it into its base.")
        yield filled(words, kind=_short(config.get("peft_type")))
    if replaced := config.get("modules_to_save"):
        words = mark(
            "The adapter does not only adapt, it replaces whole modules (%(names)s): merge it into its base, and "
            "register the merged folder."
        )
        yield filled(words, names=_short(replaced))
    if config.get("bias", "none") != "none":
        words = mark("The adapter changes the biases of its base (bias: %(value)s): merge it into its base.")
        yield filled(words, value=_short(config["bias"]))
    start = config.get("init_lora_weights", True)
    if not isinstance(start, bool | str | None) or start not in PLAIN_STARTS:
        words = mark(
            "The adapter was trained on a changed copy of its base (init_lora_weights: %(value)s): convert it to plain "
            "LoRA with save_pretrained(…, path_initial_model_for_weight_conversion=…), or merge it into its base."
        )
        yield filled(words, value=_short(start))
    for name in MUST_BE_UNSET:
        if config.get(name):
            words = mark("The adapter uses %(name)s, and only plain LoRA is supported: merge it into its base.")
            yield filled(words, name=name)


def _check_weights(folder: Path) -> None:
    if (folder / WEIGHTS).is_file():
        for problem in file_problems(folder / WEIGHTS):
            raise BadAdapter(problem)
        return
    pickled = sorted(path.name for path in folder.iterdir() if path.name.endswith(PICKLED))
    if pickled:
        words = mark(
            "The adapter's weights are only in %(name)s, a format that can run code when it is opened: save it again "
            "with save_pretrained(…, safe_serialization=True)."
        )
        raise BadAdapter(filled(words, name=pickled[0]))
    raise BadAdapter(filled(mark("%(folder)s has no %(name)s: copy it there."), folder=folder, name=WEIGHTS))


def _layers(folder: Path) -> dict[str, tuple[Tensor, Tensor]]:
    halves: dict[str, dict[str, Tensor]] = {}
    try:
        tensors = tensors_of(folder / WEIGHTS)
    except BrokenWeights as error:
        words = mark("%(name)s is damaged: download it again.")
        raise BadAdapter(filled(words, name=WEIGHTS)) from error
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if not match or len(tensor.shape) != 2 or 0 in tensor.shape:
            words = mark("The adapter holds %(name)s, which is no part of plain LoRA: merge it into its base.")
            raise BadAdapter(filled(words, name=_short(key)))
        halves.setdefault(match[1], {})[match[2]] = tensor
    pairs = {name: (half.get("A"), half.get("B")) for name, half in halves.items()}
    whole = {name: (down, up) for name, (down, up) in pairs.items() if down and up and down.shape[0] == up.shape[1]}
    if not whole or len(whole) < len(pairs) or any(down.shape[0] > MAX_RANK for down, _ in whole.values()):
        raise BadAdapter(filled(mark("The adapter's tensors do not form pairs: save the adapter again.")))
    return whole


def _alpha(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_ALPHA:
        raise BadAdapter(
            filled(mark("lora_alpha in adapter_config.json is no sensible number: save the adapter again."))
        )
    return float(value)


def _alpha_pattern(value: Any) -> dict[str, float]:
    """PEFT takes the keys for patterns. Names are harmless ones."""
    if not isinstance(value or {}, dict) or not all(_ALPHA_KEY.fullmatch(str(key)) for key in value or {}):
        words = mark(
            "alpha_pattern in adapter_config.json holds more than names of layers: merge the adapter into its base."
        )
        raise BadAdapter(filled(words))
    return {str(key): _alpha(number) for key, number in (value or {}).items()}


def _flag(config: dict[str, Any], name: str) -> bool:
    value = config.get(name, False)
    if not isinstance(value, bool):
        words = mark("%(name)s in adapter_config.json must be true or false: save the adapter again.")
        raise BadAdapter(filled(words, name=name))
    return value


def _text(value: Any) -> str:
    return value[:500] if isinstance(value, str) and value.isprintable() else ""


def _short(value: Any) -> str:
    return str(value)[:80]
