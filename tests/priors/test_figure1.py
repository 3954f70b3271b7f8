"""Figure 1: training, summary, and file."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.priors.small_cohorts import make_cohort
from xdnn_core.errors import UserError
from xdnn_core.experiments import figure1
from xdnn_core.experiments.figure1_differences import FIGURE_METHODS, PAPER
from xdnn_core.experiments.figure1_summary import (
    load_results,
    save_results,
    strength_scores,
    summarise,
)
from xdnn_core.experiments.figure1_text import caveats, describe, summary_sentence

CPU = torch.device("cpu")
MEANS = {
    "none": 0.70, "none_without_bias": 0.69, "rrr": 0.71, "gradient": 0.72,
    "expected_gradients:1": 0.75, "x_gradient": 0.74, "expected_gradients:2": 0.76,
}  # fmt: skip


def made_results(replicates: int = 4) -> pd.DataFrame:
    """Test scores of mean MEANS at the strength that validation prefers.

    Replicates are up to 0.015 apart, alike for all methods; two methods differ by 0.001 more or
    less in every other replicate.
    """
    rows = []
    for number, (key, mean) in enumerate(MEANS.items()):
        name, _, samples = key.partition(":")
        strengths = [0.0] if name.startswith("none") else [0.1, 1.0]
        if key == "expected_gradients:2":
            strengths = [1.0]
        for strength in strengths:
            for replicate in range(replicates):
                wobble = 0.01 * (replicate - (replicates - 1) / 2)
                wobble += 0.0005 * number * (-1) ** replicate
                rows.append(
                    {
                        "method": name,
                        "samples": int(samples or 0),
                        "strength": strength,
                        "replicate": replicate,
                        "validation_auc": 0.6 + 0.1 * strength,
                        "test_auc": mean + wobble if strength != 0.1 else 0.99,
                        "gini": 0.5,
                    }
                )
    return pd.DataFrame(rows)


def test_both_panels_at_the_strength_validation_chose() -> None:
    figure = summarise(made_results(), make_cohort(), CPU)
    assert [score.method for score in figure.methods] == list(FIGURE_METHODS)
    assert [score.samples for score in figure.references] == [1, 2]
    x = figure.methods[-1]
    assert (x.strength, x.replicates, x.undefined) == (1.0, 4, 0)
    assert x.mean == pytest.approx(0.74)
    spread = np.std([-0.0125, -0.0075, 0.0075, 0.0125], ddof=1)
    assert x.two_sem == pytest.approx(2 * spread / 2)
    assert x.gain is not None
    assert x.gain.value == pytest.approx(0.04)
    half = 3.182446 * np.std([0.0025, -0.0025] * 2, ddof=1) / 2  # Student's t, 3 degrees
    assert (x.gain.low, x.gain.high) == pytest.approx((0.04 - half, 0.04 + half))
    assert figure.methods[0].gain is None
    assert figure.strengths == (0.1, 1.0)
    assert x.paper == PAPER["x_gradient"]
    assert figure.methods[2].paper is None  # the paper's RRR was not published as a number


def test_says_which_cohort_what_is_sure_and_where_the_order_differs() -> None:
    cohort = make_cohort()
    figure = summarise(made_results(), cohort, CPU)
    said = caveats(figure)
    assert "not on the paper's NHANES I matrix" in said[0]
    rest = len(cohort) - 2 * figure.train_rows
    share = f"{100 * rest / len(cohort):.0f} %"
    assert f"tests on {rest:,}, of whom any other replicate tests on about {share} too" in said[1]
    # Five printed numbers, and X-Gradient above RRR and Gradient.
    assert "The paper gives the order of 12 pairs of these methods." in said[3]
    assert said[4] == (
        "The paper has X-Gradient above every other method of its left panel. Here the mean is "
        "higher for Expected Gradients (k = 1) +0.0100 (+0.0091 to +0.0109)."
    )
    assert summary_sentence(figure) == (
        "**Expected Gradients (k = 2)** has the highest mean, **0.760**, +0.0600 (+0.0545 to "
        "+0.0655) over no prior; all other methods are told apart from it (paired t tests, "
        "Bonferroni-corrected for 6 comparisons, 5 %). **X-Gradient**, which takes one gradient: "
        "**0.740**, +0.0400 (+0.0354 to +0.0446) over no prior."
    )


def test_replicates_without_a_score_are_counted() -> None:
    results = made_results()
    at = (results["method"] == "none") & (results["replicate"] == 0)
    results.loc[at, ["test_auc", "validation_auc"]] = np.nan
    figure = summarise(results, make_cohort(), CPU)
    assert (figure.methods[0].replicates, figure.methods[0].undefined) == (3, 1)
    said = "No prior: 1 of 4 replicates have no ROC-AUC and are left out"
    assert any(note.startswith(said) for note in caveats(figure))
    gain = figure.methods[-1].gain
    assert gain is not None
    assert (gain.replicates, gain.left_out) == (3, 1), "left out with its partner"


def test_scores_at_every_strength_of_the_methods_that_have_several() -> None:
    results = made_results(3)
    at = (results["method"] == "x_gradient") & (results["strength"] == 1.0)
    results.loc[at & (results["replicate"] == 1), "test_auc"] = np.nan
    scores = strength_scores(results)
    keys = ["expected_gradients:1", "gradient", "rrr", "x_gradient"]
    assert [(score.method, score.strength) for score in scores] == [
        (key, strength) for key in keys for strength in (0.1, 1.0)
    ]
    low, high = scores[-2:]
    assert (low.title, low.replicates) == ("X-Gradient", 3)
    assert (low.mean, low.two_sem) == (pytest.approx(0.99), pytest.approx(0.0, abs=1e-12))
    assert high.mean == pytest.approx(0.74 + 0.0005 * 5)
    assert high.two_sem == pytest.approx(2 * 0.01)
    assert (high.replicates, high.undefined) == (2, 1)


def test_no_score_at_all_is_said() -> None:
    results = made_results().assign(test_auc=np.nan, validation_auc=np.nan)
    figure = summarise(results, make_cohort(), CPU)
    assert summary_sentence(figure) == "No replicate has a ROC-AUC."
    assert {order.verdict for order in figure.orders} == {"open"}


def test_the_file_holds_results_and_summary(tmp_path: Path) -> None:
    results = made_results()
    figure = summarise(results, make_cohort(), CPU)
    path = tmp_path / "figure1.parquet"
    save_results(path, results, figure)
    again, loaded = load_results(path)
    pd.testing.assert_frame_equal(again, results)
    assert describe(loaded) == describe(figure)
    assert loaded.methods[0] == figure.methods[0]
    results.to_parquet(tmp_path / "other.parquet")
    with pytest.raises(UserError, match="no result of figure1"):
        load_results(tmp_path / "other.parquet")
    (tmp_path / "cut.parquet").write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="not a readable Parquet file"):
        load_results(tmp_path / "cut.parquet")
    with pytest.raises(UserError, match="is not there"):
        load_results(tmp_path / "none.parquet")


def figure1_strength(path: Path) -> float:
    return load_results(path)[1].references[-1].strength


def test_the_command_trains_writes_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = make_cohort(rows=60, features=3)
    table = pd.DataFrame(cohort.features, columns=["a", "b", "c"])
    table.assign(died=cohort.labels.astype(int)).to_csv(tmp_path / "mine.csv", index=False)
    parser = argparse.ArgumentParser()
    figure1.add_arguments(parser)
    options = [
        "--cohort", str(tmp_path / "mine.csv"), "--outcome", "died", "--replicates", "2",
        "--epochs", "2", "--references", "2", "--device", "cpu", "--work", str(tmp_path / "work"),
        "--out", str(tmp_path / "figure.parquet"),
    ]  # fmt: skip
    assert figure1.main(parser.parse_args(options)) == 0
    printed = capsys.readouterr().out
    assert "mine: died = 1, 60 people, 3 features, 2 replicates" in printed
    blocks = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").glob("*.parquet")}
    assert len(blocks) == 2 + 4 * 5 + 1
    assert figure1.main(parser.parse_args(options)) == 0
    assert {path: path.stat().st_mtime_ns for path in blocks} == blocks
    assert capsys.readouterr().out == printed
    results, figure = load_results(tmp_path / "figure.parquet")
    assert len(results) == 2 * (2 + 4 * 5 + 1)
    finer = [
        "--strengths", "0.01", "0.03", "0.1", "0.3", "--known", str(tmp_path / "figure.parquet"),
        "--out", str(tmp_path / "finer.parquet"), "--work", str(tmp_path / "finer"),
    ]  # fmt: skip
    assert figure1.main(parser.parse_args([*options, *finer])) == 0
    trained = {path.name.partition("_00")[0] for path in (tmp_path / "finer").glob("*.parquet")}
    assert {name.rpartition("_lambda-")[2] for name in trained} <= {"0.03", "0.3"} | {
        f"{figure1_strength(tmp_path / 'finer.parquet'):g}"
    }, "what the earlier result has is taken from it"
    again = tmp_path / "figure.parquet"
    rows, before = load_results(again)
    assert figure1.main(parser.parse_args(["--summarise", str(again)])) == 0
    after_rows, after = load_results(again)
    pd.testing.assert_frame_equal(rows, after_rows)
    assert after == before, "its origin too"
    with pytest.raises(UserError, match="leave --known out"):
        figure1.main(parser.parse_args(["--known", str(again)]))
    assert figure.references[-1].samples == 2
    assert figure.references[0].strength == figure.references[1].strength
