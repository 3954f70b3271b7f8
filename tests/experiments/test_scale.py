"""Real commands in processes of their own: killed and resumed, shared between two."""

import io
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image

from tests.experiments.small_pair import CLASSES, make_images
from xdnn_core.cli import main
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.experiments.table2 import load_table2
from xdnn_core.models.checkpoints import save_embedded
from xdnn_core.models.networks import AlexNet, NetworkConfig

ROOT = Path(__file__).parents[2]
IMAGES = 24


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an image set, one file of it broken, and two small networks."""
    folder = tmp_path_factory.mktemp("small")
    images = make_images(IMAGES, broken=3)
    for name, label, encoded in zip(images.names, images.labels, images.encoded, strict=True):
        file = folder / "set" / CLASSES[label] / name
        file.parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(encoded, bytes)
        file.write_bytes(encoded)
    for biases in (True, False):
        torch.manual_seed(3)
        save_embedded(
            folder / f"{'' if biases else 'x'}small.safetensors",
            AlexNet(NetworkConfig(classes=len(CLASSES), head=8, biases=biases)),
            title="Small", classes=CLASSES, preprocessing=Preprocessing(size=64, resize=64),
            top1=0.0, top5=0.0, recipe={},
        )  # fmt: skip
    return folder


def options(folder: Path, work: Path, out: str) -> list[str]:
    networks = [str(folder / f"{name}.safetensors") for name in ("small", "xsmall")]
    return [
        "table2", "--data", str(folder / "set"), "--network", *networks, "--steps", "16",
        "--batch", "2", "--device", "cpu", "--work", str(work), "--out", str(work.parent / out),
    ]  # fmt: skip


def start(arguments: Sequence[str], launcher: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start a command as a user would, at a time that is given so that results can be the same."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SOURCE_DATE_EPOCH": "0"}
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "xdnn_core", *arguments],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: subprocess.Popen[bytes]) -> str:
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    return printed.decode()


@pytest.fixture(scope="module")
def undisturbed(small: Path) -> Path:
    """What an uninterrupted run writes."""
    work = small / "undisturbed" / "work"
    finish(start(options(small, work, "table2.parquet")))
    return work.parent


def wait_for_blocks(process: subprocess.Popen[bytes], work: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while len(list(work.glob("images-*.parquet"))) < count:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_killed_three_times_it_writes_the_same_bytes(small: Path, undisturbed: Path) -> None:
    work = small / "killed" / "work"
    seed = time.time_ns()  # other moments in every run of the tests
    print(f"seed of the moments: {seed}")  # shown when it fails
    moments = random.Random(seed)
    for least in (1, 4, 7):
        process = start(options(small, work, "table2.parquet"))
        wait_for_blocks(process, work, least)
        time.sleep(moments.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert not (work.parent / "table2.parquet").exists()
    kept = {file: file.stat().st_mtime_ns for file in work.glob("images-*.parquet")}
    finish(start(options(small, work, "table2.parquet")))
    assert {file: file.stat().st_mtime_ns for file in kept} == kept, "no finished block again"
    for name in ("table2.parquet", "table2.json"):
        assert (work.parent / name).read_bytes() == (undisturbed / name).read_bytes()


def test_two_processes_give_the_table_of_one(small: Path, undisturbed: Path) -> None:
    work = small / "two" / "work"
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2"]
    printed = finish(start(options(small, work, "table2.parquet"), launcher))
    assert printed.count("Written to") == 1, "the first process reports, the other is silent"
    assert (work.parent / "table2.parquet").read_bytes() == (
        undisturbed / "table2.parquet"
    ).read_bytes()


def test_images_that_cannot_be_read_are_counted_and_named(undisturbed: Path) -> None:
    rows, table = load_table2(undisturbed / "table2.parquet")
    assert table.unreadable == ("d/3.png",)
    assert table.provenance.images == IMAGES - 1
    assert len(rows) == 2 * (IMAGES - 1)


@pytest.mark.parametrize("batch", [1, 5])
def test_the_batch_changes_rounding_only(small: Path, undisturbed: Path, batch: int) -> None:
    work = small / f"batch{batch}" / "work"
    assert main([*options(small, work, "table2.parquet"), "--batch", str(batch)]) == 0
    found, wanted = (
        load_table2(folder / "table2.parquet")[0].sort_values(["network", "image"])
        for folder in (work.parent, undisturbed)
    )
    for column in ("rank", "l1_integrated", "bias_part", "half_distance"):
        assert found[column].to_list() == pytest.approx(wanted[column].to_list(), rel=1e-4)


def refused(small: Path, capsys: pytest.CaptureFixture[str], *given: str) -> str:
    """The sentence with which a run is refused; nothing was computed."""
    work = small / "refused" / "work"
    assert main([*options(small, work, "table2.parquet"), *given]) == 2
    assert not work.exists(), "refused before any work"
    return capsys.readouterr().err


def test_bad_input_is_one_sentence_before_any_work(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no images; needed is one subfolder a class" in refused(
        small, capsys, "--data", str(tmp_path / "empty")
    )
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG")
    for name in ("a", "b", "c", "e"):
        file = tmp_path / "other" / name / "1.png"
        file.parent.mkdir(parents=True)
        file.write_bytes(buffer.getvalue())
    assert "class 3 is 'd' there and 'e' in the image set" in refused(
        small, capsys, "--data", str(tmp_path / "other")
    )
    pd.DataFrame({"picture": [1]}).to_parquet(tmp_path / "test-0.parquet")
    assert "has the columns picture; needed are image (with bytes and path) and label" in refused(
        small, capsys, "--data", str(tmp_path / "test-0.parquet")
    )
    assert "--steps is 0; give 1 or more gradient calls." in refused(small, capsys, "--steps", "0")
    assert "--limit is -1" in refused(small, capsys, "--limit", "-1")
    assert "There is no model 'resnet'" in refused(small, capsys, "--network", "resnet")
