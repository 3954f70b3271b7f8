"""Blocks: what was finished is not done again, what was cut off leaves nothing behind."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from xdnn_core.errors import UserError
from xdnn_core.experiments.protocol import run_blocks

IMAGES = list(range(10, 17))


def squares(
    done: list[int],
) -> Callable[[Sequence[int], Callable[[float], None]], pd.DataFrame]:
    """Computes x² and notes for which x."""

    def compute(block: Sequence[int], share: Callable[[float], None]) -> pd.DataFrame:
        done.extend(block)
        share(0.5)
        return pd.DataFrame({"image": block, "square": [x * x for x in block]})

    return compute


def test_rows_of_all_blocks_in_order(tmp_path: Path) -> None:
    done: list[int] = []
    rows = run_blocks(tmp_path, {"a": 1}, IMAGES, 3, squares(done), "test")
    assert done == rows["image"].tolist() == IMAGES
    assert rows["square"].tolist() == [x * x for x in IMAGES]
    assert list(rows.index) == list(range(7))
    again = run_blocks(tmp_path, {"a": 1}, IMAGES, 3, squares(done), "test")
    assert done == IMAGES, "nothing was computed twice"
    pd.testing.assert_frame_equal(again, rows)


def test_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    def stops(block: Sequence[int], share: Callable[[float], None]) -> pd.DataFrame:
        if block[0] == 14:
            raise KeyboardInterrupt
        return squares([])(block, share)

    with pytest.raises(KeyboardInterrupt):
        run_blocks(tmp_path, {"a": 1}, IMAGES, 2, stops, "test")
    done: list[int] = []
    rows = run_blocks(tmp_path, {"a": 1}, IMAGES, 2, squares(done), "test")
    assert done == [14, 15, 16]
    assert rows is not None
    assert rows["square"].tolist() == [x * x for x in IMAGES]


def test_a_block_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def fails(block: Sequence[int], share: Callable[[float], None]) -> pd.DataFrame:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        run_blocks(tmp_path, {}, IMAGES, 3, fails, "test")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_blocks_of_another_run_are_not_mixed_in(tmp_path: Path) -> None:
    run_blocks(tmp_path, {"a": 1, "b": (2, 3)}, IMAGES, 3, squares([]), "test")
    run_blocks(tmp_path, {"a": 1, "b": (2, 3)}, IMAGES, 3, squares([]), "test")
    with pytest.raises(UserError, match="it differs in a"):
        run_blocks(tmp_path, {"a": 2, "b": (2, 3)}, IMAGES, 3, squares([]), "test")


def test_images_that_cannot_be_read(tmp_path: Path) -> None:
    def some(block: Sequence[int], share: Callable[[float], None]) -> pd.DataFrame:
        return pd.DataFrame({"image": block}) if block[0] == 13 else pd.DataFrame()

    rows = run_blocks(tmp_path / "a", {}, IMAGES, 3, some, "test")
    assert rows["image"].tolist() == [13, 14, 15]
    with pytest.raises(UserError, match="None of the 2 images could be read"):
        run_blocks(tmp_path / "b", {}, IMAGES[:2], 3, some, "test")


def test_the_bar_starts_from_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_blocks(tmp_path, {}, IMAGES[:4], 2, squares([]), "test")
    capsys.readouterr()
    run_blocks(tmp_path, {}, [*IMAGES[:4], 30], 2, squares([]), "test")
    assert "80.0%" in capsys.readouterr().err
