import json

import pytest
from django.core.management import CommandError


def test_mt_bench_reads_grades_from_words_only(score):
    rows = [
        {"question_id": 81, "model": "orion", "turn": 1, "judgment": "Rating: [[8]]", "score": 1},
        {"question_id": 81, "model": "orion", "turn": 2, "judgment": "Rating: [[4]]"},
        {"question_id": 101, "model": "orion", "turn": 1, "judgment": "[[3]] no, [[9]]"},
        {"question_id": 101, "model": "orion", "turn": 2, "judgment": "no idea", "score": 10},
        {"question_id": 7, "model": "orion", "judgment": "[12]", "category": "own"},
    ]
    found = score("mt_bench", rows)

    assert [sample["score"] for sample in found["samples"]] == [8, 4, 3, -1, 12]
    assert found["samples"][3]["error"] == "the judge gave no grade"
    assert found["samples"][2]["is_ambiguous"]
    metrics = found["metrics"]
    assert metrics["score"] == pytest.approx((8 + 4 + 3 + 12) / 4)
    assert (metrics["turn_1"], metrics["turn_2"]) == (5.5, 4)
    assert {name: mean["score"] for name, mean in metrics["categories"].items()} == {
        "writing": 6,
        "reasoning": 3,
        "own": 12,
    }
    assert metrics["categories"]["own"]["score_stderr"] is None
    counts = ("n_judgements", "n_without_grade", "n_ambiguous", "n_outside_scale", "n_repeated")
    assert [metrics[name] for name in counts] == [5, 1, 1, 1, 0]


def test_mt_bench_keeps_models_apart(score):
    rows = [
        {"question_id": 81, "model": name, "turn": 1, "judgment": words} for name, words in (("b", "[[2]]"), ("a", "?"))
    ]
    metrics = score("mt_bench", rows)["metrics"]

    assert metrics.keys() == {"models"}
    assert [(name, of["score"]) for name, of in metrics["models"].items()] == [("a", None), ("b", 2)]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("nonsense", "line 2 is no JSON"),
        ({"question_id": 81, "judgment": None}, "“judgment” must be a text, not None"),
        ({"question_id": "x", "judgment": "[[1]]"}, "“question_id” must be a whole number from 0 on, not 'x'"),
        ({"question_id": 81, "turn": 1.5, "judgment": "[[1]]"}, "“turn” must be a whole number"),
        ({"model_1": "a", "g1_judgment": "[[A]]"}, "“g2_judgment” must be a text, not None"),
        ({}, "“g1_judgment” must be a text"),
    ],
)
def test_mt_bench_leaves_a_broken_row_in_its_place(score, row, why):
    good = {"question_id": "81", "model": "orion", "turn": 1, "judgment": "[[8]]"}
    found = score("mt_bench", [good, row, good])

    assert why in found["samples"][1]["error"]
    assert found["metrics"]["score"] == 8
    assert found["metrics"]["n_repeated"] == 1


def test_mt_bench_pairs_need_both_orders_to_agree(score):
    def pair(one, other, first="orion", second="lyra"):
        return {"question_id": 81, "model_1": first, "model_2": second, "g1_judgment": one, "g2_judgment": other}

    rows = [
        pair("[[A]]", "[[B]]"),
        pair("[[A]]", "[[A]]"),
        pair("[[C]]", "[[C]]"),
        pair("[[B]]", "[[A]]"),
        pair("[[A]]", "?"),
    ]
    rows.append(pair("[[A]]", "[[B]]", second="orion"))
    found = score("mt_bench", rows)

    assert [sample["winner"] for sample in found["samples"]] == ["model_1", "tie", "tie", "model_2", "error", "model_1"]
    assert found["samples"][4]["error"].startswith("the judge gave no verdict")
    orion, lyra = found["metrics"]["models"]["orion"], found["metrics"]["models"]["lyra"]
    assert (orion["n_wins"], orion["n_ties"], orion["n_losses"], orion["n_without_verdict"]) == (1, 3, 1, 1)
    assert (lyra["win_rate"], lyra["win_rate_adjusted"]) == (0.25, 0.5)


def test_mt_bench_pairs_without_any_verdict_have_no_rate(score, tmp_path):
    row = {"model_1": "a", "model_2": "b", "g1_judgment": "?", "g2_judgment": "?"}

    with pytest.raises(CommandError, match="Nothing was scored"):
        score("mt_bench", [row])
    assert json.loads((tmp_path / "out.json").read_text())["metrics"]["models"]["a"]["win_rate"] is None


def test_recorded_judgements_agree_with_what_was_recorded(public_data, scored):
    for kind, names in (("single", ["score"]), ("pair", ["g1_winner", "g2_winner"])):
        path = public_data / "mt_bench" / f"mt_bench.judgment_{kind}.phi3.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        samples = scored("mt_bench", path)["samples"]
        assert [[sample[name] for name in names] for sample in samples] == [
            [row[name] for name in names] for row in rows
        ]
