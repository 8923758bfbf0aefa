"""Two runs of the same questions."""

import csv
import io

import numpy as np
import pytest
from django.urls import reverse

from evaluation import runs
from evaluation.benchmarks.base import Options
from evaluation.comparisons import NotComparable, compare, unlike
from evaluation.datasets import DataKind
from evaluation.models import PromptText, Run
from evaluation.plans import Wish
from llms.models import Visibility
from stats.paired import mcnemar, paired_shares
from tests.helpers.compared_runs import PROTOCOL, run_of


@pytest.fixture
def two(orion, lyra):
    return run_of(orion, [1, 1, 1, 0, 1, 0]), run_of(lyra, [1, 0, 0, 0, 0, 1])


def address(left, right, **query):
    pairs = "".join(f"&{name}={value}" for name, value in query.items())
    return f"{reverse('evaluation:compare')}?a={left.pk}&b={right.pk}{pairs}"


def text_of(response):
    return response.content.decode()


# --- in numbers


def test_it_counts_as_the_tests_of_pairs_do(two):
    found = compare(*two)

    assert found.whole.difference == paired_shares(3, 1, 6)
    assert found.test == mcnemar(3, 1)
    assert (found.n_both, found.n_neither) == (1, 1)
    assert [row.sample_id for row in found.flipped()] == ["anatomy/1", "anatomy/2", "anatomy/4", "anatomy/5"]
    assert found.n_left_out == found.n_unshared == 0


def test_the_other_way_round_the_difference_has_the_other_sign(two):
    there, back = compare(*two), compare(*reversed(two))

    assert back.whole.difference.estimate == -there.whole.difference.estimate
    assert back.test.exact == there.test.exact


def test_each_subject_has_a_difference_of_its_own(orion, lyra):
    subjects = [f"subject {letter}" for letter in "abcdefghij"]
    left = run_of(orion, [1, 0] * 20, subjects=subjects)
    right = run_of(lyra, [0, 0] * 20, subjects=subjects)

    found = compare(left, right)

    assert [part.difference.estimate for part in found.parts] == [1.0, 0.0] * 5
    assert found.by_subject.n_clusters == 10
    assert found.by_subject.upper - found.by_subject.lower > found.whole.difference.upper - found.whole.difference.lower


def test_rows_without_a_score_are_left_out_and_counted(orion, lyra):
    found = compare(run_of(orion, [1, None, 1]), run_of(lyra, [0, 1, 1]))

    assert (len(found.rows), found.n_left_out) == (2, 1)


def test_another_metric_is_compared_where_one_asks_for_it(orion, lyra):
    left, right = (
        run_of(llm, [1, 0], benchmark="arc_challenge", protocol={"benchmark": "arc_challenge"}) for llm in (orion, lyra)
    )

    assert compare(left, right).metric == "acc_norm"
    assert compare(left, right, metric="acc").whole.left == 0.5
    assert compare(left, right, metric="nonsense").metric == "acc_norm"


def test_texts_are_compared_in_bits_per_byte(counted, register):
    runs_of_texts = []
    for llm in (counted, register("Lyra", engine="counting", source="lyra")):
        run = runs.request(llm, Wish(benchmark="perplexity", data=DataKind.SAMPLE))
        runs.execute(run.pk, run.epoch)
        run.refresh_from_db()
        runs_of_texts.append(run)

    found = compare(*runs_of_texts)

    assert (found.metric, found.is_share, found.test) == ("bits_per_byte", False, None)
    assert found.whole.difference.estimate == 0
    assert found.whole.left > 0


def test_runs_that_were_really_made_are_compared(counted, register):
    other = register("Lyra", engine="counting", source="lyra")
    wish = Wish(benchmark="mmlu", data=DataKind.SAMPLE)
    made = [runs.request(counted, wish), runs.request(other, wish)]
    made.append(runs.request(other, Wish(benchmark="mmlu", data=DataKind.SAMPLE, options=Options(n_shots=1))))
    for run in made:
        runs.execute(run.pk, run.epoch)
        run.refresh_from_db()

    assert len(compare(made[0], made[1]).rows) == made[0].n_samples
    with pytest.raises(NotComparable) as refused:
        compare(made[0], made[2])
    assert [str(reason) for reason in refused.value.reasons] == ["another number of examples in the prompt: 5 and 1"]


# --- what is compared with what


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"benchmark": "piqa"}, "another benchmark: mmlu and piqa"),
        ({"version": 3}, "another version of the benchmark: 2 and 3"),
        ({"n_shots": 0, "draw": "–"}, "another number of examples in the prompt: 5 and 0"),
        ({"template": "chat"}, "one without chat template, the other with the model's chat template"),
        ({"variant": "full"}, "another variant: – and full"),
        ({"method": "letters"}, "another way of scoring: log-likelihood and letters"),
        ({"rows_digest": "q" * 64}, "other rows, as many of them"),
        ({"shots_digest": "q" * 64}, "other examples"),
        ({"n_rows": 3, "template": "chat"}, "one without chat template, the other with the model's chat template"),
    ],
)
def test_unlike_protocols_are_refused_with_what_differs(other, reason, orion, lyra):
    with pytest.raises(NotComparable, match="did not ask the same") as refused:
        compare(run_of(orion, [1, 0]), run_of(lyra, [0, 1], protocol=other))

    assert reason in [str(found) for found in refused.value.reasons]


def test_of_a_part_and_the_whole_the_common_rows_are_compared(orion, lyra):
    whole = run_of(orion, [1, 1, 0, 0, 1, 1])
    part = run_of(lyra, [0, 0, 0], protocol={"n_rows": 3, "is_whole": False, "rows_digest": "p", "shots_digest": "p"})

    found = compare(whole, part)

    assert ([row.sample_id for row in found.rows], found.n_unshared) == (["anatomy/0", "anatomy/1", "anatomy/2"], 3)


def test_rows_of_one_name_with_different_prompts_are_not_common(orion, lyra):
    whole = run_of(orion, [1, 1])
    part = run_of(lyra, [0], protocol={"n_rows": 1, "rows_digest": "p"})
    PromptText.objects.create(digest="another", compressed=b"")
    part.samples.update(prompt_id="another")

    with pytest.raises(NotComparable, match="No row has a score in both runs"):
        compare(whole, part)


def test_where_nobody_knows_the_rows_prompts_decide(orion, lyra):
    """As of imported runs whose protocol is their own."""
    left, right = (run_of(llm, [1, 0, 1], protocol={"rows_digest": ""}) for llm in (orion, lyra))
    PromptText.objects.create(digest="another", compressed=b"")
    right.samples.filter(index=1).update(prompt_id="another")

    assert [row.sample_id for row in compare(left, right).rows] == ["anatomy/0", "anatomy/2"]


def test_behind_a_chat_template_equal_questions_are_common(orion, lyra):
    chat = {"template": "chat", "n_shots": 0, "draw": "–", "shots_digest": ""}
    whole = run_of(orion, [1, 1], protocol=chat)
    part = run_of(lyra, [0], protocol={**chat, "n_rows": 1, "rows_digest": "p"})
    PromptText.objects.create(digest="as its template writes it", compressed=b"")
    part.samples.update(prompt_id="as its template writes it")

    assert len(compare(whole, part).rows) == 1


def test_the_same_run_and_runs_that_have_not_succeeded_are_refused(two, pavo):
    with pytest.raises(NotComparable, match="Both are the same run"):
        compare(two[0], two[0])
    running = run_of(pavo, [1], status=Run.Status.RUNNING)
    with pytest.raises(NotComparable, match=f"Run {running.pk} has not succeeded: compare it when it has"):
        compare(two[0], running)


def test_lists_and_tuples_of_settings_are_the_same():
    assert unlike(PROTOCOL, {**PROTOCOL}) == ()


# --- as a page


def test_the_page_says_who_is_better_and_where(client, orion, lyra):
    left, right = run_of(orion, [1] * 30 + [0] * 10), run_of(lyra, [0] * 30 + [0] * 9 + [1])

    shown = text_of(client.get(address(left, right)))

    assert "Orion 7B is better on these questions." in shown
    assert "+72.5" in shown
    assert "below 0.0001" in shown
    assert "Question 0?" in shown
    assert reverse("evaluation:sample", args=[left.pk, 1]) in shown
    assert reverse("evaluation:sample", args=[right.pk, 1]) in shown


def test_small_differences_are_said_to_tell_nothing(client, two):
    shown = text_of(client.get(address(*two)))

    assert "These questions do not tell the two apart." in shown
    assert "<strong>3</strong>" in shown
    assert "<strong>1</strong>" in shown


def test_of_one_row_that_differs_interval_test_and_verdict_agree(client, orion, lyra):
    shown = text_of(client.get(address(run_of(orion, [1] * 20), run_of(lyra, [1] * 19 + [0]))))

    assert "These questions do not tell the two apart." in shown
    assert "1.0000" in shown
    assert "−11.9 to +23.6" in shown
    assert "With so few of them, no difference would be noticed four times out of five." in shown


def test_an_end_at_nothing_has_no_sign(client, orion, lyra):
    shown = text_of(client.get(address(run_of(orion, [1] * 20), run_of(lyra, [1] * 15 + [0] * 5))))

    assert "0.0 to +46.9" in shown
    assert "±" not in shown[shown.index("verdict-title") :]


def test_of_few_documents_that_differ_the_interval_is_said_to_be_too_narrow(client, orion, lyra):
    fields = {"benchmark": "perplexity", "protocol": {"benchmark": "perplexity"}}
    left, right = (run_of(llm, [None] * 12, **fields) for llm in (orion, lyra))
    for run in (left, right):
        run.samples.update(values={"log_probability": -8.0, "n_bytes": 10, "n_words": 2})
    right.samples.filter(index__lt=2).update(values={"log_probability": -9.0, "n_bytes": 10, "n_words": 2})
    few = text_of(client.get(address(left, right)))
    right.samples.update(values={"log_probability": -9.0, "n_bytes": 10, "n_words": 2})

    assert "Only 2 rows differ: of so few the interval is too narrow." in few
    assert "of so few the interval" not in text_of(client.get(address(left, right)))


def test_flipped_rows_are_filtered(client, two):
    only_b = text_of(client.get(address(*two, only="b")))
    nowhere = text_of(client.get(address(*two, subject="nowhere")))

    assert "Question 5?" in only_b
    assert "Question 1?" not in only_b
    assert "None with these filters." in nowhere


def test_the_page_refuses_unlike_runs_in_words(client, orion, lyra):
    response = client.get(address(run_of(orion, [1]), run_of(lyra, [1], protocol={"n_shots": 0})))

    assert "did not ask the same in the same way" in text_of(response)
    assert "another number of examples in the prompt: 5 and 0" in text_of(response)


def test_a_part_is_labelled(client, orion, lyra):
    part = run_of(lyra, [0, 1], protocol={"n_rows": 2, "rows_digest": "p"})

    shown = text_of(client.get(address(run_of(orion, [1, 1, 0]), part)))

    assert "One of the runs asked only a part: the 2 rows that both asked are compared." in shown


def test_two_runs_of_one_model_are_told_apart_by_their_numbers(client, orion):
    left, right = run_of(orion, [1, 0]), run_of(orion, [1, 1])

    assert f"Orion 7B #{right.pk}" in text_of(client.get(address(left, right)))


def test_the_other_run_is_chosen_from_those_of_the_same_benchmark(client, two, pavo):
    unlike_one = run_of(pavo, [1], protocol={"n_shots": 0})
    elsewhere = run_of(pavo, [1], benchmark="piqa")

    shown = text_of(client.get(f"{reverse('evaluation:compare')}?a={two[0].pk}"))

    places = [shown.index(f'<option value="{run.pk}"') for run in (two[1], unlike_one)]
    assert places == sorted(places)
    assert "another number of examples in the prompt: 5 and 0" in shown
    assert f'<option value="{elsewhere.pk}"' not in shown


def test_results_without_samples_are_marked_and_refused_with_the_reason(client, two, pavo):
    bare = run_of(pavo, [], status=Run.Status.IMPORTED, n_samples=6)

    offered = text_of(client.get(f"{reverse('evaluation:compare')}?a={two[0].pk}"))
    refused = text_of(client.get(address(two[0], bare)))

    assert "(without its samples)" in offered[offered.rindex(f'<option value="{bare.pk}"') :]
    assert offered.count("(without its samples)") == 2, "once on each side"
    assert f"Run {bare.pk} has only a result, without its samples" in refused


def test_a_question_has_the_number_that_the_list_of_samples_gives_it(client, orion, lyra):
    whole = run_of(orion, [1, 1, 1])
    part = run_of(lyra, [0], first=2, protocol={"n_rows": 1, "rows_digest": "p"})

    same = text_of(client.get(address(whole, run_of(lyra, [1, 0, 1]))))
    apart = text_of(client.get(address(whole, part)))

    assert "#2 · Name anatomy/1" in same
    assert 'aria-label="#2 in run B"' in same
    assert "A #3 · B #1 · Name anatomy/2" in apart


def test_without_runs_the_page_says_what_to_do(client, db):
    assert "No run to compare yet" in text_of(client.get(reverse("evaluation:compare")))


@pytest.mark.parametrize("query", ["?a=x", "?a=99999", "?a=²", "?a=1&b=" + "9" * 40])
def test_runs_that_there_are_not_are_not_found(query, client, db):
    assert client.get(reverse("evaluation:compare") + query).status_code == 404


def test_the_file_holds_every_row(client, orion, lyra):
    left = run_of(orion, [1, None, 0], subjects=("=cmd()",))
    right = run_of(lyra, [0, 1, 0], subjects=("=cmd()",))

    response = client.get(f"{reverse('evaluation:comparison_file')}?a={left.pk}&b={right.pk}")

    rows = list(csv.reader(io.StringIO(text_of(response))))
    assert rows == [
        ["sample_id", "subject", f"run_{left.pk}_acc", f"run_{right.pk}_acc"],
        ["'=cmd()/0", "'=cmd()", "1.0", "0.0"],
        ["'=cmd()/2", "'=cmd()", "0.0", "0.0"],
    ]


def test_the_file_refuses_unlike_runs(client, orion, lyra):
    left, right = run_of(orion, [1]), run_of(lyra, [1], protocol={"n_shots": 0})

    response = client.get(f"{reverse('evaluation:comparison_file')}?a={left.pk}&b={right.pk}")

    assert (response.status_code, client.get(reverse("evaluation:comparison_file")).status_code) == (422, 404)


# --- who may see what


def test_runs_of_private_rows_are_compared_by_the_house_only(client, sign_in, rana, orion, lyra):
    two = [run_of(llm, [1, 0], data=Run.Data.PRIVATE) for llm in (orion, lyra)]
    two[1].samples.filter(index=0).update(is_right=False)
    file = f"{reverse('evaluation:comparison_file')}?a={two[0].pk}&b={two[1].pk}"

    offered = text_of(client.get(reverse("evaluation:compare")))

    assert orion.name not in offered
    assert client.get(address(*two)).status_code == 404
    assert client.get(file).status_code == 404
    assert orion.name in text_of(sign_in(rana).get(reverse("evaluation:compare")))
    assert "Question 0?" in text_of(sign_in(rana).get(address(*two)))
    assert sign_in(rana).get(file).status_code == 200


def test_an_internal_models_run_does_not_exist_for_the_public(client, sign_in, rana, orion, register):
    secret = run_of(register("Nova", visibility=Visibility.INTERNAL), [1, 0])
    public = run_of(orion, [1, 0])

    assert client.get(address(public, secret)).status_code == 404
    assert "Nova" not in text_of(client.get(reverse("evaluation:compare")))
    assert sign_in(rana).get(address(public, secret)).status_code == 200


@pytest.mark.slow
def test_all_of_mmlu_is_compared(client, orion, lyra):
    rng = np.random.default_rng(1)
    subjects = [f"subject_{number}" for number in range(57)]
    left, right = (run_of(llm, rng.integers(0, 2, 14_042).tolist(), subjects=subjects) for llm in (orion, lyra))

    response = client.get(address(left, right))

    assert response.status_code == 200
    assert "14,042" in text_of(response)
