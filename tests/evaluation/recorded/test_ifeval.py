import json

import pytest
from django.core.management import CommandError


def test_ifeval_finds_prompts_by_key_or_by_words_and_keeps_the_order(own_data, score):
    found = score(
        "ifeval",
        [
            {"key": 8, "response": '"one two three"'},
            {"prompt": "No commas.", "response": "a, b"},
            {"key": "7", "prompt": "No comma at all.", "response": "Sure, here:\nfine"},
        ],
    )

    assert [sample["key"] for sample in found["samples"]] == [8, 7, 7]
    assert [sample["strict"] for sample in found["samples"]] == [[True, True], [False], [False]]
    assert [sample["loose"] for sample in found["samples"]] == [[True, True], [False], [True]]
    assert found["samples"][1]["instructions"][0]["strict_reason"] == "found 1 comma, at character 2"
    metrics = found["metrics"]
    assert metrics["prompt_level_strict_acc"] == pytest.approx(1 / 3)
    assert metrics["inst_level_loose_acc"] == pytest.approx(3 / 4)
    assert metrics["by_kind"]["strict"]["punctuation"]["n"] == 2
    assert (metrics["n_scored"], metrics["n_errors"], metrics["n_repeated"]) == (3, 0, 1)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (
            {"prompt": "No commas!", "response": "a"},
            "no published prompt has these words, and there is no key: 'No commas!'",
        ),
        ({"key": 9, "response": "a"}, "no published prompt has the key 9"),
        ({"key": 7, "prompt": "Three words in quotes.", "response": "a"}, "belong to different rows"),
        ({"key": 7, "response": None}, "“response” must be a text, not None"),
        ({"key": 7}, "“response” must be a text, not None"),
        ({"key": 7, "response": ["a"]}, "“response” must be a text, not ['a']"),
        ({"key": 7, "response": "x" * 200_001}, "at most 200000 can be checked"),
        ({"response": "a"}, "there is no key"),
        ("{broken", "line 2 is no JSON"),
        ("[1]", "row 2 is no JSON object"),
    ],
)
def test_ifeval_leaves_a_row_that_cannot_be_scored_in_its_place(own_data, score, row, why):
    found = score("ifeval", [{"key": 7, "response": "fine"}, row, {"key": 8, "response": ""}])

    assert [("error" in sample) for sample in found["samples"]] == [False, True, False]
    assert why in found["samples"][1]["error"]
    assert found["samples"][2]["strict"] == [False, False]
    assert found["metrics"]["n_errors"] == 1
    assert found["metrics"]["prompt_level_strict_acc"] == 0.5


def test_ifeval_without_a_single_score_has_counts_only(own_data, score, tmp_path):
    with pytest.raises(CommandError, match="Nothing was scored"):
        score("ifeval", [{"key": 9}])
    assert json.loads((tmp_path / "out.json").read_text())["metrics"] == {
        "n_scored": 0, "n_errors": 1, "n_prompts_without_response": 2, "n_repeated": 0,
    }  # fmt: skip


def test_recorded_responses_get_the_published_share(public_data, scored):
    path = public_data / "ifeval" / "ifeval.gpt4_responses.jsonl"
    found = scored("ifeval", path)

    assert len(found["samples"]) == 541
    assert [sample["error"][:24] for sample in found["samples"] if "error" in sample] == ["no published prompt has "]
    expected = (public_data / "ifeval" / "ifeval.gpt4_expected.jsonl").read_text().splitlines()
    right = {(row["key"], row["mode"]): row["follow_instruction_list"] for row in map(json.loads, expected)}
    for sample in found["samples"]:
        if "error" not in sample and sample["key"] not in (1122, 1129):
            assert sample["strict"] == right[sample["key"], "strict"]
            assert sample["loose"] == right[sample["key"], "loose"]


def test_ifeval_says_where_its_prompts_come_from(settings, score, tmp_path):
    for folder in (None, tmp_path):
        settings.BENCHMARK_DATA_DIR = folder
        with pytest.raises(CommandError, match=r"set BENCHMARK_DATA_DIR to a folder that has ifeval/input_data.jsonl"):
            score("ifeval", [])


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"kwargs": None}, "“kwargs” must be a list, not None"),
        ({"kwargs": ["a"]}, "“kwargs” must be a list of objects, not 'a'"),
        ({"instruction_id_list": ["startend:x"]}, "no instruction is called “startend:x”"),
        ({"prompt": ""}, "“prompt” is empty"),
    ],
)
def test_a_broken_file_of_prompts_is_refused_by_row(own_data, score, changed, why, prompts):
    path = own_data / "ifeval" / "input_data.jsonl"
    path.write_text("\n".join(map(json.dumps, [prompts[1], {**prompts[0], **changed}])))
    with pytest.raises(CommandError, match=r"Row 2 of input_data.jsonl cannot be used") as error:
        score("ifeval", [])
    assert why in str(error.value)


def test_a_broken_line_of_prompts_is_refused_too(own_data, score):
    (own_data / "ifeval" / "input_data.jsonl").write_text("{")
    with pytest.raises(CommandError, match=r"Row 1 of input_data.jsonl cannot be used: line 1 is no JSON"):
        score("ifeval", [])
