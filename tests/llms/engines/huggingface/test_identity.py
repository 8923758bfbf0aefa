"""One digest for what decides the answers: everything that changes them changes it, and nothing else does."""

import json
import os
import shutil

import pytest

from llms.engines.huggingface.engine import HuggingFaceEngine
from llms.file_hashes import FileHashes
from llms.identity import PREFIX
from tests.llms.engines.huggingface.lora import save_adapter
from tests.llms.engines.tiny import change_json


@pytest.fixture
def hashes(tmp_path):
    return FileHashes(tmp_path / "kept" / "hashes.json")


@pytest.fixture
def identity(hashes):
    return lambda source, **options: HuggingFaceEngine.identity(str(source), "", options, hashes)


def flip_last_byte(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_it_says_how_it_was_made(model_copy, identity):
    assert identity(model_copy).startswith(PREFIX)
    assert len(identity(model_copy)) == len(PREFIX) + 64


def test_it_does_not_depend_on_where_and_when(model_copy, identity, tmp_path):
    before = identity(model_copy)
    elsewhere = tmp_path / "another place" / "renamed"
    shutil.copytree(model_copy, elsewhere)
    for path in elsewhere.iterdir():
        os.utime(path, (1, 1))
    assert identity(elsewhere) == before


def test_files_that_only_describe_do_not_matter(model_copy, identity):
    before = identity(model_copy)
    (model_copy / "README.md").write_text("A model.")
    (model_copy / "original.bin").write_bytes(b"not loaded")
    change_json(model_copy / "generation_config.json", temperature=0.3)
    config = json.loads((model_copy / "config.json").read_text())
    config |= {"_name_or_path": "/somewhere/else", "transformers_version": "9.9"}
    (model_copy / "config.json").write_text(json.dumps(dict(reversed(config.items())), indent=4))
    assert identity(model_copy) == before


def change_template(folder):
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")


CHANGES = {
    "a byte of the weights": lambda folder: flip_last_byte(folder / "model.safetensors"),
    "the tokenizer": lambda folder: change_json(folder / "tokenizer.json", version="2.0"),
    "the tokenizer's settings": lambda folder: change_json(folder / "tokenizer_config.json", add_bos_token=True),
    "the template": change_template,
    "how it computes": lambda folder: change_json(folder / "config.json", rope_theta=5.0),
    "when an answer ends": lambda folder: change_json(folder / "generation_config.json", eos_token_id=3),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_whatever_changes_the_answers_changes_it(change, model_copy, identity):
    before = identity(model_copy)
    change(model_copy)
    assert identity(model_copy) != before


def test_weights_in_parts_with_other_names_are_the_same_weights(tiny_model, tmp_path, identity):
    from transformers import AutoModelForCausalLM

    folder = tmp_path / "parts"
    shutil.copytree(tiny_model, folder)
    (folder / "model.safetensors").unlink()
    AutoModelForCausalLM.from_pretrained(tiny_model).save_pretrained(folder, max_shard_size="40KB")
    index = folder / "model.safetensors.index.json"
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    assert len(names) > 1
    before = identity(folder)
    for name in names:
        (folder / name).rename(folder / f"part-{name}")
    content = json.loads(index.read_text())
    content["weight_map"] = {key: f"part-{name}" for key, name in content["weight_map"].items()}
    index.write_text(json.dumps(content))
    assert identity(folder) == before
    flip_last_byte(folder / f"part-{names[0]}")
    assert identity(folder) != before


def test_an_adapter_is_part_of_it(model_copy, tmp_path, identity):
    base = identity(model_copy)
    adapter = tmp_path / "adapter"
    save_adapter(adapter, model_copy)
    adapted = identity(model_copy, adapter=str(adapter))
    assert adapted != base
    change_json(adapter / "adapter_config.json", lora_dropout=0.3, base_model_name_or_path="renamed")
    assert identity(model_copy, adapter=str(adapter)) == adapted
    change_json(adapter / "adapter_config.json", lora_alpha=99)
    scaled = identity(model_copy, adapter=str(adapter))
    assert scaled != adapted
    flip_last_byte(adapter / "adapter_model.safetensors")
    assert identity(model_copy, adapter=str(adapter)) not in {scaled, adapted}
    assert identity(model_copy) == base


def test_the_template_of_an_adapter_counts_in_place_of_its_bases(model_copy, tmp_path, identity):
    adapter = tmp_path / "adapter"
    save_adapter(adapter, model_copy)
    before = identity(model_copy, adapter=str(adapter))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model_copy / name, adapter)
    change_template(adapter)
    own = identity(model_copy, adapter=str(adapter))
    assert own != before
    change_template(model_copy)
    assert identity(model_copy, adapter=str(adapter)) == own


def test_a_gguf_file_is_its_content(tmp_path, identity):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF and so on")
    before = identity(file)
    assert identity(shutil.copy(file, tmp_path / "other.gguf")) == before
    flip_last_byte(file)
    assert identity(file) != before


def test_how_it_is_computed_is_no_part_of_it(model_copy, identity):
    assert identity(model_copy, quantization="int8-dynamic") == identity(model_copy, dtype="bfloat16", max_context=128)


def test_a_hub_id_that_was_never_fetched_is_unpinned(identity):
    assert identity("nobody/nothing-of-that-name") == ""


def test_files_that_are_not_there_are_an_error_with_the_reason(tmp_path, identity):
    from llms.engines.base import LoadingFailed

    with pytest.raises(LoadingFailed, match="No such file"):
        identity(tmp_path)
