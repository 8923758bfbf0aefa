import json
import os
import struct
from pathlib import Path

import pytest

from llms.engines.huggingface.checks import problems
from tests.llms.engines.huggingface.gguf_files import ARRAY, STRING, U64, header, text, write_gguf
from tests.llms.engines.tiny import change_json


def only_problem(source: Path | str) -> str:
    (problem,) = problems(str(source), "", {})
    assert problem.endswith(".")
    return problem


def test_a_good_folder_has_none(tiny_model: Path) -> None:
    assert problems(str(tiny_model), "", {}) == []


def test_the_folder_may_be_a_link(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tiny_model)

    assert problems(str(tmp_path / "link"), "", {}) == []


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "model.pkl", "model.ckpt"])
def test_pickled_weights_are_refused(model_copy: Path, name: str) -> None:
    (model_copy / "model.safetensors").rename(model_copy / name)

    problem = only_problem(model_copy)

    assert name in problem
    assert "can run code" in problem
    assert "safe_serialization" in problem


def test_pickled_weights_beside_good_ones_do_not_matter(model_copy: Path) -> None:
    (model_copy / "pytorch_model.bin").write_bytes(b"evil")

    assert problems(str(model_copy), "", {}) == []


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_model_that_brings_its_own_code_is_refused(model_copy: Path, name: str) -> None:
    change_json(model_copy / name, auto_map={"AutoModelForCausalLM": "modeling_evil.Evil"})

    assert "never runs" in only_problem(model_copy)


def test_a_model_without_a_chat_template_is_refused(model_copy: Path) -> None:
    (model_copy / "chat_template.jinja").unlink()

    assert "instruction-tuned" in only_problem(model_copy)


def test_a_template_in_the_tokenizer_s_settings_counts(model_copy: Path) -> None:
    (model_copy / "chat_template.jinja").unlink()

    change_json(model_copy / "tokenizer_config.json", chat_template="{{ messages[0]['content'] }}")
    assert problems(str(model_copy), "", {}) == []

    named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": "{{ messages }}"}]
    change_json(model_copy / "tokenizer_config.json", chat_template=named)
    assert problems(str(model_copy), "", {}) == []

    change_json(model_copy / "tokenizer_config.json", chat_template=named[:1])
    assert "no chat template" in only_problem(model_copy)


@pytest.mark.parametrize("template", ["{% if %}", "{{ messages", "{% generation %}"])
def test_a_template_with_an_error_is_named(model_copy: Path, template: str) -> None:
    (model_copy / "chat_template.jinja").write_text(template)

    assert "no valid Jinja" in only_problem(model_copy)


def test_the_tags_of_transformers_are_known(model_copy: Path) -> None:
    template = "{%- for m in messages -%}{% generation %}{{ m }}{%- endgeneration %}{% break %}{% endfor %}"
    (model_copy / "chat_template.jinja").write_text(template)

    assert problems(str(model_copy), "", {}) == []


def test_an_endless_template_is_refused(model_copy: Path) -> None:
    (model_copy / "chat_template.jinja").write_text("x" * 300_000)

    assert "larger than" in only_problem(model_copy)


@pytest.mark.parametrize("content", ["{", "[]", "null", '{"a": 1', "[" * 100_000, ""])
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_broken_json_is_named(model_copy: Path, name: str, content: str) -> None:
    (model_copy / name).write_text(content)

    assert any(name in problem for problem in problems(str(model_copy), "", {}))


def test_settings_that_are_no_text_are_named(model_copy: Path) -> None:
    (model_copy / "config.json").write_bytes(b"\xff\xfe\x00")

    assert "not UTF-8" in only_problem(model_copy)


def test_settings_of_absurd_size_are_not_read(model_copy: Path) -> None:
    with (model_copy / "config.json").open("wb") as file:
        file.truncate(200 << 20)

    assert "larger than" in only_problem(model_copy)


def test_what_writes_no_text_is_refused(model_copy: Path) -> None:
    change_json(model_copy / "config.json", architectures=["BertForMaskedLM"])
    assert "does not write text" in only_problem(model_copy)

    change_json(model_copy / "config.json", architectures=[{}])
    assert "not a list of names" in only_problem(model_copy)


def test_a_missing_tokenizer_is_named(model_copy: Path) -> None:
    (model_copy / "tokenizer.json").unlink()
    (model_copy / "tokenizer_config.json").unlink()

    assert "no tokenizer" in only_problem(model_copy)


def test_an_adapter_alone_is_no_model(model_copy: Path) -> None:
    (model_copy / "config.json").rename(model_copy / "adapter_config.json")

    assert any("LoRA adapter" in problem for problem in problems(str(model_copy), "", {}))


def test_a_pointer_in_place_of_weights_is_named(model_copy: Path) -> None:
    (model_copy / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")

    assert "git lfs pull" in only_problem(model_copy)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"\xff" * 64,
        struct.pack("<Q", 5) + b"{nope",
        struct.pack("<Q", 2) + b"[]",
        b"\x02" + b"\0" * 7 + b"{}x",
    ],
)
def test_damaged_weights_are_named(model_copy: Path, content: bytes) -> None:
    (model_copy / "model.safetensors").write_bytes(content)

    assert "again" in only_problem(model_copy)


def test_weights_whose_download_broke_off_are_named(model_copy: Path) -> None:
    os.truncate(model_copy / "model.safetensors", (model_copy / "model.safetensors").stat().st_size - 1)

    assert "download it again" in only_problem(model_copy)


def test_weights_in_several_files_must_all_be_there(model_copy: Path) -> None:
    parts = ["model-1-of-2.safetensors", "model-2-of-2.safetensors"]
    index = model_copy / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": parts[0], "b": parts[1]}}))
    (model_copy / "model.safetensors").rename(model_copy / parts[0])
    assert "1 of its 2 weight files are missing" in only_problem(model_copy)

    (model_copy / parts[1]).write_bytes((model_copy / parts[0]).read_bytes())
    assert problems(str(model_copy), "", {}) == []

    index.write_text(json.dumps({"weight_map": {"a": "../../../etc/passwd"}}))
    assert "missing" in only_problem(model_copy)

    index.write_text("[]")
    assert "damaged" in only_problem(model_copy)


def test_weights_under_an_unusual_name_are_named(model_copy: Path) -> None:
    (model_copy / "model.safetensors").rename(model_copy / "weights.safetensors")

    assert "weights.safetensors" in only_problem(model_copy)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("../../etc/passwd", "neither a hub id"),
        ("models/../../secrets", "neither a hub id"),
        ("a/b/c", "neither a hub id"),
        ("..", "neither a hub id"),
        ("./model.gguf", "neither a hub id"),
        ("https://example.org/model", "neither a hub id"),
        ("org/na me", "neither a hub id"),
        ("models--org--name", "neither a hub id"),
        ("/models/../etc", "leads upwards"),
        ("/models/\0x", "invisible"),
        ("/nowhere/model", "no folder"),
        ("/nowhere/model.gguf", "no file"),
        ("/etc/hostname", "neither a folder nor a .gguf file"),
    ],
)
def test_a_source_that_makes_no_sense_is_explained(source: str, complaint: str) -> None:
    assert complaint in only_problem(source)


def test_a_revision_that_makes_no_sense_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    assert problems("org/name", "main", {}) == []
    (problem,) = problems("org/name", "../../x", {})
    assert "not a revision" in problem


def test_a_hub_model_must_be_here_when_the_hub_is_out_of_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    assert "HF_HUB_OFFLINE" in only_problem("nobody/has-this-model")


def test_options_are_checked_as_well(tiny_model: Path) -> None:
    found = problems("", "", {"dtype": "int3"})

    assert len(found) == 2


def test_a_good_gguf_file_has_none(tmp_path: Path) -> None:
    assert problems(str(write_gguf(tmp_path / "m.gguf")), "", {}) == []


def test_a_gguf_file_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    for content in (b"", b"GG", b"not a model at all", header({}, magic=b"GGML"), header({}, version=1)):
        path.write_bytes(content)
        assert "not a usable GGUF file" in only_problem(path)


def test_a_gguf_file_of_something_else_is_named(tmp_path: Path) -> None:
    assert "no complete text model" in only_problem(write_gguf(tmp_path / "a.gguf", tokenizer__ggml__tokens=None))
    assert "instruction-tuned" in only_problem(write_gguf(tmp_path / "b.gguf", tokenizer__chat_template=None))
    assert "no valid Jinja" in only_problem(write_gguf(tmp_path / "c.gguf", tokenizer__chat_template="{{"))
    assert "one of 3 parts" in only_problem(write_gguf(tmp_path / "d.gguf", split__count=3))


@pytest.mark.parametrize(
    "entry",
    [
        struct.pack("<I", STRING) + struct.pack("<Q", 1 << 62),
        struct.pack("<IIQ", ARRAY, U64, 1 << 60),
        struct.pack("<IIQ", ARRAY, STRING, 1 << 21),
        struct.pack("<IIQ", ARRAY, ARRAY, 1),
        struct.pack("<I", 99),
        struct.pack("<IIQ", ARRAY, 77, 1),
    ],
)
def test_a_header_that_lies_about_its_size_is_not_believed(tmp_path: Path, entry: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("key") + entry)

    assert "not a usable GGUF file" in only_problem(path)
