"""Limits hold for what is parsed, however a file is written; what people's files have is read."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.cohorts.test_cohorts import csv_of
from xdnn_core.data.cohorts import csv_table
from xdnn_core.data.cohorts.cohort import CohortError
from xdnn_core.data.cohorts.csv_table import read_table
from xdnn_core.data.cohorts.load import load_cohort


def sentence(data: bytes, outcome: str | None = "dead") -> str:
    with pytest.raises(CohortError) as caught:
        load_cohort(data, outcome)
    said = str(caught.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert len(said) < 600
    return said


def test_carriage_returns_alone_end_lines() -> None:
    data = csv_of()
    same = load_cohort(data.replace(b"\n", b"\r"))
    assert same.fingerprint == load_cohort(data).fingerprint
    assert "1 rows" in sentence(b"a,b\r1,2\r")


def test_names_that_are_too_long() -> None:
    assert "cannot be read" in sentence(csv_of().replace(b"age", b"x" * 140_000))
    assert "a name of 201 characters" in sentence(csv_of().replace(b"age", b"x" * 201))
    assert load_cohort(csv_of().replace(b"age", b"x" * 200)).columns[0].name == "x" * 200


def test_a_newline_in_the_header_hides_no_columns() -> None:
    assert load_cohort(csv_of().replace(b"age", b'"age\nnow"')).columns[0].name == "age\nnow"
    names = b",".join(b"c%d" % number for number in range(2_001))
    assert "2,001 columns" in sentence(b'"a\n' + names.replace(b",", b'",', 1) + b"\n")
    wide = b",".join(b"%0200d" % number for number in range(1_500))
    assert len(read_table(wide + b"\n" + (b"1," * 1_499 + b"2\n") * 60).frame.columns) == 1_500


def test_header_longer_than_a_block_is_refused() -> None:
    names = ",".join(f"{number:0199d}ß" for number in range(2_000))
    long = names.replace("0" * 100, "ßßßß" * 25)
    assert "header line is longer" in sentence((long * 2).encode() + b"\n1\n")


@pytest.mark.parametrize("extra", [b"1,2,3\n", b"1," * 100_000 + b"\n"])
def test_rows_wider_than_the_header(extra: bytes) -> None:
    cells = extra.count(b",") + 1
    assert f"row 61 has {cells:,} cells, more cells than" in sentence(csv_of() + extra)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_cells_missing_at_the_end_of_a_row_are_empty(encoding: str) -> None:
    """Spreadsheets leave separators of empty last cells out."""
    lines = csv_of(size=[1.5] * 59 + [2.5]).decode().splitlines()
    short = [line.rsplit(",", 1)[0] if number in (3, 9) else line
             for number, line in enumerate(lines)]  # fmt: skip
    short[0] = short[0].replace("size", "größe")
    cohort = load_cohort("\r\n".join(short).encode(encoding), "dead")
    assert [column.name for column in cohort.columns] == ["age", "größe"]
    assert len(cohort) == 60
    assert np.isnan(cohort.features[:, 1]).sum() == 2


def test_every_row_may_be_short() -> None:
    header = b"a,b,c,dead\n"
    rows = b'"1\n, 1",2\n,,,1\n' * 30_000
    table = read_table(header + rows)
    assert len(table.frame) == 60_000
    assert table.frame["c"].isna().all()
    assert "row 60001 has 5 cells, more cells than" in sentence(header + rows + b"1,2,3,4,5\n")


@pytest.mark.parametrize("end", [b'"' + b"1,2\n" * 600_000, b"," * 3_000_000])
def test_a_row_without_an_end(end: bytes) -> None:
    assert "goes on without an end" in sentence(csv_of() + end)


def test_rows_and_cells_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "MAX_ROWS", 59)
    assert "more than 59 rows" in sentence(csv_of())
    monkeypatch.setattr(csv_table, "MAX_ROWS", 60)
    assert len(load_cohort(csv_of())) == 60
    monkeypatch.setattr(csv_table, "MAX_CELLS", 119)
    assert "more than 59 rows, the most that are taken of 2 columns" in sentence(csv_of())


def test_one_hot_matrix_is_counted_before_it_is_made() -> None:
    words = [f"w{number % 1900}" for number in range(26_000)]
    said = sentence(csv_of(26_000, word=words))
    assert "26,000 rows of 1,901 encoded columns (column 'word' alone becomes 1,900)" in said
    words = [f"w{number // 2}" for number in range(5_000)]
    assert "alone has 2,500 different values" in sentence(csv_of(5_000, word=words))


@pytest.mark.parametrize("value", ["1.2e308", "-1.2e308", "1e200", "1e31"])
def test_numbers_that_leave_floating_point_are_refused_by_column(value: str) -> None:
    said = sentence(csv_of(far=[value, *range(59)]))
    assert said.startswith("Column 'far' holds numbers from 1 to ")
    assert "1e+30" in said


def test_what_lies_30_powers_of_ten_apart_is_refused_by_column() -> None:
    assert "Column 'far'" in sentence(csv_of(far=["1e-31", *range(59)]))
    assert len(load_cohort(csv_of(far=["1e-300"] * 30 + ["3e-300"] * 30), "dead")) == 60


def test_numbers_as_people_write_them() -> None:
    cells = ["+1", " 2", "3 ", "1e1", ".5", "5.", "NA", "?", "None", ""] * 6
    values = load_cohort(csv_of(x=cells), "dead").features[:10, 1]
    np.testing.assert_array_equal(values, [1, 2, 3, 10, 0.5, 5] + [np.nan] * 4)
    lines = ["x;dead"] + [f"{number % 9},5;{number % 2}" for number in range(60)]
    assert load_cohort("\n".join(lines).encode()).features[1, 0] == 1.5


def test_texts_too_long_for_a_category_are_left_out() -> None:
    cohort = load_cohort(csv_of(note=["x" * 201, "y", "z"] * 20), "dead")
    assert [left.name for left in cohort.left_out] == ["note"]
    assert "up to 201 characters" in cohort.left_out[0].reason
    assert all(
        column.name != "note" for column in read_table(csv_of(note=["x" * 201, "y"] * 30)).binary
    )
