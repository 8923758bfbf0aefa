import csv
import json

import pytest
from django.core.management import CommandError


def test_alpaca_eval_gives_the_published_board(public_data, scored):
    found = scored("alpaca_eval", public_data / "alpaca_eval" / "preferences_6_models.csv.gz")
    with (public_data / "alpaca_eval" / "published_6_models.csv").open() as file:
        board = {row["model"]: row for row in csv.DictReader(file)}

    assert len(found["samples"]) == 6 * 805
    errors = []
    for name, published in board.items():
        metrics = found["metrics"]["models"][name]
        assert metrics["win_rate"] == pytest.approx(float(published["win_rate"]), abs=1e-6)
        assert int(metrics["avg_length"]) == int(published["avg_length"])
        assert metrics["length_control"]["weights"] == "published"
        assert metrics["length_control"]["formula"] == "length_controlled_v1"
        errors.append(abs(metrics["length_controlled_winrate"] - float(published["length_controlled_winrate"])))
    assert sum(errors) / len(errors) <= 0.3


def test_annotations_and_preferences_of_one_model_say_the_same(public_data, scored):
    annotations = public_data / "alpaca_eval" / "alpaca_eval.annotations.alpaca-7b.json"
    one = scored("alpaca_eval", annotations)["metrics"]
    other = scored("alpaca_eval", public_data / "alpaca_eval" / "preferences_6_models.csv.gz")
    models = other["metrics"]["models"]

    assert one["win_rate"] == pytest.approx(models["alpaca-7b"]["win_rate"])
    assert one["length_controlled_winrate_own_fit"] == pytest.approx(
        models["alpaca-7b"]["length_controlled_winrate_own_fit"]
    )


def annotations(n=40, model="orion", **changed):
    return [
        {"generator_1": "base", "generator_2": model, "preference": 1 + (place * 7 % 11) / 10, "output_1": "x" * (5 + place),
         "output_2": "y" * (3 + place * place % 17), **changed}
        for place in range(n)
    ]  # fmt: skip


def test_alpaca_eval_without_difficulties_says_that_it_took_the_minimal_formula(own_data, score):
    metrics = score("alpaca_eval", annotations())["metrics"]

    assert metrics["length_control"] == {
        "formula": "length_controlled_minimal", "weights": "own fit", "difficulty": "", "gamed_baselines": False,
    }  # fmt: skip
    assert metrics["length_controlled_winrate"] == metrics["length_controlled_winrate_minimal"]


def test_alpaca_eval_takes_the_authors_files(own_data, score, tmp_path):
    """In their form: no name over the first column."""
    folder = own_data / "alpaca_eval"
    lines = [f"{place},{place % 5 - 2}" for place in range(40)]
    (folder / "instruction_difficulty.csv").write_text("\n".join([",instruction_difficulty", *lines]))
    gamed = [f"0.5,{place % 3 - 1},{place % 5 - 2},False,{place},gamed" for place in range(80)]
    header = "preference,std_delta_len,instruction_difficulty,not_gamed_baseline,index,model"
    (folder / "df_gamed.csv").write_text("\n".join([header, *gamed]))
    fitted = score("alpaca_eval", annotations())["metrics"]
    weights = tmp_path / "weights.csv"
    weights.write_text(
        ",np.tanh(std_delta_len),instruction_difficulty,not_gamed_baseline.astype(float)\norion,-1.0,0.0,0.0\n"
    )
    published = score("alpaca_eval", annotations(), weights=weights)["metrics"]

    assert fitted["length_control"]["difficulty"] == "instruction_difficulty.csv"
    assert fitted["length_control"]["gamed_baselines"] is True
    assert published["length_control"]["weights"] == "published"
    assert published["length_controlled_winrate"] == 50
    assert published["length_controlled_winrate_own_fit"] == fitted["length_controlled_winrate"]


@pytest.mark.parametrize(
    "content", ["", "a\n1", "index,instruction_difficulty\nx,y", "index,instruction_difficulty\n1,"]
)
def test_alpaca_eval_refuses_a_file_of_another_form(own_data, score, tmp_path, content):
    path = tmp_path / "difficulty.csv"
    path.write_text(content)
    with pytest.raises(CommandError, match=r"difficulty.csv does not have the columns of AlpacaEval's own file"):
        score("alpaca_eval", annotations(), difficulty=path)


def test_the_baseline_itself_wins_half(own_data, score):
    assert score("alpaca_eval", annotations(model="base", preference=1.5))["metrics"]["length_controlled_winrate"] == 50


def test_alpaca_eval_counts_what_the_judge_left_out(own_data, score):
    found = score(
        "alpaca_eval",
        [
            *annotations(8),
            *annotations(1, preference=None),
            *annotations(1, preference="nan"),
            *annotations(1, preference=0),
        ],
    )

    assert [sample.get("error") for sample in found["samples"]] == [None] * 8 + ["the judge gave no preference"] * 2 + [
        None
    ]
    metrics = found["metrics"]
    assert (metrics["n_total"], metrics["n_without_preference"], metrics["n_draws"]) == (9, 2, 2)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"preference": 1.5}, "“generator_2” is missing"),
        ({"model": "orion", "preference": 7}, "“preference” must lie between 1 (the baseline) and 2"),
        ({"model": "orion", "preference": "high"}, "“preference” must be a number, not 'high'"),
        ({"model": "orion", "preference": True}, "“preference” must be a number, not True"),
        ({"model": "orion", "preference": 1.5, "instruction_index": "x"}, "“instruction_index” must be a number"),
        ({"model": "orion", "preference": 1.5, "index": "nan"}, "must be a number, not 'nan'"),
        ('{"model": "orion", "preference": 1.5, "len_output_1_chars": Infinity}', "must be a number, not inf"),
        ({"model": "orion", "preference": 1.5, "len_output_1_chars": 10**400}, "must be a number"),
        ("oops", "line 1 is no JSON"),
    ],
)
def test_alpaca_eval_leaves_a_broken_row_in_its_place(own_data, score, row, why):
    found = score("alpaca_eval", [row, *annotations(12)])

    assert why in found["samples"][0]["error"]
    assert found["metrics"]["models"]["orion"]["n_total"] == 12


def test_alpaca_eval_says_why_length_control_is_not_possible(own_data, score, tmp_path):
    without = [{key: value for key, value in row.items() if key != "output_1"} for row in annotations()]

    assert "lengths of both answers" in score("alpaca_eval", without)["metrics"]["length_control"]
    assert "Give all rows" in score("alpaca_eval", annotations(2))["metrics"]["length_control"]
    with pytest.raises(CommandError, match="Nothing was scored"):
        score("alpaca_eval", annotations(3, preference=None))
    assert "no preference between" in json.loads((tmp_path / "out.json").read_text())["metrics"]["remark"]
