"""What a battle's page loads before it can be drawn."""

import re

import brotli
import pytest
from django.contrib.staticfiles import finders
from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("orion", "lyra")]

BUDGET = 12_000
"""Bytes of style sheets, as they travel."""


def test_the_style_sheets_of_a_battle_keep_to_their_budget(client: Client) -> None:
    names = re.findall(r'rel="stylesheet" href="/static/([^"]+)"', client.get("/").content.decode())
    assert {"css/tokens.css", "css/stage.css", "css/verdict.css"} <= set(names)
    sizes = {}
    for name in names:
        path = finders.find(name)
        assert isinstance(path, str), name
        with open(path, "rb") as file:
            sizes[name] = len(brotli.compress(file.read()))
    assert sum(sizes.values()) <= BUDGET, sizes
