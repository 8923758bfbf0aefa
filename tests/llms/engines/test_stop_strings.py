import itertools

from hypothesis import given
from hypothesis import strategies as some

from llms.engines.stop_strings import StopFilter

LETTERS = some.text("abc", max_size=30)


def passed(pieces: list[str], stop: tuple[str, ...]) -> tuple[list[str], bool]:
    stops = StopFilter(stop)
    shown = [stops.push(piece) for piece in pieces]
    return [*shown, stops.flush()], stops.found


def test_it_holds_back_what_may_become_a_stop_string() -> None:
    shown, found = passed(["stop", " STO", "R", "M ST", "OP now"], ("STOP",))

    assert shown == ["stop", " ", "STOR", "M ", "", ""]
    assert found


def test_the_first_of_several_counts() -> None:
    assert passed(["a Human: b\n\n c"], ("\n\n", "Human:"))[0][0] == "a "


def test_without_stop_strings_nothing_is_held_back() -> None:
    assert passed(["a", "b"], ()) == (["a", "b", ""], False)


@given(text=LETTERS, cuts=some.lists(some.integers(0, 30)), stop=some.lists(some.text("abc", min_size=1, max_size=4)))
def test_borders_between_pieces_do_not_matter(text: str, cuts: list[int], stop: list[str]) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(places)]
    first = min((place for string in stop if (place := text.find(string)) >= 0), default=None)

    shown, found = passed(pieces, tuple(stop))

    assert found is (first is not None)
    # Piece by piece, a short stop string may be complete before a longer one that began earlier.
    if first is None:
        assert "".join(shown) == text
    else:
        assert not any(string in "".join(shown) for string in stop)
        assert text.startswith("".join(shown))
        assert len("".join(shown)) >= first
