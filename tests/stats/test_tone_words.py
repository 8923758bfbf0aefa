import pytest

from stats import tone_words
from stats.tone_words import count_tone


@pytest.mark.parametrize(
    ("text", "n_boosters", "n_hedges"),
    [
        ("", 0, 0),
        ("This is definitely right.", 1, 0),
        ("Of course! Without a doubt.", 2, 0),
        ("I think it might rain, perhaps.", 0, 3),
        ("I'm not sure.", 0, 1),
        ("I\u2019m sure.", 1, 0),
        ("I am\nsure", 1, 0),
        ("uncertainly clearlyish", 0, 0),
        ("CERTAINLY", 1, 0),
        ("Kesinlikle doğru, şüphesiz.", 2, 0),
        ("KESİNLİKLE", 1, 0),
        ("AÇIKÇA", 1, 0),
        ("Belki de öyledir, sanırım.", 0, 2),
        ("SANIRIM", 0, 1),
        ("Emin değilim.", 0, 1),
        ("Eminim.", 1, 0),
        ("kesin değil", 0, 1),
        ("Tabii ki", 1, 0),
    ],
)
def test_it_counts_words_of_certainty_and_of_doubt(text, n_boosters, n_hedges):
    assert count_tone(text) == (n_boosters, n_hedges)


def test_every_phrase_is_found_and_none_is_of_both_kinds():
    boosters, hedges = tone_words._BOOSTERS, tone_words._HEDGES

    assert not boosters & hedges
    assert [phrase for phrase in boosters if count_tone(phrase) != (1, 0)] == []
    assert [phrase for phrase in hedges if count_tone(phrase) != (0, 1)] == []
    assert all(phrase == " ".join(phrase.split()) and phrase for phrase in boosters | hedges)


@pytest.mark.parametrize("text", ["i am not ", "a" * 50, "without a ", "\n", "belki "])
def test_any_text_takes_linear_time(text):
    """Were it not linear, this would not end within the limit that every test has."""
    assert count_tone(text * 20_000) is not None
