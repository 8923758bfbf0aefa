"""`manage.py rotate_keys`: every stored key comes under the first of FIELD_KEYS, and may be brought there twice."""

import pytest
from django.core.management import CommandError, call_command

from llms import key_rotation
from llms.models import Endpoint
from llms.sealing import WrongKey, is_current, seal, unseal

pytestmark = pytest.mark.django_db

OLD, NEW, OTHER = "o" * 40, "n" * 40, "x" * 40
SECRET = "sk-of-the-lab"


def stored(name, key=SECRET):
    return Endpoint.objects.create(name=name, base_url="http://127.0.0.1:9/v1", sealed_key=seal(key))


@pytest.fixture
def two(settings):
    """Sealed before the key was changed; and one without a key."""
    settings.FIELD_KEYS = [OLD]
    rows = [stored("lab"), stored("cloud", "another")]
    stored("open", "")
    settings.FIELD_KEYS = [NEW, OLD]
    return rows


def test_the_whole_change_of_a_key(two, settings, capsys):
    with pytest.raises(CommandError, match="rotate_keys"):
        call_command("rotate_keys", check=True)
    assert capsys.readouterr().out == "cloud: sealed with an old key\nlab: sealed with an old key\n"
    call_command("rotate_keys")
    assert "Keys sealed anew: 2. Under the first of FIELD_KEYS: all 2." in capsys.readouterr().out
    call_command("rotate_keys", check=True)
    settings.FIELD_KEYS = [NEW]
    assert [unseal(key) for key in Endpoint.objects.order_by("name").values_list("sealed_key", flat=True)] == [
        "another",
        SECRET,
        "",
    ]


def test_a_second_time_writes_nothing(two):
    assert key_rotation.rotate() == 2
    before = list(Endpoint.objects.values_list("sealed_key", flat=True))
    assert key_rotation.rotate() == 0
    assert list(Endpoint.objects.values_list("sealed_key", flat=True)) == before


def test_to_look_changes_nothing(two):
    before = list(Endpoint.objects.values_list("sealed_key", flat=True))
    with pytest.raises(CommandError):
        call_command("rotate_keys", check=True)
    assert list(Endpoint.objects.values_list("sealed_key", flat=True)) == before


def test_a_key_that_nobody_can_open_is_named_kept_and_an_error(two, settings, capsys):
    settings.FIELD_KEYS = [OTHER]
    lost = stored("lost")
    settings.FIELD_KEYS = [NEW, OLD]
    for check in (True, False):
        with pytest.raises(CommandError, match="Bring the missing key back"):
            call_command("rotate_keys", check=check)
        assert "lost: sealed with a key that is not among FIELD_KEYS" in capsys.readouterr().out
    assert Endpoint.objects.get(pk=lost.pk).sealed_key == lost.sealed_key
    assert all(is_current(row.sealed_key) for row in Endpoint.objects.filter(name__in=["lab", "cloud"]))
    settings.FIELD_KEYS = [NEW]
    with pytest.raises(WrongKey):
        unseal(lost.sealed_key)


def test_no_key_is_shown(two, capsys):
    call_command("rotate_keys")
    assert SECRET not in capsys.readouterr().out


def test_a_key_that_is_typed_meanwhile_stays(two, monkeypatch):
    resealed = key_rotation.reseal

    def typed_meanwhile(sealed):
        Endpoint.objects.filter(sealed_key=sealed, name="lab").update(sealed_key=seal("typed just now"))
        return resealed(sealed)

    surveyed = key_rotation.survey()
    monkeypatch.setattr(key_rotation, "survey", lambda: surveyed)
    monkeypatch.setattr(key_rotation, "reseal", typed_meanwhile)
    assert key_rotation.rotate() == 1
    assert unseal(Endpoint.objects.get(name="lab").sealed_key) == "typed just now"
