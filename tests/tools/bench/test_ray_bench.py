"""The pieces of ``bench ray``: what is timed, how it is scaled, what is printed."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.experiments.small_pair import make_pair
from tools.bench import ray as bench
from tools.bench.__main__ import main
from tools.bench.ray import RayReport, rows_of
from xdnn_core.experiments.convergence import measure_convergence
from xdnn_core.experiments.convergence_result import REFERENCES
from xdnn_core.models.zoo import PretrainedModel

CPU = torch.device("cpu")


@pytest.fixture
def pair() -> list[PretrainedModel]:
    return make_pair()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(1, 3, 64, 64)


def test_what_is_timed_computes_the_same_as_the_sweep(
    pair: list[PretrainedModel], x: Tensor
) -> None:
    """On an X-DNN every rule is exact, so few points will do."""
    xdnn = pair[1]
    swept = bench._maps(bench.ray_sweep(xdnn.network, x, 1, cells=20, route="sweep"))
    for method in (bench.by_captum(4, 3), bench.by_us("gauss_legendre", 3)):
        found = torch.stack([one[0].sum(dim=0) for one in bench.one_by_one(method, xdnn, x, 1)])
        torch.testing.assert_close(found, swept, rtol=0, atol=1e-2 * float(swept.abs().max()))


def test_times_at_three_contrasts_are_scaled_to_all(
    pair: list[PretrainedModel], x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(bench, "ray_sweep", lambda *given, **options: calls.append("sweep"))
    monkeypatch.setattr(
        bench, "ONE_BY_ONE", {"Captum": lambda *given: calls.append("captum") or torch.zeros(1)}
    )
    monkeypatch.setattr(bench, "interleaved_seconds", lambda works, repeats, device: [
        [1.0, 0.2, 0.1, 3.0][number] for number, work in enumerate(works) if not work() or True
    ])  # fmt: skip
    found = bench.time_contrasts(*pair, x, 1, repeats=1)
    assert found[bench.SWEEP] == 1
    assert found["Captum"] == pytest.approx(31.0)
    assert calls.count("captum") == 2 * len(bench.TIMED_STOPS)


def test_errors_of_sweep_and_captum(
    pair: list[PretrainedModel], x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "REFERENCE_CELLS", 24)
    monkeypatch.setattr(bench, "STEPS", 20)
    monkeypatch.setattr(bench, "by_captum", lambda rows: bench.by_us("graded", 12))
    found = bench.errors_at_stops(pair[0], x, 1)
    assert list(found) == [bench.SWEEP, bench.CAPTUM]
    for errors in found.values():
        assert len(errors) == 3
        assert 0 < min(errors) < max(errors) < 0.5


SECONDS = {
    bench.SWEEP: 4.0, bench.COARSE: 0.9, bench.SCALING: 0.05, bench.CAPTUM: 120.0,
    bench.CAPTUM_16: 100.0, bench.OURS: 56.0,
}  # fmt: skip


def test_the_table_is_made_of_ratios() -> None:
    found = [(row.measured, row.target, row.verdict) for row in rows_of(SECONDS, 1540, 3340, 340)]
    assert found == [
        (30, 20.0, "met"),
        (25, None, ""),
        (14, 15.0, "NOT met"),
        (pytest.approx(0.4), 0.45, "met"),
        (pytest.approx(1540 / 3340), None, ""),
    ]


@pytest.fixture
def report() -> RayReport:
    return RayReport(
        "CPU", 2, "camera", 3, SECONDS, 168, {bench.SWEEP: [0.01, 0.02, 0.03]}, 1540, 3340, 340,
        31.0,
    )  # fmt: skip


def test_everything_measured_is_printed(report: RayReport) -> None:
    text = report.text()
    for name in SECONDS:
        assert name in text
    assert "scaled to 31" in text
    assert "168 gradient calls" in text
    assert "3,340" in text
    assert "2.00%" in text
    assert text.count("NOT met") == 1
    assert all(len(line) <= 100 for line in text.splitlines())


def test_the_command_prints_and_writes(
    report: RayReport,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[tuple[str, torch.device, int]] = []

    def measure(image: str, device: torch.device, repeats: int) -> RayReport:
        asked.append((image, device, repeats))
        return report

    monkeypatch.setattr(bench, "measure", measure)
    file = tmp_path / "out.json"
    options = ["--device", "cpu", "--repeats", "2", "--image", "mug", "--json", str(file)]
    assert main(["ray", *options]) == 0
    assert asked == [("mug", CPU, 2)]
    assert capsys.readouterr().out == report.text() + "\n"
    assert json.loads(file.read_text())["seconds"] == SECONDS
    assert main(["ray", "--repeats", "0"]) == 2
    assert "--repeats is 0; give 1 or more" in capsys.readouterr().err


def test_everything_is_measured_in_one_run(
    pair: list[PretrainedModel], x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {bench.PLAIN: pair[0], bench.XDNN: pair[1]}
    monkeypatch.setattr(bench, "load_model", lambda name, device: models[name])
    monkeypatch.setattr(bench, "photographs", lambda *given: (x, torch.tensor([1])))
    monkeypatch.setattr(bench, "time_contrasts", lambda *given: SECONDS)
    monkeypatch.setattr(bench, "errors_at_stops", lambda *given: {})
    monkeypatch.setattr(
        bench, "measure_convergence",
        lambda *given, **options: measure_convergence(
            *given, **options, counts=(1, 2), reference="quick"
        ),
    )  # fmt: skip
    report = bench.measure("camera", CPU, 1)
    assert report.sweep_calls == 168
    assert report.reference_calls == REFERENCES["quick"][1]
    assert report.convergence_calls < report.separate_calls
    assert report.table()[0].measured == 30
