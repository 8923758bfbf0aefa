"""Tiny random models of many kinds."""

from typing import Any

import torch
import transformers

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "vocab_size": 300,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = SIZES | {"num_key_value_heads": 2, "head_dim": 8}
SMALL = {"n_positions": 512, "n_embd": 32, "n_layer": 2, "n_head": 4}
ALIBI_FALCON = SIZES | {"alibi": True, "new_decoder_architecture": False}
WINDOW = 24

SHARING: dict[str, tuple[str, dict[str, Any]]] = {
    "Llama": ("LlamaForCausalLM", GROUPED),
    "Llama, eager": ("LlamaForCausalLM", GROUPED | {"attn_implementation": "eager"}),
    "GPT-2, learned positions": ("GPT2LMHeadModel", SIZES | SMALL),
    "GPT-NeoX, partly rotary": ("GPTNeoXForCausalLM", SIZES),
    "OPT, learned positions with an offset": ("OPTForCausalLM", SIZES | {"ffn_dim": 64, "word_embed_proj_dim": 32}),
    "Gemma 2, soft caps": ("Gemma2ForCausalLM", GROUPED | {"sliding_window": 512, "final_logit_softcapping": 2.0}),
    "Cohere, scaled logits": ("CohereForCausalLM", GROUPED | {"logit_scale": 0.25}),
    "Mixtral, experts": ("MixtralForCausalLM", GROUPED | {"num_local_experts": 4, "sliding_window": None}),
    "Qwen 3, normed queries": ("Qwen3ForCausalLM", GROUPED),
}
WINDOWED: dict[str, tuple[str, dict[str, Any]]] = {
    "Mistral": ("MistralForCausalLM", GROUPED | {"sliding_window": WINDOW}),
    "Gemma 2": ("Gemma2ForCausalLM", GROUPED | {"sliding_window": WINDOW}),
}
PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "BLOOM, ALiBi": ("BloomForCausalLM", SIZES | {"n_layer": 2, "n_head": 4}),
    "MPT, ALiBi": ("MptForCausalLM", SIZES | {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 512}),
    "Falcon, ALiBi": ("FalconForCausalLM", ALIBI_FALCON),
    "Mamba, a state": ("MambaForCausalLM", SIZES | {"state_size": 8}),
    "RecurrentGemma, a state and a window": (
        "RecurrentGemmaForCausalLM",
        GROUPED | {"lru_width": 32, "attention_window_size": 64},
    ),
    "Qwen 3 Next, hybrid": ("Qwen3NextForCausalLM", GROUPED),
}


def random_model(kind: str, settings: dict[str, Any]) -> Any:
    model_class = getattr(transformers, kind)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return model_class(model_class.config_class(**settings)).eval()
