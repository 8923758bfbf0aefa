import pytest

from tests.helpers.votes import a_thousand_votes_at_once

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_a_thousand_votes_at_once_are_one_for_each_battle():
    """On SQLite, in a file, as embedded mode runs; nobody is told that a database is locked."""
    a_thousand_votes_at_once()
