"""Private benchmarks in the browser's place: uploaded, read, replaced, archived, deleted."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from kombu.exceptions import OperationalError

from evaluation import examinations, private_benchmarks, private_views, tasks
from evaluation.models import PrivateBenchmark, PrivateItem, PrivateVersion, Run
from evaluation.private_sets import read_private_set
from tests.evaluation.test_examinations import answered, ill_set, stored
from tests.evaluation.test_private_benchmarks import NAMING, lines_of, questions, read
from tests.evaluation.test_set_health import invented

EXAMPLES = Path(__file__).parents[2] / "static" / "examples"


@pytest.fixture
def keeper(adem, sign_in):
    return sign_in(adem)


@pytest.fixture
def reader(rana, sign_in):
    return sign_in(rana)


@pytest.fixture
def travel_rules(db):
    return private_benchmarks.add(read(questions()), NAMING)


def upload(client, data, *, to="new_set", arguments=(), **fields):
    fields = fields or ({"title": "Travel rules", "capability": "knowledge"} if to == "new_set" else {})
    file = SimpleUploadedFile("rules.jsonl", data)
    return client.post(reverse(f"evaluation:{to}", args=arguments), {**fields, "file": file})


def page(client, name="private_set", query="", slug="travel-rules"):
    return client.get(reverse(f"evaluation:{name}", args=[slug]) + query)


def text_of(response):
    return response.content.decode()


# --- uploads


def test_a_good_file_is_stored_and_shown(keeper, adem):
    response = upload(keeper, lines_of(questions()))

    known = PrivateBenchmark.objects.get()
    assert response.headers["Location"] == reverse("evaluation:private_set", args=["travel-rules"])
    assert (known.title, known.form, known.created_by) == ("Travel rules", "multiple_choice", adem)
    assert "Travel rules has 6 items now." in text_of(keeper.get(response.headers["Location"]))


def test_a_broker_that_is_away_loses_no_upload(keeper, monkeypatch, caplog, django_capture_on_commit_callbacks):
    def refuse():
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks.examine_private_sets, "delay", refuse)
    again = reverse("evaluation:examine_again", args=["travel-rules"])
    for ask in (lambda: upload(keeper, lines_of(questions())), lambda: keeper.post(again)):
        with django_capture_on_commit_callbacks(execute=True) as callbacks:
            assert ask().status_code == 302
        assert len(callbacks) == 1
    assert "no worker could be told" in caplog.text
    assert examinations.due().exists()


def test_a_thousand_bad_lines_are_named_and_leave_nothing_behind(keeper):
    kinds = ["no json", {"id": "x", "choices": ["a", "b"], "answer": "A"}, {**questions(1)[0], "answer": "Z"}]
    rows = [{**kind, "id": f"b{i}"} if isinstance(kind := kinds[i % 3], dict) else kind for i in range(999)]
    data = lines_of([questions(1)[0], *rows]) + b'\n{"id": "\xff"}'

    response = upload(keeper, data)

    shown = text_of(response)
    assert response.status_code == 422
    assert "1,000 lines have to be mended" in shown
    assert "not JSON at character 1" in shown
    assert "“answer” must be a letter from A to C, not &#x27;Z&#x27;" in shown
    assert f"and {1000 - private_views.MOST_PROBLEMS_SHOWN} more" in shown
    assert 'value="Travel rules"' in shown
    assert not PrivateBenchmark.objects.exists()
    assert not PrivateItem.objects.exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfex\0", "Line 1: the file is in UTF-16. Save it as UTF-8."),
        (b" \n", "The file is empty: give one JSON object per line."),
        (b'{"id": "\xe9"}', "not UTF-8 at byte 9 of the line: save the file as UTF-8"),
        (b"", "The submitted file is empty."),
        (lines_of([questions(1)[0]] * 2), "is that of line 1 as well"),
    ],
)
def test_a_file_that_is_no_set_is_refused_in_words(data, words, keeper):
    response = upload(keeper, data)

    assert response.status_code == 422
    assert words in text_of(response)
    assert not PrivateBenchmark.objects.exists()


class Unreadable(io.BytesIO):
    def read(self, *_):
        raise AssertionError("nothing may be read")


def test_a_body_over_the_cap_is_refused_before_it_is_read(keeper):
    response = keeper.generic(
        "POST",
        reverse("evaluation:new_set"),
        b"",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=private_views.MOST_BODY_BYTES + 1,
        **{"wsgi.input": Unreadable()},
    )

    assert response.status_code == 413
    assert "a set may have up to 20 MB" in text_of(response)


def test_who_may_not_upload_is_refused_before_the_body_is_read(reader, client):
    for asking, expected in ((reader, 403), (client, 302)):
        response = asking.generic(
            "POST",
            reverse("evaluation:new_set"),
            b"",
            content_type="multipart/form-data; boundary=x",
            CONTENT_LENGTH=100,
            **{"wsgi.input": Unreadable()},
        )
        assert response.status_code == expected


def test_an_upload_needs_the_token_against_forgery(adem):
    client = Client(enforce_csrf_checks=True)
    client.force_login(adem)

    assert upload(client, lines_of(questions())).status_code == 403
    assert not PrivateBenchmark.objects.exists()


def test_a_short_name_that_is_taken_is_said_at_its_field(keeper, travel_rules):
    response = upload(keeper, lines_of(questions(3)))

    assert response.status_code == 422
    assert "The short name “travel-rules” is taken" in text_of(response)


def test_a_title_without_letters_needs_a_short_name(keeper):
    response = upload(keeper, lines_of(questions()), title="测试", capability="knowledge")

    assert "Write a short name of letters, digits and hyphens" in text_of(response)


def test_new_items_are_a_new_version(keeper, travel_rules):
    upload(keeper, lines_of(questions(3)), to="replace_set", arguments=["travel-rules"])

    assert list(PrivateVersion.objects.values_list("number", "n_items")) == [(2, 3), (1, 6)]
    assert "<dd>3</dd>" in text_of(page(keeper))
    assert "<dd>6</dd>" in text_of(page(keeper, query="?version=1"))


def test_the_same_items_again_are_refused(keeper, travel_rules):
    response = upload(keeper, lines_of(questions()), to="replace_set", arguments=["travel-rules"])

    assert "holds the very items of version 1" in text_of(response)


@pytest.mark.parametrize("name", ["multiple_choice", "exact_match"])
def test_the_examples_to_download_are_good_sets(name):
    path = EXAMPLES / f"{name}.jsonl"
    with path.open("rb") as file:
        found = read_private_set(file, size=path.stat().st_size)

    assert (found.form, found.problems) == (name, ())


# --- health


def test_the_page_reports_flipped_keys_and_duplicates_with_their_lines(reader, register):
    version, wrong = ill_set(np.random.default_rng(11), register)
    examinations.examine_due()

    shown = text_of(page(reader, slug="ours"))

    assert "40 of 440 items (9.1 %) repeat another one: take them out." in shown
    assert "probably have a wrong key: good models agree on another choice. Check them." in shown
    assert "6 models have answered." in shown
    named = sum(
        f'aria-label="Line {place + 1}"' in shown.split('id="wrong-keys"')[1].split("</table>")[0] for place in wrong
    )
    assert named >= 0.6 * len(wrong)
    assert 'id="duplicates"' in shown
    copy = version.items.get(place=401)
    assert f"line={copy.line}#line-{copy.line}" in shown


def test_a_healthy_set_is_said_to_be_one(reader, db):
    stored(invented(np.random.default_rng(11), 60))
    examinations.examine_due()

    shown = text_of(page(reader, slug="ours"))

    assert "Nothing is conspicuous." in shown
    assert "Two models whose shares of right answers differ by 2" in shown
    assert "hx-trigger" not in shown


def test_while_it_is_examined_the_page_asks_for_it_again(reader, travel_rules):
    shown = text_of(page(reader))
    assert 'hx-trigger="every 2s"' in shown
    examinations.examine_due()

    fragment = text_of(page(reader, query="?version=1&fragment"))

    assert "<html" not in fragment
    assert "hx-trigger" not in fragment
    assert "What it can tell apart" in fragment


def test_a_broken_examination_says_what_to_do(reader, travel_rules):
    PrivateVersion.objects.update(health={"failure": "MemoryError: <b>"}, n_runs_examined=0)

    shown = text_of(page(reader))

    assert "The examination broke." in shown
    assert "MemoryError: &lt;b&gt;" in shown


def test_a_keeper_has_it_examined_again(keeper, travel_rules):
    examinations.examine_due()

    keeper.post(reverse("evaluation:examine_again", args=["travel-rules"]))

    assert examinations.due().exists()


# --- items


def test_items_are_shown_to_researchers_as_text(reader, db):
    rows = [{**one, "question": f"<script>alert({i})</script>"} for i, one in enumerate(questions(120))]
    private_benchmarks.add(read(rows), NAMING)

    shown = text_of(page(reader, "private_items", "?line=60"))

    assert 'id="line-60"' in shown
    assert 'id="line-50"' not in shown
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(59)&lt;/script&gt;" in shown


def test_the_items_come_back_as_a_file_that_can_be_uploaded(reader, travel_rules):
    response = page(reader, "private_file")

    assert [json.loads(line) for line in response.content.splitlines()] == questions()
    assert read_private_set(io.BytesIO(response.content), size=len(response.content)).problems == ()


@pytest.mark.parametrize("query", ["?version=9", "?version=" + "9" * 9])
def test_a_version_that_there_is_not_is_not_found(query, reader, travel_rules):
    assert page(reader, query=query).status_code == 404


@pytest.mark.parametrize("query", ["?version=x", "?line=²", "?page=x", "?line=999999999"])
def test_numbers_that_are_none_do_no_harm(query, reader, travel_rules):
    assert page(reader, "private_items", query).status_code == 200


# --- its end


def test_it_is_deleted_after_a_second_question(keeper, travel_rules):
    assert "Its 6 items and all its versions go" in text_of(page(keeper, "delete_set"))
    assert PrivateBenchmark.objects.exists()

    response = keeper.post(reverse("evaluation:delete_set", args=["travel-rules"]), follow=True)

    assert "Travel rules and its items are deleted." in text_of(response)
    assert not PrivateItem.objects.exists()


def test_what_a_run_has_asked_is_archived_and_brought_back(keeper, travel_rules, orion):
    items = invented(np.random.default_rng(1), 6)
    answered(orion, travel_rules, items, [0] * 6)
    response = keeper.post(reverse("evaluation:delete_set", args=["travel-rules"]), follow=True)
    assert "Runs have asked Travel rules, so it cannot be deleted: archive it." in text_of(response)

    archived = keeper.post(reverse("evaluation:archive_set", args=["travel-rules"]), follow=True)
    assert "Travel rules is archived: its runs stay" in text_of(archived)
    back = keeper.post(reverse("evaluation:archive_set", args=["travel-rules"]), {"bring_back": "1"}, follow=True)

    assert "Travel rules can be run again." in text_of(back)
    assert Run.objects.count() == 1


def test_its_title_can_be_changed_and_its_name_not(keeper, travel_rules):
    address = reverse("evaluation:change_set", args=["travel-rules"])
    keeper.post(address, {"title": "Rules of travel", "capability": "reasoning", "slug": "other"})

    known = PrivateBenchmark.objects.get()
    assert (known.title, known.capability, known.slug) == ("Rules of travel", "reasoning", "travel-rules")
    assert keeper.post(address, {"title": "", "capability": "reasoning"}).status_code == 422


# --- who may


def test_the_public_learns_nothing_of_it(travel_rules, sign_in, vera, client):
    for name in ("private_set", "private_items", "private_file"):
        assert page(client, name).status_code == 302
        assert page(sign_in(vera), name).status_code == 403
    for asking in (client, sign_in(vera)):
        assert "Travel rules" not in text_of(asking.get(reverse("evaluation:benchmarks")))


def test_researchers_read_and_do_not_change(travel_rules, reader):
    shown = text_of(page(reader))
    assert "Delete it" not in shown
    assert "New items" not in shown
    for name in ("replace_set", "change_set", "delete_set"):
        assert page(reader, name).status_code == 403
    for name in ("examine_again", "archive_set", "delete_set"):
        assert reader.post(reverse(f"evaluation:{name}", args=["travel-rules"])).status_code == 403
