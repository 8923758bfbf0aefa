"""LoRA adapters: the same numbers as PEFT's own, one copy of the base for all, and nothing but plain LoRA."""

import asyncio
import gc
import json
import shutil
import warnings
import weakref

import pytest

from llms.chat import SamplingParams
from llms.engines.base import LoadingFailed
from llms.engines.huggingface import sharing
from llms.engines.huggingface.adapters import BadAdapter, adapter_problems, base_named_in, read_adapter
from llms.engines.huggingface.checks import problems
from tests.llms.engines.huggingface.lora import save_adapter
from tests.llms.engines.tiny import change_json, events_of, load, save_tiny_model, text_of

LOADING = "llms.engines.huggingface.loading"
PROMPT = "How many colours has a rainbow?"


@pytest.fixture(scope="module")
def adapter(tiny_model, tmp_path_factory):
    return save_adapter(tmp_path_factory.mktemp("adapter"), tiny_model)


@pytest.fixture
def adapter_copy(adapter, tmp_path):
    folder = tmp_path / "adapter"
    shutil.copytree(adapter, folder)
    return folder


@pytest.fixture
def start(tiny_model, tmp_path):
    engines = []

    def start(source=tiny_model, **options):
        engines.append(load("huggingface", source, tmp_path, {"device": "cpu", **options}))
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()


def logits_of(model):
    import torch

    with torch.no_grad():
        return model(torch.tensor([[5, 9, 70, 3, 44, 12]])).logits


def by_peft(base, adapter):
    """What PEFT computes by itself."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    plain = logits_of(model.eval())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return plain, logits_of(PeftModel.from_pretrained(model, adapter).eval())


KINDS = {
    "plain": {},
    "rank-stabilised": {"use_rslora": True},
    "ranks and scales of their own": {
        "rank_pattern": {"up_proj": 2},
        "alpha_pattern": {"layers.1.self_attn.q_proj": 3},
    },
    "one layer only": {"layers_to_transform": [1]},
    "by a pattern": {"target_modules": r".*\.(gate|down)_proj"},
}


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS.keys())
def test_it_computes_what_peft_computes(config, tiny_model, tmp_path, start):
    folder = save_adapter(tmp_path / "adapter", tiny_model, **config)
    plain, adapted = by_peft(tiny_model, folder)
    engine = start(adapter=str(folder))
    found = logits_of(engine._loaded.model)
    assert (found - adapted).abs().max() <= 1e-5
    assert (found - plain).abs().max() > 0.1


def test_the_base_beside_it_stays_what_it_was(tiny_model, adapter, start):
    plain, _ = by_peft(tiny_model, adapter)
    base = start()
    start(adapter=str(adapter))
    assert logits_of(base._loaded.model).equal(plain)
    assert logits_of(start()._loaded.model).equal(plain)


def test_a_base_and_its_adapters_share_every_number_of_the_base(tiny_model, tmp_path, start):
    """The memory of a base and three adapters is that of one base, and of three adapters."""
    folders = [save_adapter(tmp_path / f"adapter {seed}", tiny_model, seed=seed) for seed in (1, 2, 3)]
    engines = [start(), *(start(adapter=str(folder)) for folder in folders)]
    models = [engine._loaded.model for engine in engines]
    base = {tensor.data_ptr() for tensor in models[0].state_dict().values()}
    texts = set()
    for engine, model in zip(engines[1:], models[1:], strict=True):
        own = {name: tensor for name, tensor in model.state_dict().items() if "lora_" in name}
        rest = [tensor.data_ptr() for name, tensor in model.state_dict().items() if "lora_" not in name]
        assert set(rest) == base
        assert not {tensor.data_ptr() for tensor in own.values()} & base
        assert len(own) == 2 * 2 * 3
        texts.add(text_of(asyncio.run(events_of(engine, PROMPT, temperature=0, max_new_tokens=24))))
    assert len(texts) == 3
    assert len({id(module) for model in models for module in model.modules()}) == sum(
        len(list(model.modules())) for model in models
    )


async def test_they_answer_side_by_side_as_they_do_alone(tiny_model, tmp_path, start):
    folders = [save_adapter(tmp_path / f"adapter {seed}", tiny_model, seed=seed) for seed in (1, 2)]
    engines = [start(), *(start(adapter=str(folder)) for folder in folders)]
    greedy = {"temperature": 0, "max_new_tokens": 48}
    together = await asyncio.gather(*(events_of(engine, PROMPT, **greedy) for engine in engines))
    alone = [await events_of(engine, PROMPT, **greedy) for engine in engines]
    assert [text_of(events) for events in together] == [text_of(events) for events in alone]
    assert SamplingParams(temperature=0).is_greedy


def test_closing_one_leaves_the_others_and_closing_all_frees_the_base(tiny_model, adapter, start):
    base, adapted = start(), start(adapter=str(adapter))
    before = logits_of(adapted._loaded.model)
    held = weakref.ref(next(base._loaded.model.parameters()))
    base.close()
    gc.collect()
    assert held() is not None
    assert logits_of(adapted._loaded.model).equal(before)
    adapted.close()
    del base, adapted
    gc.collect()
    assert held() is None
    assert len(sharing.bases._by_key) == 0


def test_a_base_whose_files_have_changed_is_another_base(model_copy, start):
    first = start(model_copy)
    kept = logits_of(first._loaded.model)
    save_tiny_model(model_copy, initializer_range=0.1)
    second = start(model_copy)
    assert not logits_of(second._loaded.model).equal(kept)
    assert logits_of(first._loaded.model).equal(kept)


@pytest.fixture
def talking_adapter(model_copy, adapter_copy):
    """One that brings the words which its base lacks."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model_copy / name, adapter_copy)
    (adapter_copy / "chat_template.jinja").write_text("{{ messages[-1]['content'] }}!")
    (model_copy / "chat_template.jinja").unlink()
    change_json(model_copy / "tokenizer_config.json", chat_template=None)
    return adapter_copy


def test_a_tokenizer_and_a_template_of_its_own_are_the_right_ones(model_copy, talking_adapter, start):
    options = {"adapter": str(talking_adapter)}
    assert any("chat template" in problem for problem in problems(str(model_copy), "", {}))
    assert problems(str(model_copy), "", options) == []
    engine = start(model_copy, **options)
    assert engine._loaded.tokenizer.chat_template.endswith("!")


def test_they_are_the_right_ones_for_a_base_from_the_hub_as_well(model_copy, talking_adapter, start, monkeypatch):
    monkeypatch.setattr(f"{LOADING}.snapshot_download", lambda *which, **how: str(model_copy))
    engine = start("northlab/orion", adapter=str(talking_adapter))
    assert engine._loaded.tokenizer.chat_template.endswith("!")
    with pytest.raises(LoadingFailed, match="no chat template"):
        start("northlab/orion")


def test_a_tokenizer_that_knows_more_tokens_than_the_base_is_refused(model_copy, adapter_copy, start):
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if (model_copy / name).is_file():
            shutil.copy(model_copy / name, adapter_copy)
    content = json.loads((adapter_copy / "tokenizer.json").read_text())
    token = {**content["added_tokens"][-1], "id": 4000, "content": "<|new|>"}
    vocabulary = content["model"]["vocab"]
    while len(vocabulary) + len(content["added_tokens"]) <= 300:
        vocabulary[f"token {len(vocabulary)}"] = len(vocabulary) + len(content["added_tokens"])
    change_json(adapter_copy / "tokenizer.json", added_tokens=[*content["added_tokens"], token], model=content["model"])
    with pytest.raises(LoadingFailed, match="more tokens than"):
        start(model_copy, adapter=str(adapter_copy))


def test_the_base_that_it_names(adapter, tiny_model):
    assert base_named_in(adapter) == str(tiny_model)
    assert read_adapter(adapter).ranks.keys() == {
        f"model.layers.{layer}.{name}"
        for layer in (0, 1)
        for name in ("self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj")
    }


# --- what is refused


def test_a_good_one_has_no_problems(adapter, tiny_model):
    assert adapter_problems(adapter, tiny_model) == []
    assert problems(str(tiny_model), "", {"adapter": str(adapter)}) == []


UNUSUAL = {
    "peft_type": ("IA3", "only LORA is supported"),
    "modules_to_save": (["lm_head"], "replaces whole modules"),
    "bias": ("all", "changes the biases"),
    "init_lora_weights": ("pissa", "trained on a changed copy"),
    "use_dora": (True, "uses use_dora"),
    "trainable_token_indices": ([1], "uses trainable_token_indices"),
    "layer_replication": ([[0, 1]], "uses layer_replication"),
    "lora_alpha": (1e9, "no sensible number"),
    "use_rslora": ("yes", "true or false"),
    "alpha_pattern": ({"(a+)+$": 3}, "more than names of layers"),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_is_not_plain_lora_is_refused_with_the_mend(name, adapter_copy, tiny_model, start):
    value, words = UNUSUAL[name]
    change_json(adapter_copy / "adapter_config.json", **{name: value})
    (problem,) = problems(str(tiny_model), "", {"adapter": str(adapter_copy)})
    assert words in problem
    with pytest.raises(LoadingFailed, match=words):
        start(adapter=str(adapter_copy))


@pytest.mark.parametrize("start_of_training", [True, False, "gaussian", "eva", None])
def test_ways_to_begin_training_that_leave_the_base_alone_are_fine(start_of_training, adapter_copy):
    content = json.loads((adapter_copy / "adapter_config.json").read_text())
    content["init_lora_weights"] = start_of_training
    (adapter_copy / "adapter_config.json").write_text(json.dumps(content))
    assert adapter_problems(adapter_copy) == []


@pytest.mark.parametrize("value", [1, ["pissa"], {}, "olora", "corda", "loftq"])
def test_others_are_not(value, adapter_copy):
    change_json(adapter_copy / "adapter_config.json", init_lora_weights=value)
    if value == 1:
        return
    assert len(adapter_problems(adapter_copy)) == 1


def test_pickled_weights_are_never_opened(adapter_copy):
    (adapter_copy / "adapter_model.safetensors").rename(adapter_copy / "adapter_model.bin")
    (problem,) = adapter_problems(adapter_copy)
    assert "can run code" in problem
    (adapter_copy / "adapter_model.bin").unlink()
    (problem,) = adapter_problems(adapter_copy)
    assert "has no adapter_model.safetensors" in problem


@pytest.mark.parametrize(
    "content", ["", "[]", "null", "{", '{"a":' * 5000, "\x00", '"LORA"', '{"peft_type": ["LORA"]}', "{}"]
)
def test_settings_that_are_nonsense_are_refused(content, adapter_copy):
    (adapter_copy / "adapter_config.json").write_text(content)
    assert len(adapter_problems(adapter_copy)) == 1


def test_settings_that_are_too_large_are_not_read(adapter_copy):
    (adapter_copy / "adapter_config.json").write_text(" " * (1 << 20) + "{}")
    assert "far too large" in adapter_problems(adapter_copy)[0]


@pytest.mark.parametrize("path", ["adapter", "/somewhere/../else", "../up"])
def test_a_path_that_leads_elsewhere_is_refused(path, tiny_model):
    (problem,) = problems(str(tiny_model), "", {"adapter": path})
    assert "must be a full path" in problem


def test_a_folder_without_an_adapter(tmp_path, tiny_model):
    assert "has no adapter_config.json" in adapter_problems(tmp_path)[0]
    with pytest.raises(BadAdapter):
        base_named_in(tmp_path)
    assert "give its base model as the source" in problems(str(_only_adapter(tmp_path)), "", {})[0]


def _only_adapter(folder):
    (folder / "adapter_config.json").write_text("{}")
    return folder


def test_an_adapter_for_another_base_says_which_one_it_names(adapter_copy, tmp_path, start):
    other = tmp_path / "other"
    save_tiny_model(other, hidden_size=48)
    change_json(adapter_copy / "adapter_config.json", base_model_name_or_path="northlab/orion-7b")
    (problem,) = problems(str(other), "", {"adapter": str(adapter_copy)})
    assert "for another base" in problem
    assert "northlab/orion-7b" in problem
    with pytest.raises(LoadingFailed, match="for another base"):
        start(other, adapter=str(adapter_copy))


def test_a_layer_that_the_base_has_not_is_found_at_the_latest_when_it_is_loaded(tiny_model, tmp_path, start):
    larger = tmp_path / "larger"
    save_tiny_model(larger, num_hidden_layers=3)
    folder = save_adapter(tmp_path / "adapter", larger)
    with pytest.raises(LoadingFailed, match=r"changes model\.layers\.2\..* where this model has nothing"):
        start(adapter=str(folder))


@pytest.mark.parametrize(
    "rename",
    [
        {"lora_A": "lora_embedding_A"},
        {"base_model.model.model": "base_model.model.../../etc"},
        {".weight": ".default.weight"},
        {"layers.0.self_attn.q_proj.lora_B": "layers.0.self_attn.q_proj.lora_C"},
    ],
)
def test_tensors_that_are_no_part_of_plain_lora_are_refused(rename, adapter_copy):
    _rename(adapter_copy, rename)
    (problem,) = adapter_problems(adapter_copy)
    assert "no part of plain LoRA" in problem


def test_half_a_pair_is_refused(adapter_copy):
    _rename(adapter_copy, {"layers.0.self_attn.q_proj": "layers.9.self_attn.q_proj"}, only="lora_B")
    assert "do not form pairs" in adapter_problems(adapter_copy)[0]


def test_damaged_weights_are_refused(adapter_copy):
    path = adapter_copy / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    assert "download it again" in adapter_problems(adapter_copy)[0]


def test_eight_bits_and_an_adapter_are_refused_together(tiny_model, adapter):
    options = {"adapter": str(adapter), "quantization": "int8-dynamic"}
    assert "merge the adapter into its base first" in problems(str(tiny_model), "", options)[0]


def _rename(folder, names, only=""):
    from safetensors.torch import load_file, save_file

    renamed = {}
    for key, tensor in load_file(folder / "adapter_model.safetensors").items():
        for old, new in names.items():
            key = key.replace(old, new) if only in key else key
        renamed[key] = tensor
    save_file(renamed, folder / "adapter_model.safetensors")
