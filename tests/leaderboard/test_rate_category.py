"""`manage.py rate --category`: the votes that the ledger counts under a name of their own."""

import json

import pytest
from django.core.management import CommandError, call_command

from llms.models import Visibility

pytestmark = pytest.mark.django_db


@pytest.fixture
def count_as(count):
    """A cell of another category: `count_as("code", orion, lyra, "a", 7)`."""

    def count_as(category, *cell, **more):
        made = count(*cell, **more)
        made.category = category
        made.save(update_fields=["category"])

    return count_as


@pytest.fixture
def rows(tmp_path):
    def rows(*options):
        call_command("rate", "--out", str(tmp_path / "r.json"), *options)
        return {row["name"]: row for row in json.loads((tmp_path / "r.json").read_text())}

    return rows


def test_only_the_votes_of_the_category_count(rated, orion, lyra, count_as, rows, capsys):
    overall = rows()
    count_as("code", lyra, orion, "a", 9, day=20)
    count_as("code", lyra, orion, "b", 3, day=20)

    of_code = rows("--category", "code")

    assert rows("--category", "overall") == rows() == overall
    assert of_code["lyra-13b"]["rating"] - of_code["orion-7b"]["rating"] == pytest.approx(190.8, abs=0.1)
    assert of_code["lyra-13b"]["n_battles"] == 12
    assert of_code["pavo-3b"]["rating"] is None
    assert "12 votes on 3 models (public, code)." in capsys.readouterr().err


def test_a_category_keeps_to_its_audience(rated, orion, register, count_as, rows):
    nova = register("Nova 70B", visibility=Visibility.INTERNAL)
    count_as("code", nova, orion, "a", 5, day=20)
    count_as("code", nova, orion, "b", 5, day=20)

    assert "nova-70b" not in rows("--category", "code")
    assert rows("--category", "code")["orion-7b"]["n_battles"] == 0
    assert rows("--category", "code", "--audience", "internal")["nova-70b"]["n_battles"] == 10


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--category", "cooking"], "No votes are counted as 'cooking'. The categories are: overall, code, maths."),
        (["--category", "code", "--method", "elo"], "need the votes one by one"),
        (["--category", "code", "--style"], "need the votes one by one"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(rated, orion, lyra, count_as, options, sentence):
    count_as("maths", lyra, orion, "a", 1, day=20)
    count_as("code", lyra, orion, "a", 1, day=20)
    count_as("code", lyra, orion, "b", 1, day=20)

    with pytest.raises(CommandError, match=sentence):
        call_command("rate", *options)
