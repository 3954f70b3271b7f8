"""The pieces of ``bench attribution``: what is timed, how steps are chosen, what is printed."""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tools.bench import attribution as bench
from tools.bench.__main__ import BENCHMARKS, main
from tools.bench.attribution import METHODS, AttributionReport, fewest_steps, rows_of
from tools.bench.report import Row
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.errors import UserError
from xdnn_core.experiments.measuring import in_fresh_process, interleaved_seconds, peak_extra_bytes
from xdnn_core.models.networks import AlexNet, NetworkConfig
from xdnn_core.models.zoo import ModelCard, PretrainedModel

CPU = torch.device("cpu")


@pytest.fixture
def model() -> PretrainedModel:
    network = AlexNet(NetworkConfig(classes=4, head=8, biases=False)).eval()
    card = ModelCard(
        name="made", title="Made", top1=None, top5=None, classes=4, size_bytes=0,
        source="a test", is_xdnn=True, installed=True,
    )  # fmt: skip
    return PretrainedModel(network, list("abcd"), Preprocessing(size=72, resize=72), card)


def test_calls_are_made_in_turns() -> None:
    order: list[str] = []
    works = [lambda: order.append("a"), lambda: order.append("b")]
    seconds = interleaved_seconds(works, 3, CPU)
    assert order == ["a", "b"] * 3
    assert len(seconds) == 2
    assert min(seconds) >= 0


def test_the_median_time_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    now, seconds = [0.0], iter([5.0, 1.0, 2.0])
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def work() -> None:
        now[0] += next(seconds)

    assert interleaved_seconds([work], 3, CPU) == [2.0]


def hold(mebibytes: int) -> float:
    """Hold so many MiB for a moment; for a process of its own."""
    return peak_extra_bytes(lambda: torch.ones(mebibytes, 2**20, dtype=torch.uint8), CPU) / 2**20


def test_peak_memory_is_that_of_the_call() -> None:
    found = in_fresh_process(hold, 96)
    assert 90 < found < 130


def test_memory_that_is_already_held_does_not_count() -> None:
    held = torch.ones(64, 2**20, dtype=torch.uint8)
    assert peak_extra_bytes(lambda: held.max(), CPU) < 32 * 2**20


def test_a_kernel_without_a_peak_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("xdnn_core.experiments.measuring._RESET", tmp_path / "none" / "clear_refs")
    with pytest.raises(UserError, match="run this on Linux"):
        peak_extra_bytes(int, CPU)


def test_what_is_timed_computes_the_same(model: PretrainedModel) -> None:
    """On an X-DNN all of them are X-Gradient."""
    x, target = bench.photographs(model, "rocket", 2)
    expected = bench.by_x_gradient(model, x, target)
    size = float(expected.abs().max())
    for method in [bench.by_us("graded", 5), bench.by_captum(3, 5), bench.by_captum(None, 5)]:
        found = method(model, x, target)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-2 * size)
    assert set(METHODS) == {bench.OURS, bench.CAPTUM, bench.CAPTUM_16}


def test_photographs_go_round_the_gallery(model: PretrainedModel) -> None:
    inputs, target = bench.photographs(model, "flower", 3)
    assert inputs.shape == (3, 3, 72, 72)
    assert torch.equal(target, model.network(inputs).argmax(dim=1))
    alone, _ = bench.photographs(model, "rooster", 1)
    assert torch.equal(inputs[1:2], alone)
    with pytest.raises(UserError, match="'unicorn' is not in the gallery; choose one of rooster"):
        bench.photographs(model, "unicorn", 1)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ({160: 1, 152: 2, 144: 3, 136: 4}, 152),
        ({160: 1, 152: 3, 144: 1, 136: 1}, 160),  # a lucky small number does not count
        ({160: 3, 152: 1, 144: 1, 136: 1}, None),
        ({160: 1, 152: 1, 144: 1, 136: 2}, 136),
    ],
)
def test_fewest_steps(errors: dict[int, float], expected: int | None) -> None:
    assert fewest_steps(errors.__getitem__, 2, errors) == expected


def test_verdicts() -> None:
    assert Row("time", 0.75, 0.75).verdict == Row("speed", 70, 70, at_least=True).verdict == "met"
    assert Row("time", 0.76, 0.75).verdict == Row("speed", 69, 70, at_least=True).verdict
    assert Row("time", 0.76, 0.75).verdict == "NOT met"
    assert Row("memory", 3.0).verdict == ""


SECONDS = {
    bench.OURS: 3.0, bench.CAPTUM: 6.0, bench.CAPTUM_16: 4.0, "ours, graded, 104 steps": 2.4,
    "X-Gradient, batch of 1": 0.05, "Captum on X-AlexNet, batch of 1": 6.0,
    "X-Gradient, batch of 16": 0.8, "Captum on X-AlexNet, batch of 16": 64.0,
}  # fmt: skip
MEMORY = {bench.OURS: 200 * 2**20, bench.CAPTUM: 800 * 2**20, bench.CAPTUM_16: 100 * 2**20}


def test_the_table_is_made_of_ratios() -> None:
    found = [(row.measured, row.target, row.verdict) for row in rows_of(SECONDS, MEMORY, 104)]
    assert found == [
        (0.5, 0.75, "met"),
        (0.75, 0.75, "met"),
        (0.25, 0.4, "met"),
        (2.0, None, ""),
        (pytest.approx(0.4), 0.6, "met"),
        (pytest.approx(120), 70.0, "met"),
        (pytest.approx(80), 90.0, "NOT met"),
    ]


def test_no_number_of_steps_that_matches_is_not_met() -> None:
    graded = rows_of(SECONDS, MEMORY, None)[4]
    assert graded.verdict == "NOT met"
    assert "over 160 steps" in graded.what


@pytest.fixture
def report() -> AttributionReport:
    per_second = {name: 1 / found for name, found in SECONDS.items()}
    return AttributionReport("CPU", 2, "camera", 5, SECONDS, per_second, MEMORY, 0.0118, 104)


def test_everything_measured_is_printed(report: AttributionReport) -> None:
    text = report.text()
    for name in SECONDS:
        assert name in text
    for row in report.table():
        assert row.what in text
    assert "200" in text
    assert "1.18%" in text
    assert text.count("NOT met") == 1
    assert all(len(line) <= 100 for line in text.splitlines())


def test_the_command_prints_and_writes(
    report: AttributionReport,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[tuple[str, torch.device, int]] = []

    def measure(image: str, device: torch.device, repeats: int) -> AttributionReport:
        asked.append((image, device, repeats))
        return report

    monkeypatch.setattr(bench, "measure", measure)
    options = ["--device", "cpu", "--repeats", "3", "--image", "mug"]
    file = tmp_path / "out.json"
    assert main(["attribution", *options, "--json", str(file)]) == 0
    assert asked == [("mug", CPU, 3)]
    assert capsys.readouterr().out == report.text() + "\n"
    written = json.loads(file.read_text())
    assert written["seconds"] == SECONDS
    assert written["rows"][0] == {
        "what": report.table()[0].what, "measured": 0.5, "target": 0.75, "at_least": False,
    }  # fmt: skip


def test_repeats_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attribution", "--repeats", "0"]) == 2
    assert "--repeats is 0; give 1 or more" in capsys.readouterr().err


def test_an_unknown_device_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attribution", "--device", "toaster"]) == 2
    assert "'toaster' is not known" in capsys.readouterr().err


def test_the_benchmark_must_be_one_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unicorn"]) == 2
    assert "attribution  Integrated Gradients and X-Gradient" in capsys.readouterr().err


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([name, "-h"])
    assert left.value.code == 0
    assert f"python -m tools.bench {name}" in capsys.readouterr().out


def test_timing_covers_every_method(
    model: PretrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "METHODS", {bench.OURS: bench.by_us("midpoint", 2)})
    x, target = bench.photographs(model, "rocket", 1)
    found = bench.time_integration(model, x, target, 3, repeats=1)
    assert list(found) == [bench.OURS, "ours, graded, 3 steps"]
    assert min(found.values()) > 0


def test_x_gradient_is_timed_against_captum(
    model: PretrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int | None, int]] = []

    def captum(rows: int | None, steps: int = 128) -> Callable:
        asked.append((rows, steps))
        return lambda *_: time.sleep(0.01)

    monkeypatch.setattr(bench, "by_captum", captum)
    for count, rows in ((1, None), (2, bench.CPU_ROWS)):
        asked.clear()
        fast, slow = bench.time_x_gradient(
            model, *bench.photographs(model, "rocket", count), repeats=2
        )
        assert fast > 0
        assert slow >= 0.01
        assert asked == [(rows, 8), (rows, 128), (rows, 128)]


def test_matching_steps_uses_the_measured_errors(
    model: PretrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An X-DNN is exact at every number of steps, up to rounding."""
    monkeypatch.setattr(bench, "REFERENCE_STEPS", 8)
    monkeypatch.setattr(bench, "CANDIDATE_STEPS", (6, 4))
    monkeypatch.setattr(
        bench, "METHODS", {bench.CAPTUM: lambda m, x, t: 1.01 * bench.by_x_gradient(m, x, t)}
    )
    error, steps = bench.matching_steps(model, *bench.photographs(model, "rocket", 1))
    assert error == pytest.approx(0.01, abs=2e-3)
    assert steps == 4


def test_options_have_sensible_defaults() -> None:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    given = parser.parse_args([])
    assert (given.device, given.image, given.json) == (None, "camera", None)
    assert given.repeats >= 3
