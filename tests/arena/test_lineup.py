"""What is known of all models: read each time, made anew only when something has changed."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from arena import lineup
from arena.masking import MASK, mask
from llms.models import Endpoint, LanguageModel

pytestmark = pytest.mark.django_db


def drawn():
    return {llm.name for llm in lineup.current().contenders_for(AnonymousUser())}


def test_it_is_made_once_while_nothing_changes(orion, lyra, django_assert_num_queries):
    first = lineup.current()
    with django_assert_num_queries(1):
        assert lineup.current() is first


@pytest.mark.parametrize(
    "change", [{"status": "disabled"}, {"battle_weight": 0}, {"visibility": "internal"}, {"status": "retired"}]
)
def test_a_change_counts_at_once(orion, lyra, change):
    assert drawn() == {"Orion 7B", "Lyra 13B"}
    LanguageModel.objects.filter(pk=orion.pk).update(**change)
    assert drawn() == {"Lyra 13B"}


def test_an_endpoint_that_rests_counts_at_once(orion, register):
    lab = Endpoint.objects.create(name="lab", base_url="http://127.0.0.1:1/v1")
    register("Pavo 3B", engine="openai_compatible", endpoint=lab, source="pavo")
    assert drawn() == {"Orion 7B", "Pavo 3B"}
    Endpoint.objects.update(resting_since=timezone.now())
    assert drawn() == {"Orion 7B"}


def test_a_new_name_is_hidden_at_once(orion, lyra):
    assert mask("I am Hydra 9B", lineup.current().names) == "I am Hydra 9B"
    LanguageModel.objects.filter(pk=orion.pk).update(aliases=["Hydra 9B"])
    assert mask("I am Hydra 9B", lineup.current().names) == f"I am {MASK}"


def test_a_name_from_imports_is_hidden_only_where_the_writer_speaks_of_itself(orion, register):
    register("command", status="listed")
    names = lineup.current().names
    assert mask("Type the command below, then Orion 7B.", names) == f"Type the command below, then {MASK}."
    assert mask("I am command", names) == f"I am {MASK}"


def test_a_model_that_is_gone_is_gone(orion, lyra):
    lineup.current()
    lyra.delete()
    assert set(lineup.current().llms) == {orion.pk}


def test_researchers_see_the_internal_ones(orion, rana, register):
    register("Pavo 3B", visibility="internal")
    assert {llm.name for llm in lineup.current().contenders_for(rana)} == {"Orion 7B", "Pavo 3B"}
    assert drawn() == {"Orion 7B"}
