"""The JSON API as its own description tells it."""

import json

import pytest
from django.urls import reverse


@pytest.fixture
def schema(client):
    return client.get("/api/v1/openapi.json").json()


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_it_is_an_openapi_description(schema):
    assert schema["openapi"].startswith("3.")
    assert schema["info"]["title"] == "Hakem"
    of_runs = {"", "/{run_id}", "/{run_id}/samples", "/{run_id}/pause", "/{run_id}/resume", "/{run_id}/cancel"}
    assert set(schema["paths"]) == {"/api/v1/me", "/api/v1/models", "/api/v1/leaderboard"} | {
        f"/api/v1/runs{path}" for path in of_runs
    }


def test_every_operation_is_named_described_and_typed(schema):
    operations = [operation for methods in schema["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["description"]
        assert operation["tags"]
        assert operation["responses"]["200"]["content"]["application/json"]["schema"]


def test_every_reference_leads_somewhere(schema):
    for reference in references(schema):
        place = schema
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert place


def test_nothing_internal_is_in_the_description(schema):
    text = json.dumps(schema)
    for word in ("digest", "options", "system_prompt", "source", "password"):
        assert word not in text


@pytest.mark.django_db
def test_answers_have_exactly_the_fields_that_are_described(orion, lyra, voted, client, schema):
    from leaderboard import live

    voted()
    live.refresh_all()
    schemas = schema["components"]["schemas"]
    board = client.get(reverse("api-1:leaderboard")).json()
    assert set(board) == set(schemas["Board"]["properties"])
    assert set(board["rows"][0]) == set(schemas["ExportRow"]["properties"])
    assert set(client.get(reverse("api-1:models")).json()[0]) == set(schemas["ModelRow"]["properties"])
    assert set(client.get(reverse("api-1:me")).json()) == set(schemas["Me"]["properties"])


@pytest.mark.django_db
def test_before_the_first_vote_the_board_is_empty_and_says_so(client):
    assert client.get("/api/v1/leaderboard").json() == {
        "audience": "public",
        "computed_at": None,
        "n_votes": 0,
        "n_left_out": {},
        "converged": True,
        "rows": [],
    }


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v1/nope", "/api/v2/runs"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_address_that_nothing_answers_says_so_in_json_and_where_the_others_are(method, path, client):
    response = getattr(client, method)(path)
    told = response.json()
    assert response.status_code == 404
    assert path in told["detail"]
    assert told["documentation"] == "http://testserver/api/v1/openapi.json"
    assert client.get(told["documentation"]).json()["info"]["title"] == "Hakem"


@pytest.mark.django_db
def test_people_get_a_page(client):
    response = client.get("/nope/")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")
