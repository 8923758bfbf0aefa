"""What is computed together: every token that is asked for once, each seeing exactly its own beginning."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llms.engines.huggingface.scoring.paths import Paths, paths_of
from llms.engines.huggingface.scoring.planning import EVERY_STEM, Costs, Row, Stem, plain_rows, plan
from llms.engines.huggingface.scoring.trees import batch_of
from llms.engines.scored_texts import ScoredText

COSTS = Costs.of_width(576)
texts = st.lists(
    st.builds(
        lambda tokens, n: ScoredText(tokens, min(n, len(tokens) - 1)),
        st.lists(st.integers(0, 2), min_size=2, max_size=12),
        st.integers(1, 5),
    ),
    min_size=1,
    max_size=12,
)
all_costs = st.sampled_from([COSTS, EVERY_STEM, Costs(0.5, 0.0, 0.0, 1, 1.0), Costs(10.0, 1.0, 0.0, 2)])


def stages(paths: Paths, costs: Costs) -> list[tuple[Stem, list[Row]]]:
    found = []
    pending = [Stem(0, len(paths), 0)]
    while pending:
        stem = pending.pop()
        rows, longer = plan(paths, stem, costs)
        found.append((stem, rows))
        pending += longer
    return found


def n_computed(paths: Paths, costs: Costs) -> int:
    """Tokens of all rows and stems."""
    pending, n_tokens = [(Stem(0, len(paths), 0), 0)], 0
    while pending:
        stem, before = pending.pop()
        rows, longer = plan(paths, stem, costs)
        n_tokens += stem.depth - before + sum(row.n_tokens for row in rows)
        pending += [(further, stem.depth) for further in longer]
    return n_tokens


@given(texts, all_costs)
def test_every_question_is_answered_by_a_token_that_saw_its_text(asked: list[ScoredText], costs: Costs) -> None:
    paths = Paths(paths_of(asked))
    answered = []
    for stem, rows in stages(paths, costs):
        if not rows:
            continue
        batch = batch_of(paths, rows, stem.depth)
        beginning = paths.paths[stem.start].tokens[: stem.depth].tolist()
        width = batch.tokens.shape[1]
        for question, places in batch.answers:
            text, n_scored, _ = asked[question.number]
            answered.append(question.number)
            assert question.targets.tolist() == text[-n_scored:]
            for place, end in zip(places.tolist(), range(len(text) - n_scored, len(text)), strict=True):
                row, column = divmod(place, width)
                seen = range(column + 1) if batch.sees is None else np.flatnonzero(batch.sees[row, column])
                read = [
                    beginning[key] if key < stem.depth else int(batch.tokens[row, key - stem.depth]) for key in seen
                ]
                assert read == text[:end]
                assert batch.sees is None or batch.depths[row, column] == end - 1
    assert sorted(answered) == list(range(len(asked)))


@given(texts)
def test_plain_rows_read_every_text_as_it_is(asked: list[ScoredText]) -> None:
    paths = Paths(paths_of(asked))
    batch = batch_of(paths, plain_rows(paths), 0)

    assert batch.sees is None
    for question, places in batch.answers:
        text, n_scored, _ = asked[question.number]
        row, last = divmod(int(places[-1]), batch.tokens.shape[1])
        assert batch.tokens[row, : last + 1].tolist() == text[:-1]
        assert len(places) == n_scored


def few_shot(n_items: int, n_shots_tokens: int, n_item_tokens: int) -> list[ScoredText]:
    rng = np.random.default_rng(1)
    shots = rng.integers(0, 1000, n_shots_tokens).tolist()
    return [
        ScoredText([*shots, *item, letter], 1)
        for item in rng.integers(0, 1000, (n_items, n_item_tokens)).tolist()
        for letter in range(4)
    ]


def test_shots_are_read_once() -> None:
    paths = Paths(paths_of(few_shot(100, 600, 100)))

    assert len(paths) == 100
    assert n_computed(paths, COSTS) <= 600 + 100 * 100 + 100


def test_an_item_and_its_answers_are_one_row() -> None:
    rng = np.random.default_rng(1)
    item = rng.integers(0, 1000, 70).tolist()
    paths = Paths(paths_of([ScoredText(item + rng.integers(0, 1000, 25).tolist(), 25) for _ in range(4)]))

    ((_, rows),) = stages(paths, COSTS)
    assert [row.n_tokens for row in rows] == [70 + 4 * 24]


def test_what_has_little_in_common_is_not_forced_together() -> None:
    """Where a common beginning of two words is all there is, rows stay as short as their texts."""
    rng = np.random.default_rng(1)
    paths = Paths(paths_of([ScoredText([1, 2, *rng.integers(3, 1000, 60).tolist()], 5) for _ in range(50)]))

    ((_, rows),) = stages(paths, COSTS)
    assert max(row.n_tokens for row in rows) < 200


def test_beginnings_within_beginnings_do_not_exhaust_the_stack() -> None:
    paths = Paths(paths_of([ScoredText([7] * length, 1) for length in range(2, 3000)]))

    assert n_computed(paths, COSTS) >= 2998
