"""The stored measurement: what the code makes today, small, and read with its sizes checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pages.convergence_parts.work import COARSE, FULL
from tests.experiments.small_pair import make_pair
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.data.gallery import gallery
from xdnn_core.errors import UserError
from xdnn_core.experiments import convergence_stored
from xdnn_core.experiments.comparison import named_target
from xdnn_core.experiments.convergence import calls_planned, measure_convergence
from xdnn_core.experiments.convergence_result import COUNTS, PICTURED, Convergence
from xdnn_core.experiments.convergence_stored import (
    COMMAND,
    ROUNDED_TO,
    load_convergence,
    measure_pair,
    to_rows,
)
from xdnn_core.experiments.provenance import Provenance, save_result
from xdnn_core.io import RESULTS
from xdnn_core.metrics.distance import relative_l1
from xdnn_core.models.catalogue import EMBEDDED
from xdnn_core.models.zoo import PretrainedModel, load_model

MADE = Provenance("a test", "today", "a desk")
LARGEST = 500_000  # bytes


@pytest.fixture(scope="module")
def pair() -> list[PretrainedModel]:
    return make_pair()


@pytest.fixture(scope="module")
def small(pair: list[PretrainedModel]) -> tuple[int, list[Convergence]]:
    return measure_pair(pair)


def test_it_is_what_the_code_makes_today() -> None:
    stored, before = load_convergence()
    models = [load_model(name) for name, *_ in EMBEDDED]
    photo = {item.key: item for item in gallery()}[stored.image].open()
    x = models[0].preprocess(photo)[None]
    target = named_target("auto", models[0], x)
    assert (stored.target, stored.class_name) == (target, models[0].classes[target])
    assert [one.name for one in stored.networks] == [model.name for model in models]
    for model, then in zip(models, before, strict=True):
        assert then.gradient_calls == calls_planned()
        # A third of the gradients: all rules to 32 calls, then the finest map of the app's rule.
        now = measure_convergence(model.network, x, target, counts=COUNTS[:6])
        assert then.output_at_one == pytest.approx(now.output_at_one, rel=1e-4)
        assert then.output_at_zero == pytest.approx(now.output_at_zero, rel=1e-4, abs=1e-4)
        assert (then.reference, then.reference_calls) == (now.reference, now.reference_calls)
        # In float32, gates that rounding flips differ from processor to processor.
        assert then.fast_error == pytest.approx(now.fast_error, rel=0.02, abs=1e-4)
        nearest = (then.points[:, None] - now.points.float()).abs().argmin(dim=0)
        torch.testing.assert_close(then.points[nearest], now.points.float())
        slopes = then.path_gradient[nearest]
        spread = now.path_gradient.std() + 1e-4
        torch.testing.assert_close(slopes, now.path_gradient, rtol=0.01, atol=0.01 * spread)
        for curve, again in zip(then.curves, now.curves, strict=True):
            assert curve.rule == again.rule
            assert curve.counts[:6] == again.counts
            assert len(curve.counts) == len(COUNTS)
            for name in ("errors", "completeness_gaps", "estimated_errors"):
                expected = pytest.approx(getattr(again, name), rel=0.02, abs=1e-3, nan_ok=True)
                assert getattr(curve, name)[:6] == expected
            if curve.rule != "graded":
                continue
            finest = integrated_gradients(model.network, x, target, steps=256, rule="graded")
            maps = again.maps | {256: finest.values[0].sum(dim=0)}
            assert curve.maps.keys() == {1, 4, 16, 64, 256} > maps.keys()
            for calls, values in maps.items():
                assert float(relative_l1(curve.maps[calls][None], values[None])[0]) < 0.01
            error = relative_l1(finest.values, now.reference_values)
            assert curve.errors[-1] == pytest.approx(float(error[0]), rel=0.02, abs=1e-3)


def test_it_is_small() -> None:
    assert (RESULTS / f"{COMMAND}.parquet").stat().st_size <= LARGEST


def test_what_is_read_is_what_was_measured(
    pair: list[PretrainedModel], small: tuple[int, list[Convergence]], tmp_path: Path
) -> None:
    rows, summary = to_rows(pair, *small, MADE)
    file = tmp_path / "convergence.parquet"
    save_result(file, rows, summary, COMMAND, **convergence_stored.PACKING)
    stored, read = load_convergence(file)
    assert stored == summary
    for before, after in zip(small[1], read, strict=True):
        assert after.path_area == pytest.approx(before.path_area, rel=1e-5)
        assert after.slope_spread == pytest.approx(before.slope_spread, rel=1e-4, abs=1e-6)
        logit = abs(before.output_at_one)
        for curve, again in zip(before.curves, after.curves, strict=True):
            assert again.errors == curve.errors
            assert again.completeness_gaps == curve.completeness_gaps
            assert again.estimated_errors[1:] == curve.estimated_errors[1:]
            assert np.isnan(again.estimated_errors[0])
            assert tuple(again.maps) == (PICTURED if curve.rule == "graded" else ())
            for calls, values in again.maps.items():
                exact = curve.maps[calls]
                # Rounding is half a unit off, at each of four corners.
                assert float((values - exact).abs().max()) <= 2.01 * ROUNDED_TO * logit
                for x, y, width, height in ((0, 0, 64, 64), (10, 20, 30, 40), (5, 5, 3, 50)):
                    part = np.s_[y : y + height, x : x + width]
                    sums = [one[part].double().sum() for one in (values, exact)]
                    assert (
                        abs(float(sums[0] - sums[1])) <= 2.01 * ROUNDED_TO * logit <= 1e-4 * logit
                    )


@pytest.mark.parametrize("damage", ["no path", "short map", "short path", "no maps"])
def test_a_file_that_is_not_whole_is_refused(
    pair: list[PretrainedModel], small: tuple[int, list[Convergence]], tmp_path: Path, damage: str
) -> None:
    rows, summary = to_rows(pair, *small, MADE)
    what, name = damage.split()
    arrays = {"path": ["points"], "map": ["map 4"], "maps": [f"map {n}" for n in PICTURED]}[name]
    hit = rows["array"].isin(arrays) & (rows["network"] == pair[1].name)
    if what == "no":
        rows = rows[~hit]
    else:
        rows.loc[hit, "values"] = rows.loc[hit, "values"].map(lambda values: values[:-1])
    save_result(tmp_path / "one.parquet", rows, summary, COMMAND)
    with pytest.raises(UserError, match=r"one\.parquet does not hold the arrays of xsmall whole"):
        load_convergence(tmp_path / "one.parquet")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make it with python -m xdnn_core convergence"):
        load_convergence(tmp_path / "none.parquet")
    save_result(tmp_path / "other.parquet", pd.DataFrame({"a": [1]}), MADE, "figure2")
    with pytest.raises(UserError, match="is no result of convergence"):
        load_convergence(tmp_path / "other.parquet")


def test_calls_are_those_that_are_spent(conv_net: torch.nn.Module, images: torch.Tensor) -> None:
    for settings in (COARSE, FULL):
        options = {"counts": settings.counts, "reference": settings.reference}
        spent = measure_convergence(conv_net, images[:1], 0, **options).gradient_calls
        assert calls_planned(*options.values()) == settings.evaluations == spent
