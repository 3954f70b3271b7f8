"""The ONNX benchmark, from the command line."""

import json
from pathlib import Path

import pytest

from tools.bench.__main__ import main
from tools.bench.onnx import OnnxReport


def test_the_report_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "onnx.json"
    options = ["--networks", "squeezenet1_1", "--repeats", "1", "--json", str(file)]
    assert main(["onnx", *options]) == 0
    values = json.loads(file.read_text())
    (row,) = values.pop("rows")
    report = OnnxReport(**values)
    both, alone = report.seconds["squeezenet1_1"]
    assert row["measured"] == both / alone
    assert report.apart["squeezenet1_1"] < 1e-3
    assert report.text() in capsys.readouterr().out


def test_a_missed_target_is_said() -> None:
    report = OnnxReport("CPU", 1, "one", 1, {"a": (4.0, 1.0)}, {"a": (1.0, 1.0)}, {"a": 0.0})
    assert "NOT met" in report.text()
