import pytest
from django.db import DatabaseError, connection


@pytest.mark.django_db
def test_it_is_well(client):
    response = client.get("/healthz")
    assert (response.status_code, response.content, response["Content-Type"]) == (200, b"ok\n", "text/plain")
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
@pytest.mark.parametrize("access", ["public", "members"])
def test_it_asks_for_nobodys_name_and_reads_no_session(access, client, settings, django_assert_num_queries):
    settings.ACCESS = access
    with django_assert_num_queries(1):
        assert client.get("/healthz").status_code == 200


@pytest.mark.django_db
def test_it_answers_a_container_that_asks_from_within(client, settings_with, settings):
    settings.ALLOWED_HOSTS = settings_with(PUBLIC_URL="https://hakem.example.org")["ALLOWED_HOSTS"]
    assert client.get("/healthz", headers={"Host": "127.0.0.1:8000"}).status_code == 200
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.django_db
def test_without_its_database_it_is_not_well(client, monkeypatch):
    def broken():
        raise DatabaseError("gone")

    client.raise_request_exception = False
    monkeypatch.setattr(connection, "cursor", broken)
    response = client.get("/healthz")
    assert response.status_code == 500
    assert b"gone" not in response.content
