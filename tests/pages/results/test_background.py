"""Runs in the background: progress from their own bar, sentences, cancelling, one at a time."""

import time
from pathlib import Path

import pytest

from pages.results_parts.background import BackgroundRun, OneRun, RunStatus, image_sets_in
from tests.experiments.small_pair import CLASSES, make_images
from xdnn_core.errors import UserError
from xdnn_core.experiments.published import TABLE2, TABLE3, TABLE3_METRICS
from xdnn_core.experiments.table3_summary import QUALITY_METHODS


def ended(run: BackgroundRun) -> RunStatus:
    deadline = time.monotonic() + 120
    while (status := run.status()).state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return status


def test_a_finished_run_and_its_progress(tmp_path: Path) -> None:
    out = tmp_path / "table1.parquet"
    run = BackgroundRun(["table1", "--trials", "1", "--out", str(out)], tmp_path / "log")
    assert ended(run) == RunStatus("finished", 1.0, "", "")
    assert out.is_file()


def test_a_wrong_option_is_the_commands_own_sentence(tmp_path: Path) -> None:
    run = BackgroundRun(["table2", "--data", str(tmp_path / "none")], tmp_path / "log")
    status = ended(run)
    assert status.state == "failed"
    assert status.detail.endswith("give a Parquet file, a folder of Parquet files, or a folder "
                                  "with one subfolder a class.")  # fmt: skip


def test_progress_is_read_from_the_bar(tmp_path: Path) -> None:
    run = BackgroundRun(["models"], tmp_path / "log")
    ended(run)
    bars = "\rtable2:   0.0% |    | 00:00, ? left\rtable2:  45.5% |██  | 00:10, 00:12 left, 5 of 11"
    (tmp_path / "log").write_text(bars)
    run._process = type("Alive", (), {"poll": lambda self: None})()  # type: ignore[assignment]
    assert run.status() == RunStatus("running", 0.455, "00:12", "5 of 11")


def make_folder(folder: Path) -> Path:
    images = make_images(8)
    for name, label, encoded in zip(images.names, images.labels, images.encoded, strict=True):
        file = folder / CLASSES[label] / name
        file.parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(encoded, bytes)
        file.write_bytes(encoded)
    return folder


def test_one_at_a_time_and_cancelled(tmp_path: Path) -> None:
    place = OneRun()
    long_run = ["table1", "--trials", "100000", "--out", str(tmp_path / "long.parquet")]
    run = place.start(long_run, tmp_path / "log")
    with pytest.raises(UserError, match="Another run is going on"):
        place.start(["models"], tmp_path / "other")
    place.forget()
    assert place.current is run, "a run that goes on is not forgotten"
    run.cancel()
    assert run.status().state == "cancelled"
    assert not (tmp_path / "long.parquet").exists()
    place.forget()
    assert place.current is None


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"work cannot be written .*; set XDNN_DATA"):
        OneRun().start(["models"], tmp_path / "file" / "work" / "messages.log")


def test_only_what_lies_in_the_operators_folder_is_offered(tmp_path: Path) -> None:
    offered, outside = tmp_path / "offered", tmp_path / "outside"
    make_folder(offered / "small")
    outside.mkdir()
    (offered / "a.parquet").write_bytes(b"")
    (offered / "notes.txt").write_text("")
    (offered / ".hidden").mkdir()
    (offered / "leads_out").symlink_to(outside)
    assert image_sets_in(offered) == {
        "a.parquet": offered / "a.parquet", "small": offered / "small",
    }  # fmt: skip
    assert image_sets_in(tmp_path / "none") == {}


def test_published_figures_have_the_shape_of_ours() -> None:
    assert [title for title, _, _ in TABLE2][::2] == ["AlexNet", "VGG16", "ResNet-50"]
    for methods in TABLE3.values():
        assert set(methods) <= set(QUALITY_METHODS)
        assert all(len(values) == len(TABLE3_METRICS) for values in methods.values())
    assert TABLE3["X-AlexNet"]["fast"][:2] == TABLE3["X-AlexNet"]["ig"][:2]
