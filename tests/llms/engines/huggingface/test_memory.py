"""How much a model will take is told from its headers; what is given back is given back to the system."""

import json
import subprocess
import sys

import psutil
import pytest

from llms.demo import _packaged_file
from llms.engines.huggingface import memory
from llms.engines.huggingface.conversion import converted
from llms.engines.huggingface.engine import HuggingFaceEngine
from llms.engines.huggingface.memory import HEADROOM, available_memory, estimate, footprint
from llms.engines.huggingface.options import HuggingFaceOptions
from llms.models import LanguageModel
from llms.pool import Pool, Readiness
from tests.llms.engines.huggingface.lora import save_adapter
from tests.llms.engines.tiny import change_json

CPU = {"device": "cpu"}


def weights_of(folder):
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as file:
        return sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118 - no mapping


def test_weights_take_what_their_type_takes(tiny_model):
    n = weights_of(tiny_model)
    assert footprint(tiny_model, HuggingFaceOptions(device="cpu")).base == 4 * n
    assert footprint(tiny_model, HuggingFaceOptions(device="cpu", dtype="bfloat16")).base == 2 * n


def test_a_cache_takes_two_numbers_a_layer_and_head(tiny_model):
    one, two = (footprint(tiny_model, HuggingFaceOptions(device="cpu", cache_tokens=n)).own for n in (4096, 8192))
    assert two - one == 4096 * 1.25 * (2 * 2 * 2 * 8 * 4)  # keys and values, layers, heads, size, bytes


def test_eight_bits_take_a_quarter_and_the_whole_for_a_moment(tiny_model):
    found = footprint(tiny_model, HuggingFaceOptions(device="cpu", quantization="int8-dynamic"))
    plain = footprint(tiny_model, HuggingFaceOptions(device="cpu"))
    assert found.base == plain.base
    assert not found.keeps_base
    assert plain.own < found.own < plain.own + plain.base


def test_an_adapter_takes_little_beside_its_base(tiny_model, tmp_path):
    folder = save_adapter(tmp_path / "adapter", tiny_model)
    plain = footprint(tiny_model, HuggingFaceOptions(device="cpu"))
    adapted = footprint(tiny_model, HuggingFaceOptions(device="cpu", adapter=str(folder)))
    assert adapted.base_key == plain.base_key
    assert adapted.base == plain.base
    assert 0 < adapted.own - plain.own < plain.base


def test_settings_that_are_unusual_are_no_reason_to_fail(model_copy):
    change_json(model_copy / "config.json", num_attention_heads=None, num_key_value_heads="two", hidden_size=True)
    assert estimate(model_copy, CPU) > HEADROOM
    content = json.loads((model_copy / "config.json").read_text())
    (model_copy / "config.json").write_text(json.dumps({"text_config": content}))
    assert estimate(model_copy, CPU) > HEADROOM


def test_this_machine_has_some():
    assert 0 < available_memory("cpu") <= psutil.virtual_memory().total


def test_a_container_counts_what_its_limit_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert available_memory("cpu") > 5_000_000
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("3000000\n")
    assert available_memory("cpu") > 5_000_000
    (tmp_path / "memory.max").write_text("5000000\n")
    assert available_memory("cpu") == 2_000_000
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 500000\n")
    assert available_memory("cpu") == 2_500_000


def test_the_older_kind_of_container_too(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/memory.limit_in_bytes").write_text("5000000")
    (tmp_path / "memory/memory.usage_in_bytes").write_text("4000000")
    assert available_memory("cpu") == 1_000_000


def test_to_estimate_for_the_processor_needs_no_torch(tiny_model):
    code = (
        "import sys; from pathlib import Path; from llms.engines.huggingface.memory import estimate; "
        f"estimate(Path({str(tiny_model)!r}), {{'device': 'cpu'}}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.models
@pytest.mark.django_db(transaction=True)
def test_room_is_really_made_among_real_models(settings, monkeypatch):
    """Where there is room for one of two, the second puts the first out, and the system has the memory back."""
    folder = converted(_packaged_file(), settings.MODELS_DIR)
    first, second = (
        LanguageModel(engine="huggingface", source=str(folder), options={"device": "cpu", "dtype": dtype})
        for dtype in ("float32", "bfloat16")
    )
    pool = Pool()
    pool.load(first).result(300)
    weights = footprint(folder, HuggingFaceOptions(device="cpu")).base
    with_first = resident()
    most = with_first + estimate(folder, second.options) // 2
    monkeypatch.setattr(
        HuggingFaceEngine, "available_memory", classmethod(lambda cls, device: max(0, most - resident()))
    )
    with pool.hold(second) as loading:
        loading.result(300)
        assert pool.readiness(first) is Readiness.COLD
        assert pool.readiness(second) is Readiness.READY
        assert resident() < with_first
    pool.close()
    assert resident() < with_first - 0.8 * weights


def resident():
    return psutil.Process().memory_info().rss
