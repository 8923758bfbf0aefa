"""Small LoRA adapters with random numbers, saved by PEFT itself."""

import warnings
from pathlib import Path
from typing import Any


def save_adapter(folder: Path, base: Path, *, seed: int = 1, **config: Any) -> Path:
    """For the model in the folder `base`. Both halves are random, so that it changes every answer."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    settings = {"r": 4, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj", "up_proj"], "task_type": "CAUSAL_LM"}
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.manual_seed(seed)
        model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(**settings | config))
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(parameter, std=0.2)
        model.save_pretrained(folder)
    return folder
