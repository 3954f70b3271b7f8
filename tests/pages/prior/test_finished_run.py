"""The finished run that comes with the app: the charts are never empty."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.prior_parts.controls import _DEFAULT
from pages.prior_parts.finished import FILE, MAX_BYTES, finished_run, shown_until_start
from pages.prior_parts.store import RunStore
from tests.pages.conftest import OpenPage, everything, press
from tests.pages.prior.test_runs import SNAPSHOT
from tools import finished_run as tool
from tools.finished_run import CONFIG, train

SMALL = {"methods": "X-Gradient", "layers": "8, 4", "replicates": "2", "epochs": "2"}
LABEL = "**A finished run, stored with the app**: NHEFS"
RECIPE = "smokers, 100 epochs, λ 0.1, 8 replicates; made by `python -m tools.finished_run` on "


def is_shown(app: AppTest) -> bool:
    """Whether the stored run is on screen; it is always labelled, its charts to the blind too."""
    assert not app.exception
    sent = everything(app)
    shown = any(caption.value.startswith(LABEL) for caption in app.caption)
    assert shown == (RECIPE in sent)
    assert shown == ("Training loss against the epoch, of the stored run" in sent)
    assert shown == ("Of the stored run." in sent)
    return shown


def test_the_file_is_small_and_strict_and_holds_no_test_score() -> None:
    assert FILE == tool.FILE
    assert FILE.stat().st_size < MAX_BYTES

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    values = json.loads(FILE.read_text(encoding="utf-8"), parse_constant=refuse)
    assert values["command"] == "python -m tools.finished_run"
    run = finished_run().run
    assert run.config == CONFIG == replace(_DEFAULT, epochs_per_second=None)
    assert run.epoch == CONFIG.epochs
    assert not run.test_revealed
    assert all(math.isnan(curve.test_auc) for curve in run.curves)


def test_the_code_makes_the_same_run_today() -> None:
    """As stored, six digits, on the CPU that made it; on another, float32 parts them in time."""
    trained, stored = train().curves, finished_run().run.curves
    assert [curve.method for curve in trained] == [curve.method for curve in stored]
    for now, then in zip(trained, stored, strict=True):
        assert now.strengths == then.strengths
        for name in ("auc_mean", "auc_low", "auc_high", "loss", "penalty", "gini"):
            ours, theirs = getattr(now, name), getattr(then, name)
            assert ours[:20] == pytest.approx(theirs[:20], abs=1e-4), name
            assert ours == pytest.approx(theirs, abs=0.02), name
        assert now.best_validation_auc == pytest.approx(then.best_validation_auc, abs=0.005)
        assert now.top_features[0].name == then.top_features[0].name


def test_it_is_shown_until_the_first_run_of_the_session(open_page: OpenPage) -> None:
    st.cache_resource.clear()  # all tests are one session to it
    app = open_page("prior_training", **SMALL)
    assert is_shown(app)
    assert "Start: trained with cross-entropy + 0.1 × penalty" in everything(app)
    press(app, "Step")
    assert not is_shown(app)
    press(app, "Reset")
    assert not is_shown(app)


def test_a_kept_run_laid_over_hides_it(open_page: OpenPage) -> None:
    st.cache_resource.clear()
    app = open_page("prior_training", **SMALL)
    RunStore(owner="0" * 32).keep(SNAPSHOT, "mine")
    app.run()
    assert is_shown(app)
    app.checkbox[0].check().run()
    assert not is_shown(app)
    app.checkbox[0].uncheck().run()
    assert is_shown(app)


def test_it_is_not_shown_for_another_cohort() -> None:
    ready = replace(SNAPSHOT, state="ready", epoch=0, curves=(), marks=())
    assert shown_until_start(ready, []) is finished_run()
    assert shown_until_start(replace(ready, cohort="csv"), []) is None
