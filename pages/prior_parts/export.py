"""Kept runs as files, and in words how their λ was chosen."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Final

from pages.prior_parts.kept_run import KeptRun, run_values
from xdnn_core.priors.live_state import Snapshot

_CSV_COLUMNS: Final = (
    "run", "cohort", "method", "epoch", "strength", "validation_auc_mean", "validation_auc_low",
    "validation_auc_high", "loss", "penalty", "gini", "test_auc", "test_band", "test_note",
)  # fmt: skip


def reveal_note(run: Snapshot | KeptRun) -> str:
    """Whether the test ROC-AUC of a run was seen, and whether λ moved after that."""
    if run.moved_after_reveal is None:
        return "kept by an earlier version, which always showed the test ROC-AUC"
    if run.test_revealed:
        moved = "moved" if run.moved_after_reveal else "did not move"
        return f"λ {moved} after the test ROC-AUC was revealed"
    if run.moved_after_reveal:
        return "test ROC-AUC not revealed, but λ moved after that of an earlier run was"
    return "test ROC-AUC not revealed"


def run_to_json(run: KeptRun) -> str:
    """A run with its whole configuration as JSON; what is not defined is null."""
    values = run_values(run) | {"test_note": reveal_note(run)}
    return json.dumps(values, allow_nan=False, ensure_ascii=False, indent=1)


def run_to_csv(run: KeptRun) -> str:
    """A run's curves as CSV, one line a method and epoch; what is not defined is empty."""
    file = io.StringIO()
    name, cohort = _plain(run.name), _plain(run.cohort_title)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for curve in run.curves:
        for i, epoch in enumerate(curve.epochs):
            numbers = (
                curve.strengths[i], curve.auc_mean[i], curve.auc_low[i], curve.auc_high[i],
                curve.loss[i], curve.penalty[i], curve.gini[i], curve.test_auc, curve.test_band,
            )  # fmt: skip
            cells = ["" if math.isnan(number) else repr(number) for number in numbers]
            writer.writerow([name, cohort, curve.method, epoch, *cells, reveal_note(run)])
    return file.getvalue()


def _plain(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
