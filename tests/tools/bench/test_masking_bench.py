"""The masking benchmark: both ways give the same curves, and the report says how fast."""

import json
from pathlib import Path

import pytest
import torch

from tests.experiments.small_pair import make_pair
from tools.bench import masking
from tools.bench.__main__ import main
from tools.bench.masking import MaskingReport, curve_one_by_one
from xdnn_core.metrics.masking import MASKING_METRICS, masking_curve


@pytest.mark.parametrize("name", MASKING_METRICS)
def test_both_ways_give_the_same_curve(name: str) -> None:
    model, metric = make_pair(torch.float64)[0], MASKING_METRICS[name]
    image = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    attribution = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    attribution[:, :, :10] = 0  # pixels that no order ranks
    wanted = masking_curve(model.network, image, torch.tensor([2]), attribution, metric)[0]
    found = curve_one_by_one(model, image, 2, attribution, metric)
    assert found.tolist() == pytest.approx(wanted.tolist(), rel=1e-9)


def test_the_report_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masking, "load_model", lambda name, device: make_pair()[0])
    file = tmp_path / "masking.json"
    options = ["--device", "cpu", "--images", "1", "--repeats", "1", "--json", str(file)]
    assert main(["masking", *options]) == 0
    values = json.loads(file.read_text())
    rows = values.pop("rows")
    report = MaskingReport(**values)
    assert rows[0]["measured"] == report.one_by_one / report.together
    assert report.apart < 1e-3
    assert set(report.by_metric) == set(MASKING_METRICS)
    assert report.text() in capsys.readouterr().out


def test_a_missed_target_is_said() -> None:
    report = MaskingReport("CPU", 2, "4 photographs", 5, 1.0, 1.5, {}, 0.0)
    assert "NOT met" in report.text()
