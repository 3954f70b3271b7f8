"""What a live run is asked for: ranges, and as plain values."""

from dataclasses import replace

import pytest

from tests.priors.driving import CONFIG
from xdnn_core.errors import UserError
from xdnn_core.priors.live_state import LiveConfig
from xdnn_core.priors.methods import PriorMethod, parse_method


class TestConfig:
    def test_round_trip_through_plain_values(self) -> None:
        config = replace(CONFIG, methods=(parse_method("expected_gradients:4"),), seed=3)
        assert LiveConfig.from_dict(config.to_dict()) == config

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"methods": ()}, "at least one method"),
            ({"methods": (PriorMethod("none"), PriorMethod("none"))}, "each only once"),
            ({"methods": (PriorMethod("expected_gradients", 200),)}, "0 to 128"),
            ({"strength": -1.0}, r"λ; allowed is 0\.001 to 1000"),
            ({"strength": float("nan")}, "nan was given for λ"),
            ({"penalty": "tv"}, "'tv' is not known"),
            ({"hidden": ()}, "hidden layers; allowed is 1 to 4"),
            ({"hidden": (5000,)}, "neurons in a layer; allowed is 1 to 1024"),
            ({"learning_rate": 3.0}, "learning rate; allowed"),
            ({"replicates": 65}, "replicates; allowed is 1 to 64"),
            ({"epochs": 0}, "epochs; allowed is 1 to 2000"),
            ({"seed": -1}, "seed; allowed"),
            ({"epochs_per_second": 0.0}, "epochs per second; allowed"),
        ],
    )
    def test_what_is_out_of_range_is_told(self, changes: dict[str, object], sentence: str) -> None:
        with pytest.raises(UserError, match=sentence):
            replace(CONFIG, **changes)  # type: ignore[arg-type]

    def test_plain_values_of_the_wrong_kind(self) -> None:
        with pytest.raises(ValueError, match="'speed' is not a setting"):
            LiveConfig.from_dict({"speed": 3})
        with pytest.raises(ValueError, match="cannot be read as the setting hidden"):
            LiveConfig.from_dict({"hidden": 5})
