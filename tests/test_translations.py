"""The Turkish catalogue: complete, current, compiled, and good grammar where a machine can tell."""

import html
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse
from django.utils import dates, translation
from django.views.defaults import server_error

from accounts.models import ApiToken
from arena.models import Battle
from leaderboard import live
from tests.conftest import as_voter

LOCALE = settings.BASE_DIR / "locale"
CATALOGUE = LOCALE / "tr" / "LC_MESSAGES" / "django.po"

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%|\{\w*\}")
TAG = re.compile(r"(?<![<=,])</?[a-z]\w*[^>]*>")
GLUED_SUFFIX = re.compile(r"(?:\)[sd]|\{\w*\})['’]\w")
PERCENT_AFTER_NUMBER = re.compile(r"(?:\d|\)s)\s?%(?!\()")
JSON_SCRIPT = re.compile(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', re.DOTALL)
SHORTEST_LEFTOVER = 12
"""So short an English sentence may be a name, a class or an address."""


@pytest.fixture(scope="module")
def catalogue() -> polib.POFile:
    return polib.pofile(str(CATALOGUE))


def _translations(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def _pairs(catalogue: Iterable[polib.POEntry]) -> Iterator[tuple[str, str]]:
    """Each translation with the sentence that it must agree with: every plural form names the number."""
    for entry in catalogue:
        for text in _translations(entry):
            yield entry.msgid_plural or entry.msgid, text


def _key(entry: polib.POEntry) -> tuple[str | None, str, str]:
    return entry.msgctxt, entry.msgid, entry.msgid_plural


# --- the file


def test_every_sentence_is_translated(catalogue: polib.POFile) -> None:
    assert [entry.msgid for entry in catalogue if not all(_translations(entry))] == []


def test_no_entry_is_fuzzy_or_obsolete(catalogue: polib.POFile) -> None:
    assert [entry.msgid for entry in catalogue if entry.fuzzy or entry.obsolete] == []
    assert not catalogue.metadata_is_fuzzy


def test_the_header_says_what_this_is_and_names_nobody(catalogue: polib.POFile) -> None:
    metadata = catalogue.metadata
    assert metadata["Project-Id-Version"] == "Hakem"
    assert metadata["Language"] == "tr"
    assert metadata["Content-Type"] == "text/plain; charset=UTF-8"
    assert metadata["Plural-Forms"] == "nplurals=2; plural=(n > 1);"
    assert "@" not in catalogue.header + "".join(metadata.values())


def test_placeholders_agree(catalogue: polib.POFile) -> None:
    wrong = [pair for pair in _pairs(catalogue) if len({_counted(PLACEHOLDER, text) for text in pair}) > 1]
    assert wrong == []


def test_tags_agree(catalogue: polib.POFile) -> None:
    wrong = [pair for pair in _pairs(catalogue) if len({_counted(TAG, text) for text in pair}) > 1]
    assert wrong == []


def _counted(pattern: re.Pattern[str], text: str) -> frozenset[tuple[str, int]]:
    return frozenset(Counter(pattern.findall(text)).items())


def test_no_suffix_is_glued_to_a_placeholder(catalogue: polib.POFile) -> None:
    """Which vowels it would have depends on the name that is filled in."""
    assert [text for _, text in _pairs(catalogue) if GLUED_SUFFIX.search(text)] == []


def test_the_percent_sign_stands_before_the_number(catalogue: polib.POFile) -> None:
    assert [text for _, text in _pairs(catalogue) if PERCENT_AFTER_NUMBER.search(text)] == []


def test_no_entry_renames_a_month_or_a_day(catalogue: polib.POFile) -> None:
    """Ours come before Django's own: a “May” that is a verb would stand in every date of that month."""
    names = (dates.MONTHS, dates.MONTHS_3, dates.WEEKDAYS, dates.WEEKDAYS_ABBR)
    with translation.override(None):
        taken = {str(name) for group in names for name in group.values()}
    assert [entry.msgid for entry in catalogue if not entry.msgctxt and entry.msgid in taken] == []


def test_the_compiled_file_is_current(catalogue: polib.POFile) -> None:
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))
    assert {_key(entry): _translations(entry) for entry in compiled} == {
        _key(entry): _translations(entry) for entry in catalogue
    }


@pytest.mark.skipif(not shutil.which("xgettext"), reason="needs xgettext, from GNU gettext")
def test_it_has_the_sentences_of_the_sources(
    catalogue: polib.POFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, copied = tmp_path / "sources", tmp_path / "sources" / "locale"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "data", "locale", "static", "tests")
    shutil.copytree(settings.BASE_DIR, sources, ignore=ignored)
    shutil.copytree(LOCALE, copied)
    monkeypatch.setattr(settings, "LOCALE_PATHS", [copied])
    monkeypatch.chdir(sources)
    call_command("makemessages", locale=["tr"], no_obsolete=True, no_location=True, verbosity=0)
    extracted = {_key(entry) for entry in polib.pofile(str(copied / "tr" / "LC_MESSAGES" / "django.po"))}
    present = {_key(entry) for entry in catalogue}
    assert (extracted - present, present - extracted) == (set(), set()), "run `make messages`, then translate"


# --- the pages


@pytest.fixture
def in_turkish(sign_in: Callable[[User | None], Client]) -> Callable[..., Client]:
    def in_turkish(user: User | None = None) -> Client:
        client = sign_in(user)
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = "tr"
        return client

    return in_turkish


Check = Callable[..., None]


@pytest.fixture
def check(catalogue: polib.POFile) -> Check:
    """Whether a page has the expected status, is Turkish, and nothing in it has stayed English."""
    leftovers = sorted({part for entry in catalogue for part in _english_parts(entry)})

    def check(response: HttpResponse, status: int = 200) -> None:
        assert response.status_code == status
        page = response.content.decode()
        assert re.search(r'<html[^>]* lang="tr"', page)
        text = _words_of(page)
        assert [part for part in leftovers if part in text] == []

    return check


def _english_parts(entry: polib.POEntry) -> Iterator[str]:
    """What a page would show of an English sentence, between its placeholders and tags."""
    turkish = " ".join(_translations(entry))
    for sentence in filter(None, (entry.msgid, entry.msgid_plural)):
        for part in re.split(f"{PLACEHOLDER.pattern}|{TAG.pattern}", sentence):
            if len(part.strip()) > SHORTEST_LEFTOVER and part.strip() not in turkish:
                yield part.strip()


def _words_of(page: str) -> str:
    """With entities and the strings of JSON as a reader would see them."""
    scripts = [json.dumps(json.loads(found), ensure_ascii=False) for found in JSON_SCRIPT.findall(page)]
    return html.unescape("\n".join([page, *scripts]))


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/", "/leaderboard/", "/accounts/sign-in/", "/accounts/sign-in/?next=/account/"])
def test_a_visitors_page_is_turkish(address: str, in_turkish: Callable[..., Client], check: Check) -> None:
    check(in_turkish().get(address))


@pytest.mark.parametrize("address", ["/", "/account/", "/account/password/"])
@pytest.mark.parametrize("who", ["vera", "rana", "adem"])
def test_a_page_of_somebody_signed_in_is_turkish(
    address: str, who: str, request: pytest.FixtureRequest, in_turkish: Callable[..., Client], check: Check
) -> None:
    check(in_turkish(request.getfixturevalue(who)).get(address))


@pytest.mark.usefixtures("orion")
def test_the_start_with_one_model_is_turkish(in_turkish: Callable[..., Client], check: Check) -> None:
    check(in_turkish().get("/"))


@pytest.mark.usefixtures("orion", "lyra")
def test_a_new_battle_between_models_is_turkish(in_turkish: Callable[..., Client], check: Check) -> None:
    page = in_turkish().get("/")
    check(page)
    assert "battle-strings" in page.content.decode()


@pytest.mark.usefixtures("orion", "lyra")
def test_a_battle_and_the_leaderboard_are_turkish(
    in_turkish: Callable[..., Client], check: Check, voted: Callable[..., Battle]
) -> None:
    battle = voted()
    address = reverse("arena:battle", args=[battle.pk])
    check(in_turkish().get(address))
    check(as_voter(in_turkish()).get(address))
    live.refresh_all()
    check(in_turkish().get("/leaderboard/"))


def test_making_and_revoking_a_token_is_turkish(in_turkish: Callable[..., Client], check: Check, rana: User) -> None:
    client = in_turkish(rana)
    check(client.post("/account/", {}), status=422)
    check(client.post("/account/", {"name": "defter", "scopes": ["read"], "lifetime": "30"}, follow=True))
    token = ApiToken.objects.get(user=rana)
    check(client.post(f"/account/tokens/{token.pk}/revoke/", follow=True))


@pytest.mark.django_db
def test_refusals_are_turkish(in_turkish: Callable[..., Client], check: Check) -> None:
    visitor = in_turkish()
    check(visitor.get("/no-such-page/"), status=404)
    wrong = {"username": "vera", "password": "wrong"}
    with override_settings(SIGN_INS_PER_HOUR=1):
        check(visitor.post("/accounts/sign-in/", wrong))
        check(visitor.post("/accounts/sign-in/", wrong), status=429)


def test_a_forbidden_page_is_turkish(in_turkish: Callable[..., Client], check: Check, vera: User) -> None:
    check(in_turkish(vera).get("/admin/", follow=True), status=403)


def test_a_form_that_has_expired_is_refused_in_turkish(check: Check) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "tr"
    check(client.post("/accounts/sign-in/", {}), status=403)


def test_the_page_for_faults_is_turkish(check: Check, rf: RequestFactory) -> None:
    with translation.override("tr"):
        check(server_error(rf.get("/")), status=500)
