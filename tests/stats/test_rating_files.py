import csv
import json
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest

from stats import rating_plot
from stats.file_tables import UnreadableFileError
from stats.rating_files import COLUMNS, LONGEST_NAME, as_text, check_writable, write
from stats.rating_plot import plot, svg
from stats.rating_tables import RatingRow, RatingTable

ROWS = (
    RatingRow("alpha <1>", 1210.26, 1180.0, 1240.5, 1, 1, 900),
    RatingRow("模型 β", 1000.0, 950.0, 1050.0, 2, 3, 20),
    RatingRow("café\x1b[31m", 990.0, None, None, None, None, 7),
    RatingRow("d", None, None, None, None, None, 3, "has only won"),
)
TABLE = RatingTable(method="bradley-terry", rows=ROWS, confidence_level=0.95)
SVG = "{http://www.w3.org/2000/svg}"


def test_the_text_is_aligned_and_harmless():
    assert as_text(TABLE).splitlines() == [
        "rank  model         rating    95 % interval  votes",
        "   1  alpha <1>     1210.3  1180.0 … 1240.5    900",
        " 2–3  模型 β        1000.0   950.0 … 1050.0     20",
        "   –  café\\x1b[31m   990.0                –      7",
        "   –  d                  –                –      3  has only won",
    ]


def test_the_text_fits_a_terminal_of_80_columns():
    name = "claude-3-7-sonnet-20250219-thinking-32k"
    long = "no chain of votes links it with the rated models"
    rows = (
        RatingRow(name, 1210.26, 1180.0, 1240.5, 1, 12, 123_456),
        RatingRow("b", None, None, None, None, None, 3, long),
    )

    lines = as_text(RatingTable(method="m", rows=rows, confidence_level=0.95)).splitlines()

    assert max(map(len, lines)) <= 80
    assert lines[2].split() == ["–", "b", "–", "–", "3"]
    assert lines[3:] == [f"      {long}"]


def test_an_endless_name_is_cut_where_it_is_shown_and_whole_in_files(tmp_path):
    row = RatingRow("m" * 5000, 1000.0, 900.0, 1100.0, 1, 1, 5)
    table = RatingTable(method="m", rows=(row,), confidence_level=0.95)

    assert f"  {'m' * (LONGEST_NAME - 1)}…  1000.0" in as_text(table)
    write(table, tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))[0]["name"] == "m" * 5000


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_a_name_is_no_formula_in_a_spreadsheet(tmp_path, start):
    name = f"{start}1+1"
    table = RatingTable(method="m", rows=(RatingRow(name, 1.0, 0.0, 2.0, 1, 1, 9),), confidence_level=0.95)
    write(table, tmp_path / "r.csv")
    write(table, tmp_path / "r.json")

    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["name"] == f"'{name}"
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))[0]["name"] == name


@pytest.mark.parametrize("name", ["r.json", "r.csv", "r.parquet"])
def test_rows_are_written_and_read_back(tmp_path, name):
    path = tmp_path / name
    write(TABLE, path)

    if name.endswith("json"):
        rows = json.loads(path.read_text(encoding="utf-8"))
    elif name.endswith("csv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = pq.read_table(path).to_pylist()

    assert [tuple(row) for row in rows] == [COLUMNS] * 4
    expected = [[getattr(row, column) for column in COLUMNS] for row in ROWS]
    if name.endswith("csv"):
        expected = [["" if value is None else str(value) for value in row] for row in expected]
    assert [list(row.values()) for row in rows] == expected


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("r.xlsx", r"does not end in \.json or \.csv or \.parquet\."),
        ("r", "does not end in"),
        ("missing/r.json", "there is no folder"),
        ("folder.csv", "is a folder"),
    ],
)
def test_what_cannot_be_written_is_told(tmp_path, name, sentence):
    (tmp_path / "folder.csv").mkdir()

    with pytest.raises(UnreadableFileError, match=sentence):
        write(TABLE, tmp_path / name)


@pytest.mark.parametrize("save", [write, lambda table, path: plot(table, path.with_suffix(".svg"), title="t")])
def test_a_disk_that_refuses_is_told(tmp_path, monkeypatch, save):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    monkeypatch.setattr("pathlib.Path.write_bytes", full)

    with pytest.raises(UnreadableFileError, match="cannot be written: No space left"):
        save(TABLE, tmp_path / "r.json")


def test_the_votes_are_not_written_over(tmp_path):
    with pytest.raises(UnreadableFileError, match="holds the votes"):
        check_writable(tmp_path / "." / "r.csv", [".csv"], inputs=[tmp_path / "r.csv"])


def test_the_picture_has_a_dot_per_rating_and_a_whisker_per_interval():
    root = ElementTree.fromstring(svg(TABLE, title="A & B"))

    dots = root.findall(f"{SVG}g/{SVG}circle")
    whiskers = root.findall(f"{SVG}g/{SVG}line")
    assert root.find(f"{SVG}title").text == "A & B"
    assert len(dots) == 3
    assert len(whiskers) == 2
    assert [float(dot.get("cy")) for dot in dots] == sorted(float(dot.get("cy")) for dot in dots)
    assert float(dots[0].get("cx")) > float(dots[1].get("cx")) > float(dots[2].get("cx"))
    for dot, whisker in zip(dots, whiskers, strict=False):
        assert float(whisker.get("x1")) < float(dot.get("cx")) < float(whisker.get("x2"))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "alpha <1>" in texts
    assert "café\N{REPLACEMENT CHARACTER}[31m" in texts
    assert "d" not in texts
    assert "1000" in texts
    assert "rating points, with 95 % intervals" in texts


def test_everything_stays_inside_the_picture():
    root = ElementTree.fromstring(svg(TABLE, title="t"))
    width, height = float(root.get("width")), float(root.get("height"))

    for element in root.iter():
        for key in ("x", "x1", "x2", "cx"):
            assert 0 <= float(element.get(key, "0")) <= width
        for key in ("y", "y1", "y2", "cy"):
            assert 0 <= float(element.get(key, "0")) <= height


@pytest.mark.parametrize("rows", [(), ROWS[3:], ROWS[2:3]])
def test_a_picture_of_nothing_or_one_dot_is_drawn(rows):
    table = RatingTable(method="elo", rows=rows, confidence_level=0.95)

    root = ElementTree.fromstring(svg(table, title="t"))

    assert len(root.findall(f"{SVG}g/{SVG}circle")) == len(table.rated)
    assert "rating points" in [text.text for text in root.iter(f"{SVG}text")]


def test_wide_letters_have_their_place():
    def start_of_axis(name):
        table = RatingTable(method="m", rows=(ROWS[0]._replace(name=name),), confidence_level=0.9)
        return float(ElementTree.fromstring(svg(table, title="t")).find(f"{SVG}text[@text-anchor='end']").get("x"))

    assert start_of_axis("模型") == start_of_axis("four") > start_of_axis("ab")


def test_a_long_name_is_cut():
    row = ROWS[0]._replace(name="n" * 200)

    assert f"{'n' * 47}…</text>" in svg(RatingTable(method="m", rows=(row,), confidence_level=0.9), title="t")


def test_an_svg_is_written(tmp_path):
    plot(TABLE, tmp_path / "r.svg", title="t")

    assert (tmp_path / "r.svg").read_text(encoding="utf-8") == svg(TABLE, title="t")


def test_a_png_is_drawn_where_the_library_is(tmp_path, monkeypatch):
    class Drawing:
        @staticmethod
        def svg2png(*, bytestring, scale):
            return b"PNG" + bytestring[:4] + bytes([scale])

    monkeypatch.setattr(rating_plot, "import_module", lambda name: Drawing)
    plot(TABLE, tmp_path / "r.png", title="t")

    assert (tmp_path / "r.png").read_bytes() == b"PNG<svg\x02"


@pytest.mark.parametrize("error", [ImportError, OSError])
def test_a_png_without_the_library_is_a_sentence(tmp_path, monkeypatch, error):
    def missing(name):
        raise error(name)

    monkeypatch.setattr(rating_plot, "import_module", missing)

    with pytest.raises(UnreadableFileError, match="needs the package cairosvg"):
        plot(TABLE, tmp_path / "r.png", title="t")


@pytest.mark.parametrize("name", ["r.gif", "missing/r.svg"])
def test_a_picture_that_cannot_be_written_is_told(tmp_path, name):
    with pytest.raises(UnreadableFileError, match=r"does not end in|there is no folder"):
        plot(TABLE, tmp_path / name, title="t")
