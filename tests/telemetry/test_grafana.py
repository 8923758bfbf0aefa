"""The board in docs/grafana.json asks for what `/metrics` has, by labels that exist."""

import json
import re

import pytest

from config import probes
from llms.models import Endpoint
from tests.config.conftest import ROOT

BOARD = json.loads((ROOT / "docs" / "grafana.json").read_text())
EXPRESSIONS = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]


@pytest.mark.django_db
def test_every_name_is_served(client, settings, monkeypatch, orion):
    settings.EMBEDDED = False
    monkeypatch.setattr(probes, "queue_depths", lambda: {"default": 0})
    Endpoint.objects.create(name="lab", base_url="http://127.0.0.1:9/v1")
    served = set(re.findall(r"^# TYPE (\w+)", client.get("/metrics").content.decode(), re.MULTILINE))
    asked = {name for text in EXPRESSIONS for name in re.findall(r"\b(?:hakem|process)_\w+", text)}
    families = {re.sub(r"_bucket$", "", name) for name in asked}
    assert families <= served


def test_panels_do_not_overlap():
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]]
    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(places)


def test_legends_use_labels_that_survive_the_sum():
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert shown <= kept | ({"instance"} if "by (" not in target["expr"] else set()), target["expr"]
