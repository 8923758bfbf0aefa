"""Sets that are healthy, and sets that are ill on purpose."""

import numpy as np
import pytest
from scipy.stats import binomtest

import evaluation.near_duplicates
from evaluation.benchmarks.registry import benchmark
from evaluation.choices_only import Item, right_without_questions
from evaluation.datasets import from_folder
from evaluation.near_duplicates import NearDuplicate, groups, jaccard, near_duplicates, pieces
from evaluation.set_health import excess, health_of, holm
from evaluation.wrong_keys import NO_ANSWER, discrimination, likely_wrong_keys

SYLLABLES = ("ka", "lo", "mi", "ru", "se", "ta", "vo", "ne", "pi", "du", "zo", "wen", "tor", "bil", "gas", "fum")


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def words(rng, n):
    return " ".join("".join(rng.choice(SYLLABLES, 3)) for _ in range(n))


def invented(rng, n):
    """Questions about nothing, whose keys stand anywhere and whose choices are of one length."""
    made = []
    for i in range(n):
        choices = tuple(words(rng, 2).ljust(20, "x")[:20] for _ in range(4))
        made.append(Item(f"q{i}", words(rng, 12), choices, int(rng.integers(4))))
    return made


def models_answers(rng, keys, n_choices, skills):
    """Models of these skills, for which the same items are hard: half of what decides is the item's own."""
    difficulty = rng.normal(size=len(keys))
    found = []
    for skill in skills:
        is_right = skill + (rng.normal(size=len(keys)) - difficulty) / np.sqrt(2) > 0
        others = (keys + 1 + (rng.random(len(keys)) * (n_choices - 1)).astype(int)) % n_choices
        found.append(np.where(is_right, keys, others))
    return np.array(found)


def spoilt(rng, items, *, flipped, repeated):
    """The same set with wrong keys and repeated items; the places of the wrong keys with it."""
    places = rng.choice(len(items), int(flipped * len(items)), replace=False)
    changed = list(items)
    for place in places:
        item = changed[place]
        changed[place] = item._replace(target=(item.target + 1) % len(item.choices))
    again = rng.choice(len(items), int(repeated * len(items)), replace=False)
    copies = [changed[place]._replace(id=f"copy {place}", question=f"{changed[place].question}  ?") for place in again]
    return changed + copies, set(places.tolist()), again


def check_that_it_is_reported(rng, items):
    n = len(items)
    ill, wrong, again = spoilt(rng, items, flipped=0.05, repeated=0.10)
    truth = np.array([item.target for item in items])
    answers = models_answers(
        rng, truth, np.array([len(item.choices) for item in items]), [1.6, 1.4, 1.3, 1.2, 1.0, 0.9]
    )
    answers = np.concatenate([answers, answers[:, again]], axis=1)
    before = health_of(items)

    health = health_of(ill, predictions=answers)

    assert health.n_superfluous - before.n_superfluous == pytest.approx(0.1 * n, rel=0.1)
    listed = {key.item for key in health.wrong_keys if key.item < n}
    assert len(listed & wrong) >= 0.6 * len(wrong)
    assert len(listed & wrong) >= 0.7 * len(listed)
    assert all(key.suggested == truth[key.item] for key in health.wrong_keys if key.item in wrong)
    assert any("repeat another one: take them out" in finding for finding in health.findings)
    assert any("probably have a wrong key" in finding for finding in health.findings)
    return before, health


def test_five_percent_of_flipped_keys_and_ten_of_duplicates_are_reported(rng):
    before, health = check_that_it_is_reported(rng, invented(rng, 600))

    assert before.findings == ()
    assert f"{health.n_superfluous} of 660 items (9.1 %) repeat another one: take them out." in health.findings


def test_the_same_in_public_rows(rng, public_rows):
    rows = from_folder(benchmark("mmlu"), public_rows).rows
    chosen = rng.choice(len(rows), 600, replace=False)
    items = [Item(str(i), rows[i]["question"], tuple(rows[i]["choices"]), rows[i]["answer"]) for i in chosen]

    check_that_it_is_reported(rng, items)

    health = health_of(items[:50], public={"mmlu": items[25:]})
    found = health.in_public_sets
    assert {(duplicate.pair.one, duplicate.pair.other) for duplicate in found} >= {(i, i - 25) for i in range(25, 50)}
    assert any(
        "items stand in public sets too (mmlu): models may have learnt them." in finding for finding in health.findings
    )


def test_a_key_that_always_stands_in_one_place_is_reported(rng):
    items = [item._replace(target=2 if i % 2 else item.target) for i, item in enumerate(invented(rng, 200))]

    health = health_of(items)

    assert health.positions[2].p_value < 1e-6
    assert any(finding.startswith("Choice 3 is right in") for finding in health.findings)


def test_a_key_that_is_longer_than_the_others_is_reported_and_found_without_the_question(rng):
    items = []
    for item in invented(rng, 150):
        choices = list(item.choices)
        choices[item.target] += ", as a rule"
        items.append(item._replace(choices=tuple(choices)))

    health = health_of(items)

    assert (health.longest_is_right.n, health.longest_is_right.of) == (150, 150)
    assert health.without_question.n > 140
    assert [finding.split(" ")[0] for finding in health.findings] == ["The", f"{health.without_question.n}"]


def test_words_that_give_the_key_away_are_found_without_the_question(rng):
    items = []
    for item in invented(rng, 150):
        choices = ["always " + choice for choice in item.choices]
        choices[item.target] = "mostly " + item.choices[item.target]
        items.append(item._replace(choices=tuple(choices)))

    assert health_of(items).without_question.n > 140


def test_a_duplicate_is_not_learnt_from_its_twin(rng):
    items = [item for item in invented(rng, 60) for _ in range(2)]

    right = right_without_questions(items, [i - i % 2 for i in range(120)])

    assert binomtest(int(right[::2].sum()), 60, 0.25).pvalue > 0.001


def test_a_question_with_two_keys_is_a_contradiction_and_another_number_is_not(rng):
    one = Item("a", "How many days of leave does the contract give in the first year?", ("27", "28"), 0)
    other = one._replace(id="b", choices=("28", "27"), target=0)
    fine = one._replace(id="c", question="How many weeks of notice does a temporary contract need?", target=1)

    health = health_of([one, other, fine])

    assert [(pair.one, pair.other) for pair in health.contradictions] == [(0, 1)]
    assert health.n_superfluous == 1
    assert "1 pairs of items that repeat each other have different keys: one of each pair is wrong." in health.findings


# --- the parts


def test_the_exact_test_is_the_binomial_one_where_chances_are_equal():
    assert excess(12, [0.25] * 30).p_value == pytest.approx(binomtest(12, 30, 0.25).pvalue)


def test_unequal_chances_are_enumerated():
    # of chances 1/2 and 1/3: P(0) = 1/3, P(1) = 1/2, P(2) = 1/6
    assert [excess(n, [1 / 2, 1 / 3]).p_value for n in range(3)] == pytest.approx([1 / 2, 1, 1 / 6])
    assert excess(0, []).p_value == 1


def test_holms_p_values_are_those_of_the_paper():
    # Holm 1979 steps: 0.01 * 4, 0.015 * 3 (not below the one before), 0.03 * 2, 0.04
    assert holm([0.03, 0.01, 0.04, 0.015]) == pytest.approx([0.06, 0.04, 0.06, 0.045])


def test_near_duplicates_are_all_that_comparing_every_pair_finds(rng):
    texts = [words(rng, 20) for _ in range(150)]
    texts += [text.replace("ka", "KA", 1) + "." for text in texts[:40]] + [text[:-9] for text in texts[:40]]
    sets = [pieces(text) for text in texts]

    expected = {
        (i, j)
        for j in range(len(texts))
        for i in range(j)
        if jaccard(sets[i], sets[j]) >= evaluation.near_duplicates.LIKENESS
    }

    assert {(pair.one, pair.other) for pair in near_duplicates(texts)} == expected
    assert len(expected) >= 80


def test_many_equal_texts_are_one_group_without_comparing_all_pairs():
    pairs = near_duplicates(["the same text every time"] * 1000)

    assert len(pairs) == 999
    assert set(groups(pairs, 1000)) == {0}


def test_groups_hang_together_by_chains():
    assert groups([NearDuplicate(3, 4, 1.0), NearDuplicate(1, 3, 1.0)], 6) == [0, 1, 2, 1, 1, 5]


def test_an_empty_text_is_like_no_other():
    assert near_duplicates(["", "a", "…", "some longer text"]) == [NearDuplicate(0, 2, 1.0)]


def test_discrimination_is_the_correlation_with_the_rest():
    targets = np.zeros(4, dtype=int)
    predictions = np.array([[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 0], [0, 1, NO_ANSWER, 0]])

    found = discrimination(predictions, targets)

    assert np.isnan(found[0])  # all are right
    rest = [(3 - right) / 3 for right in (1, 1)]
    assert rest[0] == rest[1]
    assert found[1] == pytest.approx(np.corrcoef([1, 1, 0, 0], [2 / 3, 1 / 3, 2 / 3, 1])[0, 1])
    assert found[3] < 0


def test_two_models_are_too_few_to_doubt_a_key():
    assert likely_wrong_keys(np.ones((2, 5), dtype=int), np.zeros(5, dtype=int), [4] * 5) == []


def test_bad_models_that_agree_by_chance_do_not_make_a_key_wrong(rng):
    targets = rng.integers(4, size=400)

    found = likely_wrong_keys(rng.integers(4, size=(6, 400)), targets, [4] * 400)

    assert found == []
