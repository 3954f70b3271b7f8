"""The comparison behind the Compare page, on the embedded pair."""

from __future__ import annotations

from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from pages.common.comparisons import comparison_rows
from pages.compare_parts.sentences import biases_caption
from xdnn_core.data.gallery import gallery
from xdnn_core.errors import UserError
from xdnn_core.experiments.comparison import (
    BASELINES,
    Comparison,
    IntegrationSettings,
    compare,
    fast_method,
    named_baseline,
    predict,
)
from xdnn_core.figures.panels import DisplaySettings, display_map, single_panels
from xdnn_core.metrics.distance import relative_l1
from xdnn_core.models.zoo import PretrainedModel, load_model
from xdnn_core.text import signed

SETTINGS = IntegrationSettings(rule="graded", steps=8)


@pytest.fixture(scope="module")
def models() -> list[PretrainedModel]:
    return [
        load_model(name, device="cpu") for name in ("alexnet-caltech101", "xalexnet-caltech101")
    ]


@pytest.fixture(scope="module")
def inputs(models: list[PretrainedModel]) -> torch.Tensor:
    photo = {item.key: item for item in gallery()}["rooster"].open()
    return models[0].preprocess(photo)[None]


@pytest.fixture(scope="module")
def comparisons(models: list[PretrainedModel], inputs: torch.Tensor) -> list[Comparison]:
    return [compare(model, inputs, 5, SETTINGS) for model in models]


def test_a_refined_comparison_takes_over_what_the_coarse_one_computed(
    models: list[PretrainedModel], inputs: torch.Tensor
) -> None:
    finer = IntegrationSettings(rule="graded", steps=12)
    for model in models:
        coarse = compare(model, inputs, 5, IntegrationSettings(steps=6), finer=12)
        afresh = compare(model, inputs, 5, finer)
        counted = MagicMock()
        refined = compare(model, inputs, 5, finer, progress=counted, known=coarse)
        assert (refined.fast, refined.ledger) == (coarse.fast, coarse.ledger)
        assert counted.call_args.args == (6, 6), "six points nest and are not evaluated again"
        assert relative_l1(refined.integrated.values, afresh.integrated.values) <= 1e-5
        assert refined.distance == pytest.approx(afresh.distance, rel=1e-4, abs=1e-8)


def test_the_shipped_x_network_scales(models: list[PretrainedModel], inputs: torch.Tensor) -> None:
    from xdnn_core.attribution.gradients import x_gradient
    from xdnn_core.homogeneity.inspection import inspect_homogeneity

    network = models[1].network
    report = inspect_homogeneity(network, inputs)
    assert report.is_homogeneous
    assert report.max_relative_error <= 1e-6
    double = load_model("xalexnet-caltech101", device="cpu", dtype=torch.float64).network
    x = inputs.double()
    at_one = x_gradient(double, x, 5)
    for alpha in (0.0625, 0.5, 1.5, 4.0):
        assert torch.allclose(double(alpha * x), alpha * double(x), rtol=1e-10, atol=1e-12)
        scaled = x_gradient(double, alpha * x, 5)
        assert torch.allclose(scaled.values, alpha * at_one.values, rtol=1e-8, atol=1e-12)


def test_x_gradient_is_integrated_gradients_and_input_x_gradient_is_not(
    comparisons: list[Comparison],
) -> None:
    regular, x = comparisons
    assert x.distance < 1e-4
    assert regular.distance > 0.05
    assert x.ledger.layers == ()
    assert x.ledger.baseline_outputs.tolist() == [0]
    assert float(regular.ledger.pixels[0]) == pytest.approx(
        float(regular.fast.values.double().sum()), rel=1e-4
    )
    assert x.integrated.gradient_calls == 8
    assert x.fast.gradient_calls == 1
    assert x.speedup == x.integrated.seconds / x.fast.seconds


def test_the_difference_is_what_it_says(comparisons: list[Comparison]) -> None:
    for one in comparisons:
        again = one.integrated.values + one.difference
        assert torch.allclose(again, one.fast.values, rtol=1e-5, atol=1e-6)


def test_predictions_are_sorted_softmax(
    models: list[PretrainedModel], inputs: torch.Tensor
) -> None:
    found = predict(models[0], inputs)
    confidences = [p.confidence for p in found]
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) == pytest.approx(1)
    assert {p.name for p in found} == set(models[0].classes)
    logits = models[0].network(inputs)[0]
    assert found[0].index == int(logits.argmax())


def test_named_baselines(models: list[PretrainedModel], inputs: torch.Tensor) -> None:
    assert named_baseline("zero", models[0], inputs) is None
    for name in BASELINES[1:]:
        baseline = named_baseline(name, models[0], inputs)
        assert baseline is not None
        assert baseline.shape == inputs.shape
    black = named_baseline("black", models[0], inputs)
    assert black is not None
    assert not models[0].to_display(black[0]).any()
    with pytest.raises(UserError, match="choose one of"):
        named_baseline("green", models[0], inputs)


def test_display_maps_have_the_units_they_claim() -> None:
    values = torch.full((1, 3, 2, 2), 0.5)
    assert np.allclose(display_map(values, -10.0, relative=False), 1.5)
    assert np.allclose(display_map(values, -10.0, relative=True), 15.0)
    assert np.allclose(display_map(values, 0.0, relative=True), 1.5), "no logit to be relative to"


def test_fast_method_suits_the_network(models: list[PretrainedModel]) -> None:
    assert [fast_method(model) for model in models] == ["input_x_gradient", "x_gradient"]


def test_rows_share_one_scale_or_have_their_own(
    models: list[PretrainedModel], comparisons: list[Comparison]
) -> None:
    image = np.zeros((224, 224, 3), np.uint8)
    rows, scale = comparison_rows(models, comparisons, image, DisplaySettings())
    panels = [panel for row in rows for panel in row]
    assert {panel.limit for panel in panels} == {scale.limit}
    assert scale.clipped_share == pytest.approx(0.01, abs=0.002)
    assert [panel.near_zero for panel in panels] == [False] * 6 + [True]
    own, _ = comparison_rows(models, comparisons, image, DisplaySettings(shared=False))
    limits = [panel.limit for row in own for panel in row]
    assert len(set(limits[:6])) == 6
    assert limits[6] == scale.limit, "rounding errors are not stretched to a picture"


def test_panels_say_what_they_cost(
    models: list[PretrainedModel], comparisons: list[Comparison]
) -> None:
    image = np.zeros((224, 224, 3), np.uint8)
    rows, _ = comparison_rows(models, comparisons, image, DisplaySettings())
    labels = [list(panel.facts) for panel in rows[0]]
    common = ["Gradient calls", "Time"]
    assert labels[0] == [*common, "Completeness gap", "Distance to IG"]
    assert labels[1] == [*common, "Completeness gap", "Estimated error", "Distance to IG"]
    assert labels[2] == [*common, "Distance to IG"]
    assert rows[0][2].facts["Gradient calls"] == "1 + 8"
    assert [len(row) for row in rows] == [4, 3], "a network without biases has no map of them"


def test_the_biases_map_shares_unit_and_scale_and_sums_to_its_part_of_the_logit(
    models: list[PretrainedModel], comparisons: list[Comparison]
) -> None:
    image = np.zeros((224, 224, 3), np.uint8)
    for display in (DisplaySettings(), DisplaySettings(relative=False)):
        rows, scale = comparison_rows(models, comparisons, image, display)
        biases, ledger = rows[0][3], comparisons[0].ledger
        assert (biases.key, biases.heading) == ("alexnet-caltech101.biases", "AlexNet · Biases")
        assert (biases.limit, biases.unit) == (scale.limit, display.unit)
        with_maps = sum(float(e.values[0]) for e in ledger.layers if e.map is not None)
        assert float(biases.values.sum()) == pytest.approx(with_maps)
        fast = float(comparisons[0].fast.values.double().sum())
        without_maps = float(ledger.biases[0]) - with_maps
        logit = comparisons[0].target_logit
        assert fast + with_maps + without_maps == pytest.approx(logit, rel=1e-4)
        facts = biases.facts
        assert facts == {
            "Sum of the map": signed(with_maps),
            "Layers without a map": signed(without_maps),
            "Pixels": signed(fast),
            "Together, the logit": signed(logit),
        }
    assert "map" in biases_caption(comparisons[0].fast.values, biases.values)


def test_a_single_attribution_shares_its_scale_with_the_biases(
    models: list[PretrainedModel], comparisons: list[Comparison]
) -> None:
    image, display = np.zeros((224, 224, 3), np.uint8), DisplaySettings()
    one = comparisons[0]
    both = single_panels(models[0], one.fast, image, display, one.ledger)
    assert [panel.title for panel in both] == ["Input×Gradient", "Biases"]
    assert both[0].limit == both[1].limit
    x = comparisons[1]
    assert len(single_panels(models[1], x.fast, image, display, x.ledger)) == 1


def test_dark_and_light_differ_only_in_the_palette(
    models: list[PretrainedModel], comparisons: list[Comparison]
) -> None:
    image = np.full((224, 224, 3), 90, np.uint8)
    light, dark, laid_over = (
        single_panels(models[1], comparisons[1].fast, image, display)[0]
        for display in (
            DisplaySettings(),
            DisplaySettings(theme="dark"),
            DisplaySettings(on_image=True),
        )
    )
    assert light.limit == dark.limit
    assert not np.array_equal(light.picture, dark.picture)
    assert not np.array_equal(light.picture, laid_over.picture)


def test_a_tolerance_decides_the_number_of_calls(
    models: list[PretrainedModel], inputs: torch.Tensor
) -> None:
    settings = IntegrationSettings(tolerance=0.25, steps=64)
    plain, x_network = (compare(model, inputs, 5, settings).integrated for model in models)
    for found in (plain, x_network):
        assert found.tolerance_met is not None
        assert bool(found.tolerance_met[0])
        assert float(found.estimated_error[0]) <= 0.25
    assert x_network.gradient_calls == x_network.steps == 16, "the first doubling that is judged"
    assert 16 <= plain.gradient_calls <= 64
    again = compare(models[0], inputs, 5, IntegrationSettings(steps=plain.steps)).integrated
    assert torch.allclose(again.values, plain.values, rtol=1e-3, atol=1e-7)
    capped = compare(models[0], inputs, 5, IntegrationSettings(tolerance=1e-6, steps=16))
    assert not bool(capped.integrated.tolerance_met[0])
    assert capped.integrated.gradient_calls == 16
    row = comparison_rows(
        models[:1], [capped], np.zeros((224, 224, 3), np.uint8), DisplaySettings()
    )
    facts = row[0][0][1].facts
    assert facts["Tolerance"] == "not met, cap reached"


def test_settings_in_words() -> None:
    assert SETTINGS.description == "graded, 8 gradient calls, zero baseline"
    wanted = "graded, to an estimated error of 2.5\u00a0%, at most 128 calls, zero baseline"
    assert IntegrationSettings(tolerance=0.025).description == wanted
