"""The samples of a run: filters, pages, one of them with its prompt and choices, and all of them as a file."""

import html
import json
import re

import pytest
from django.test import AsyncClient

from evaluation import sample_views
from evaluation.models import Run, SampleResult
from evaluation.records import prompt_row
from evaluation.sample_lists import SAMPLES_A_PAGE
from evaluation.sample_pages import pieces
from tests.helpers.run_rows import run_row

pytestmark = pytest.mark.django_db


def text_of(response):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def places(response):
    """Of the samples in the list, in their order."""
    return [
        int(n)
        for n in re.findall(
            r'<th scope="row" class="sample-question"><a href="/runs/\d+/samples/(\d+)/', response.content.decode()
        )
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("verdict=wrong", [3, 6]),
        ("verdict=right", [1, 2, 4, 5]),
        ("verdict=truncated", [2]),
        ("verdict=errored", [4]),
        ("verdict=nonsense", [1, 2, 3, 4, 5, 6]),
        ("subject=virology", [2, 5]),
        ("subject=virology&verdict=truncated", [2]),
        ("q=QUESTION+4", [5]),
        ("q=100%25", []),
        ("q=_", []),
        ("q=%00", [1, 2, 3, 4, 5, 6]),
        ("after=3", [5, 6]),
        ("before=2", [1, 2]),
        ("after=99999999999999999999", [1, 2, 3, 4, 5, 6]),
    ],
)
def test_filters(query, found, orion, client):
    run = run_row(orion, 6)
    run.samples.filter(index=1).update(was_truncated=True)
    run.samples.filter(index=3).update(error="no numbers came back")
    assert places(client.get(f"/runs/{run.pk}/samples/?{query}")) == found


def test_pages_follow_one_another_without_a_gap_in_both_directions(orion, client):
    n = 2 * SAMPLES_A_PAGE + 7
    run = run_row(orion, n)
    address, seen = f"/runs/{run.pk}/samples/", []
    pages = []
    while True:
        response = client.get(address)
        seen += places(response)
        pages.append(places(response))
        following = re.search(r'rel="next" href="\?([^"]*)"', response.content.decode())
        if not following:
            break
        address = f"/runs/{run.pk}/samples/?{html.unescape(following[1])}"
    assert seen == list(range(1, n + 1))
    back = re.search(r'rel="prev" href="\?([^"]*)"', response.content.decode())[1]
    assert places(client.get(f"/runs/{run.pk}/samples/?{html.unescape(back)}")) == pages[-2]


def test_each_filter_says_how_many_it_holds(orion, client):
    run = run_row(orion, 6, n_truncated=1)
    assert "all 6 wrong 2 right 4 truncated 1" in text_of(client.get(f"/runs/{run.pk}/samples/"))


def test_the_target_stands_beside_what_the_model_takes(orion, client):
    run = run_row(orion, 3)
    assert "wrong Question 2: which one is right? A. one B. two C. three D. four philosophy B A" in text_of(
        client.get(f"/runs/{run.pk}/samples/?verdict=wrong")
    )


def test_one_sample_shows_choices_shares_and_which_metric_takes_which(orion, client):
    run = run_row(orion, 3)
    response = client.get(f"/runs/{run.pk}/samples/3/")
    text = text_of(response)
    assert "Sample 3 of 3 wrong" in text
    assert "A A acc takes it greedy 64.4% -1.000 -1.000 1" in text
    assert "B B right answer 23.7% -2.000 -2.000 1" in text
    assert 'width="64.39%"' in response.content.decode()


def test_what_is_no_number_has_no_share(orion, client):
    run = run_row(orion, 1)
    row = run.samples.get()
    row.choices[0]["log_probability"] = "-inf"
    row.save()
    text = text_of(client.get(f"/runs/{run.pk}/samples/1/"))
    assert "0.0% -inf" in text
    assert "66.5%" in text


def test_before_and_after_stay_within_the_filter(orion, client):
    run = run_row(orion, 9)
    body = client.get(f"/runs/{run.pk}/samples/6/?verdict=wrong").content.decode()
    assert f'data-key="k" href="/runs/{run.pk}/samples/3/?verdict=wrong"' in body
    assert f'data-key="j" href="/runs/{run.pk}/samples/9/?verdict=wrong"' in body


def test_the_prompt_is_shown_as_sent_and_blanks_on_demand(orion, client):
    run = run_row(orion, 1)
    plain = client.get(f"/runs/{run.pk}/samples/1/").content.decode()
    assert '<pre class="prompt-text">\nThe following are questions about anatomy.\n\n</pre></details>' in plain
    assert '<pre class="prompt-text">\nQuestion 0: which' in plain
    marked = client.get(f"/runs/{run.pk}/samples/1/?blanks=on").content.decode()
    assert '<span class="prompt-mark">·</span>following' in marked
    assert '<span class="prompt-mark">↵\n</span>' in marked


def test_what_deceives_the_eye_is_always_marked():
    assert [piece.text for piece in pieces("a\u202eb\x1b c", marked=False)] == ["a", "⟨U+202E⟩", "b", "⟨U+001B⟩", " c"]


def test_hostile_text_stays_text(orion, client):
    run = run_row(orion, 1)
    evil = "<script>alert(1)</script>"
    prompt = prompt_row([evil])
    prompt.save()
    row = run.samples.get()
    row.question, row.answer, row.prompt, row.subject = evil, evil, prompt, evil
    row.choices[0]["text"] = evil
    row.save()
    for address in (f"/runs/{run.pk}/samples/", f"/runs/{run.pk}/samples/1/", f"/runs/{run.pk}/samples/?q=<script>"):
        response = client.get(address)
        assert evil not in response.content.decode()
        assert "require-trusted-types-for 'script'" in response["Content-Security-Policy"]


def test_what_was_written_stands_beside_what_counts_as_right(orion, client):
    run = run_row(orion, 1)
    run.samples.update(choices=[], target=["27", "27 days"], answer="It is 27.", predictions={})
    text = text_of(client.get(f"/runs/{run.pk}/samples/1/"))
    assert "Counts as right 27 27 days The model wrote It is 27." in text


def test_where_no_text_counts_as_right_the_answer_stands_alone(orion, client):
    run = run_row(orion, 1, benchmark="ifeval")
    run.samples.update(choices=[], target=[], answer="It is 27.", predictions={}, values={"n_strict": 1})
    text = text_of(client.get(f"/runs/{run.pk}/samples/1/"))
    assert "The model wrote It is 27." in text
    assert "Counts as right" not in text


def test_a_text_has_bits_per_byte_and_no_verdict(orion, client):
    run = run_row(orion, 1, benchmark="perplexity")
    values = {"log_probability": -8 * 0.6931471805599453, "n_bytes": 4, "n_words": 1, "n_tokens": 2}
    run.samples.update(choices=[], target=[], predictions={}, is_right=None, values=values)
    assert "2.0000" in text_of(client.get(f"/runs/{run.pk}/samples/"))
    assert "Bits per byte 2.0000" in text_of(client.get(f"/runs/{run.pk}/samples/1/"))


def test_the_same_sample_in_other_runs_names_only_those_one_may_see(orion, lyra, register, client, rana):
    run, other = run_row(orion, 3), run_row(lyra, 3)
    nova = register("Nova 70B", visibility="internal")
    run_row(nova, 3)
    other.samples.filter(index=2).update(predictions={"acc": 1}, is_right=True)
    body = text_of(client.get(f"/runs/{run.pk}/samples/3/"))
    assert f"Lyra 13B right B the same #{other.pk}" in body
    assert "Nova" not in body
    client.force_login(rana)
    assert "Nova 70B wrong A the same" in text_of(client.get(f"/runs/{run.pk}/samples/3/"))


@pytest.mark.parametrize("address", ["", "3/", "?verdict=wrong&subject=anatomy&q=which"])
def test_the_number_of_queries_does_not_grow_with_the_samples(
    address, orion, lyra, client, django_assert_max_num_queries
):
    run = run_row(orion, 120)
    run_row(lyra, 120)
    client.get(f"/runs/{run.pk}/samples/{address}")
    with django_assert_max_num_queries(9):
        client.get(f"/runs/{run.pk}/samples/{address}")


@pytest.mark.django_db(transaction=True)
async def test_the_file_has_every_sample_and_is_read_a_little_at_a_time(orion, monkeypatch):
    from asgiref.sync import sync_to_async

    monkeypatch.setattr(sample_views, "ROWS_AT_ONCE", 4)
    sizes = []
    batch = sample_views._batch
    monkeypatch.setattr(sample_views, "_batch", lambda *given: _noted(batch(*given), sizes))
    run = await sync_to_async(run_row)(orion, 10)
    response = await AsyncClient().get(f"/runs/{run.pk}/samples.jsonl")
    lines = b"".join([part async for part in response.streaming_content]).splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["index"] for row in rows] == list(range(10))
    assert rows[2]["prompts"][0].startswith("The following are questions about philosophy.")
    assert (rows[2]["is_right"], rows[2]["predictions"], rows[2]["target"]) == (False, {"acc": 0}, 1)
    assert sizes == [4, 4, 2, 0]


def _noted(rows, sizes):
    sizes.append(len(rows))
    return rows


def test_a_run_from_before_questions_were_kept_lists_names(orion, client):
    run = run_row(orion, 1)
    SampleResult.objects.update(question="")
    assert "anatomy/0" in text_of(client.get(f"/runs/{run.pk}/samples/"))


@pytest.mark.parametrize("address", [f"/runs/{10**30}/", "/runs/1/samples/0/", f"/runs/1/samples/{10**30}/"])
def test_numbers_that_nothing_has_are_not_found(address, orion, client):
    run_row(orion, 1, pk=1)
    assert client.get(address).status_code == 404


def test_an_imported_run_without_samples_says_so_and_offers_no_empty_file(orion, client):
    bare, full = (run_row(orion, status=Run.Status.IMPORTED) for _ in range(2))
    bare.samples.all().delete()
    for address in (f"/runs/{bare.pk}/", f"/runs/{bare.pk}/samples/", f"/runs/{bare.pk}/samples/?verdict=wrong"):
        response = client.get(address)
        assert "Imported without samples" in text_of(response)
        assert "while the run goes on" not in text_of(response)
        assert "samples.jsonl" not in response.content.decode()
    assert "Imported without samples" not in text_of(client.get(f"/runs/{full.pk}/"))
    assert "samples.jsonl" in client.get(f"/runs/{full.pk}/samples/").content.decode()
