"""Builds the smallest thing that loads and answers like a real model, and small helpers around it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llms.chat import Message, Role, SamplingParams
from llms.engines.base import Engine, StreamEvent, TextDelta
from llms.engines.openai_compatible.connection import Connection
from llms.engines.registry import engine_class

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
END, START = "<|im_end|>", "<|im_start|>"


def byte_tokenizer() -> Any:
    """A token for each byte, so that every character beyond ASCII spreads over several."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer: Any = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=END,
        additional_special_tokens=[START],
        chat_template=CHAT_TEMPLATE,
    )


def save_tiny_model(folder: Path, **config: Any) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_tokenizer()
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
        "pad_token_id": tokenizer.pad_token_id,
        "initializer_range": 0.5,
    }
    with torch.random.fork_rng():
        torch.manual_seed(1)
        LlamaForCausalLM(LlamaConfig(**settings | config)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_plain_spoken_model(folder: Path) -> None:
    """One that is sure of what it says, in plain letters: a probe recognises the token that it writes."""
    import torch
    from transformers import LlamaForCausalLM

    save_tiny_model(folder, initializer_range=1.0, max_position_embeddings=8192)
    alphabet = byte_tokenizer().get_vocab()
    llm: Any = LlamaForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        for letter, place in alphabet.items():
            if not (letter.isascii() and letter.isalpha()):
                llm.lm_head.weight[place] = 0.0
    llm.save_pretrained(folder)


def load(
    name: str,
    source: str | Path,
    cache_dir: Path,
    options: Mapping[str, Any] | None = None,
    connection: Connection | None = None,
) -> Engine:
    return engine_class(name).from_options(str(source), "", options or {}, cache_dir=cache_dir, connection=connection)


def user(text: str) -> list[Message]:
    return [Message(Role.USER, text)]


def change_json(path: Path, **values: object) -> None:
    """Set entries of a JSON file; None removes one."""
    content = json.loads(path.read_text("utf-8")) | values
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}), "utf-8")


async def events_of(engine: Engine, text: str, **sampling: Any) -> list[StreamEvent]:
    return [event async for event in engine.stream(user(text), SamplingParams(**sampling))]


def text_of(events: list[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))
