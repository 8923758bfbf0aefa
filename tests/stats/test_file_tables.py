import numpy as np
import pytest

from stats.file_tables import BadRow, Column, FileTable, SeveralFiles, as_text


class Held:
    """A file that is already read."""

    def __init__(self, *bad_rows, **columns):
        self.names = tuple(columns)
        self._columns = columns
        self._bad_rows = bad_rows

    def read(self, wanted):
        numbers = [name for name in range(1, 9) if name not in {row.number for row in self._bad_rows}]
        columns = {
            name: Column(
                codes=np.array([-1 if text is None else sorted(set(texts) - {None}).index(text) for text in texts]),
                values=tuple(sorted(set(texts) - {None})),
            )
            for name, texts in self._columns.items()
        }
        n_rows = len(next(iter(columns.values())).codes)
        return FileTable(columns=columns, numbers=np.array(numbers[:n_rows]), bad_rows=self._bad_rows)


BOTH = SeveralFiles(
    {
        "one.csv": Held(BadRow(2, "broken"), left=["b", "a"], right=["a", None], extra=["e", "e"]),
        "two.csv": Held(right=["c", "c", "b"], left=["a", "d", None]),
    }
)


def test_several_files_have_the_columns_that_all_of_them_have():
    assert BOTH.names == ("left", "right")


def test_rows_of_several_files_follow_one_another():
    table = BOTH.read(["left", "right"])

    columns = [[column.at(row) for row in range(5)] for column in table.columns.values()]
    assert columns == [["b", "a", "a", "d", ""], ["a", "", "c", "c", "b"]]
    assert table.numbers.tolist() == [1, 3, 1, 2, 3]


def test_a_bad_row_is_in_the_file_that_it_is_in():
    table = BOTH.read(["left", "right"])

    found = [table.bad_row(4, "late"), table.bad_row(0, "early"), *table.bad_rows]

    assert table.in_order(found) == (
        BadRow(1, "early", "one.csv"),
        BadRow(2, "broken", "one.csv"),
        BadRow(3, "late", "two.csv"),
    )


def test_a_bad_row_of_a_single_file_needs_no_name():
    table = FileTable(columns={}, numbers=np.array([4]))

    assert table.bad_row(0, "bad") == BadRow(4, "bad")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("x", "x"),
        ("\ud800", "\\ud800"),
        (1, "1"),
        (1.0, "1"),
        (1.5, "1.5"),
        (float("nan"), None),
        (True, "true"),
        ({"a": [1]}, '{"a": [1]}'),
    ],
)
def test_every_value_is_a_text(value, text):
    assert as_text(value) == text
