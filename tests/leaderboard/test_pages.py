"""The leaderboard's page and files."""

import csv
import datetime
import html
import io
import json
import re

import pytest
from django.utils import translation

from leaderboard import live
from leaderboard.models import LiveBoard
from leaderboard.tables import ExportRow, table_of
from leaderboard.views import FORMULA_STARTS
from llms.models import LanguageModel

pytestmark = pytest.mark.django_db

COLUMNS = [name for name in ExportRow.__annotations__ if name != "benchmarks"]
"""Of the file, before those of benchmarks."""


def text_of(response):
    """What one reads: without markup, blanks as one."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


@pytest.fixture
def page(client):
    return lambda address="/leaderboard/": text_of(client.get(address))


def rows_of(client):
    response = client.get("/leaderboard.csv")
    return list(csv.DictReader(io.StringIO(response.content.decode())))


# --- the page ----------------------------------------------------------------------------------------------------


def test_before_anything_was_computed_it_says_that_there_are_no_votes(page):
    assert "No votes yet" in page()
    live.refresh_all()
    assert "No votes yet" in page()


def test_without_javascript_it_is_a_whole_table(rated, client):
    body = client.get("/leaderboard/").content.decode()
    table = body[body.index("<table") : body.index("</table>")]
    places = [table.index(name) for name in ("Orion 7B", "Lyra 13B", "Pavo 3B")]
    assert places == sorted(places)
    assert table.count("<svg") == 3
    assert len(re.findall(r'role="img" aria-label="[^"]*from \d+ to \d+"', table)) == 3
    assert len(re.findall(r'<th scope="col"', table)) == 7
    assert len(re.findall(r'<th scope="row"', table)) == 3


def test_it_says_how_much_it_rests_on(rated, page):
    assert "3 models · 120 votes · computed" in page()


def test_a_reader_without_colours_and_pictures_reads_why_there_is_no_number(rated, register, count, pavo, page):
    count(register("Winner"), pavo, "a", 5)
    count(register("Loser"), pavo, "b", 5)
    count(register("Island One"), register("Island Two"), "tie", 5)
    register("Newcomer")
    live.refresh_all()
    words = page()
    for sentence in (
        "has only won: its rating has no upper end yet",
        "has only lost: its rating has no lower end yet",
        "no chain of battles links it with the rated models yet",
        "no votes yet",
    ):
        assert sentence in words


def test_few_votes_are_marked_as_preliminary_in_words(rated, page, settings, orion, lyra, count):
    assert page().count("preliminary") == 3
    settings.PRELIMINARY_VOTES = 10
    count(orion, lyra, day=2)
    live.refresh_all()
    assert page().count("preliminary") == 0
    assert "Fewer than 10 votes" in page()


def test_a_retired_model_is_marked(rated, orion, page):
    orion.status = LanguageModel.Status.RETIRED
    orion.save()
    assert "Orion 7B Northlab retired" in page()


def test_internal_models_are_marked_for_those_who_see_them(rated, rana, sign_in, register):
    register("Nova 70B", visibility="internal")
    live.refresh_all()
    assert re.search(r"Nova 70B\s+internal", text_of(sign_in(rana).get("/leaderboard/")))


def test_ratings_that_did_not_converge_carry_a_warning(rated, page):
    LiveBoard.objects.update(converged=False)
    assert "did not converge. Do not use these ratings" in page()


def test_names_are_text(rated, orion, client):
    orion.name = orion.licence = orion.organisation = '<script>alert("x")</script>'
    orion.save()
    assert b"<script>alert" not in client.get("/leaderboard/").content


def test_the_time_is_utc_as_it_says_wherever_the_server_stands(rated, page, settings):
    settings.TIME_ZONE = "Europe/Istanbul"
    LiveBoard.objects.update(computed_at=datetime.datetime(2026, 3, 4, 21, 30, tzinfo=datetime.UTC))
    assert "4 March 2026, 21:30 UTC" in page()


def test_a_turkish_page_breaks_no_picture(rated, client, orion):
    client.post("/preferences/language/", {"language": "tr"})
    body = client.get("/leaderboard/").content.decode()
    places = re.findall(r'(?:x1|x2|cx)="([^"]*)"', body)
    assert places
    assert all(re.fullmatch(r"\d+(\.\d+)?%", place) for place in places)


def test_large_numbers_are_grouped_for_reading(rated, client, orion, lyra, count):
    count(orion, lyra, "a", 5000, day=2)
    live.refresh_all()
    assert "5,120 votes" in text_of(client.get("/leaderboard/"))
    with translation.override("tr"):
        client.post("/preferences/language/", {"language": "tr"})
    assert "5.120" in text_of(client.get("/leaderboard/"))


# --- the fragment ------------------------------------------------------------------------------------------------


def test_the_fragment_is_the_part_of_the_page_that_follows_the_votes(rated, client):
    page, fragment = (client.get(f"/leaderboard/{query}").content.decode() for query in ("", "?fragment"))
    assert "<html" not in fragment
    assert fragment.strip() in page
    assert 'id="board"' in fragment
    assert 'hx-get="/leaderboard/?fragment"' in fragment


def test_the_fragment_follows(rated, orion, lyra, count, client):
    before = client.get("/leaderboard/?fragment").content
    assert client.get("/leaderboard/?fragment").content == before
    count(orion, lyra, "b", day=2)
    live.refresh_all()
    assert b"121 votes" in client.get("/leaderboard/?fragment").content


def test_a_page_costs_few_queries_however_many_models(rated, client, register, django_assert_max_num_queries):
    for n in range(20):
        register(f"Model {n}")
    live.refresh_all()
    with django_assert_max_num_queries(4):
        client.get("/leaderboard/")


# --- files -------------------------------------------------------------------------------------------------------


def test_json_is_the_table(rated, register, client):
    register("Newcomer")
    live.refresh_all()
    board = LiveBoard.objects.get(audience="public")
    answer = client.get("/api/v1/leaderboard").json()
    assert (answer["n_votes"], answer["converged"], answer["audience"]) == (120, True, "public")
    table = table_of(board).rows
    assert [row["model"] for row in answer["rows"]] == [row.line.llm.slug for row in table]
    for row, exported in zip(table, answer["rows"], strict=True):
        for field in ("rating", "lower", "upper", "rank_lower", "rank_upper", "n_votes", "status", "preliminary"):
            assert exported[field] == getattr(row.line, field)
        assert exported["win_rate"] == row.win_rate


def test_csv_is_json(rated, register, client):
    register("Newcomer")
    live.refresh_all()
    answer = client.get("/api/v1/leaderboard").json()
    found = rows_of(client)
    assert list(found[0]) == COLUMNS
    rows = answer["rows"]
    assert found == [{key: "" if row[key] is None else str(row[key]) for key in COLUMNS} for row in rows]


def test_csv_is_a_file_with_a_header_even_when_empty(client):
    response = client.get("/leaderboard.csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="hakem-leaderboard.csv"'
    assert response.content.decode().strip() == ",".join(COLUMNS)


@pytest.mark.parametrize("start", FORMULA_STARTS)
@pytest.mark.parametrize("field", ["name", "organisation", "licence"])
def test_a_spreadsheet_computes_nothing(start, field, rated, orion, client):
    formula = f'{start}HYPERLINK("http://evil.example")'
    LanguageModel.objects.filter(pk=orion.pk).update(**{field: formula})
    cell = rows_of(client)[0][field]
    assert cell == f"'{formula}"
    assert json.dumps(formula) in json.dumps(client.get("/api/v1/leaderboard").json())


def test_a_negative_number_stays_a_number(rated, orion, client):
    LiveBoard.objects.get(audience="public").ratings.filter(llm=orion).update(rating=-12.5)
    assert "-12.5" in {row["rating"] for row in rows_of(client)}


@pytest.mark.parametrize("name", ['a,"b"', "a\nb", "a;b", "Çınar 7B", "模型"])
def test_any_name_comes_back_from_the_file(name, rated, orion, client):
    LanguageModel.objects.filter(pk=orion.pk).update(name=name)
    assert rows_of(client)[0]["name"] == name
