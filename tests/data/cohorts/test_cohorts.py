"""NHEFS, the NHANES I subset, own CSV files, and the split protocol."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from tests.priors.small_cohorts import cohort_of, make_cohort
from xdnn_core.data.cohorts import csv_cohort as cohort_csv, csv_header
from xdnn_core.data.cohorts.cohort import CohortError
from xdnn_core.data.cohorts.csv_table import read_table
from xdnn_core.data.cohorts.load import load_cohort
from xdnn_core.data.cohorts.splitting import split_cohort, split_sizes

LEAKS = {
    "death", "yrdth", "modth", "dadth", "wt82", "wt82_71", "price82", "price71_82", "tax82",
    "tax71_82", "hightax82", "censored", "seqn", "id",
}  # fmt: skip


class TestNhefs:
    def test_size_outcome_and_dictionary(self) -> None:
        cohort = load_cohort("nhefs")
        assert len(cohort) == 1629
        assert cohort.positives == 318
        assert cohort.features.shape == (1629, len(cohort.columns))
        assert len({column.name for column in cohort.columns}) == len(cohort.columns)
        assert all(column.title and column.description for column in cohort.columns)

    def test_nothing_that_leaks_is_a_feature(self) -> None:
        cohort = load_cohort("nhefs")
        assert not LEAKS & {column.source for column in cohort.columns}
        assert (LEAKS - {"death"}) <= {left.name for left in cohort.left_out}
        assert all(left.reason for left in cohort.left_out)

    def test_categories_are_one_hot_and_codes_for_missing_are_missing(self) -> None:
        cohort = load_cohort("nhefs")
        by_source: dict[str, list[int]] = {}
        for index, column in enumerate(cohort.columns):
            by_source.setdefault(column.source, []).append(index)
        for source in ("education", "marital", "birthplace", "exercise"):
            block = cohort.features[:, by_source[source]]
            known = ~np.isnan(block).any(axis=1)
            assert (block[known].sum(axis=1) == 1).all()
            assert np.isnan(block[~known]).all()
        (diabetes,) = by_source["diabetes"]
        values = cohort.features[:, diabetes]
        assert set(values[~np.isnan(values)]) == {0.0, 1.0}
        assert np.isnan(values).sum() == 791

    def test_nobody_can_change_the_shared_features(self) -> None:
        with pytest.raises(ValueError, match="read-only"):
            load_cohort("nhefs").features[0, 0] = 1


class TestSubset:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        names = [
            "Age", "Diastolic BP", "Poverty index", "Race", "Red blood cells",
            "Sedimentation rate", "Serum Albumin", "Serum Cholesterol", "Serum Iron",
            "Serum Magnesium", "Serum Protein", "Sex", "Systolic BP", "TIBC", "TS",
            "White blood cells", "BMI", "Pulse pressure",
        ]  # fmt: skip
        table = pd.DataFrame({name: np.arange(6.0) + 1 for name in names})
        table["Race"] = [1.0, 2.0, 3.0, 1.0, 1.0, 1.0]
        table["Sex"] = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]
        table.to_csv(tmp_path / "NHANESI_subset_X.csv")
        # dead at 3, dead at 10, dead at 12, lost at 4, alive at 15, lost on day 0
        years = pd.DataFrame({"y": [3.0, 10.0, 12.0, -4.0, -15.0, -0.0]})
        years.to_csv(tmp_path / "NHANESI_subset_y.csv")
        return tmp_path

    def test_ten_year_mortality_without_those_lost_before(self, folder: Path) -> None:
        cohort = load_cohort(str(folder))
        ages = [column.name for column in cohort.columns].index("Age")
        assert cohort.features[:, ages].tolist() == [1.0, 2.0, 3.0, 5.0]
        assert cohort.labels.tolist() == [1.0, 1.0, 0.0, 0.0]
        assert cohort.features.shape[1] == 20  # 16 numbers, sex, three races
        assert "2 people" in cohort.notes[0]

    def test_missing_file_and_foreign_columns(self, folder: Path) -> None:
        x = folder / "NHANESI_subset_X.csv"
        table = pd.read_csv(x, index_col=0).drop(columns="TIBC")
        table.to_csv(x)
        with pytest.raises(CohortError, match="lacks 'TIBC'"):
            load_cohort(folder)
        x.unlink()
        with pytest.raises(CohortError, match=r"no file NHANESI_subset_X\.csv"):
            load_cohort(folder)


def csv_of(rows: int = 60, **columns: object) -> bytes:
    base: dict[str, object] = {
        "age": np.arange(rows) % 50 + 20.5,
        "dead": np.arange(rows) % 2,
    }
    return pd.DataFrame(base | columns).to_csv(index=False).encode()


class TestOwnCsv:
    def test_numbers_categories_missing_values(self) -> None:
        colour = ["red", "green", None, "blue", "red", "green"] * 10
        data = csv_of(colour=colour, smokes=["no", "yes", "yes"] * 20)
        cohort = load_cohort(data, outcome="dead")
        assert [column.name for column in cohort.columns] == [
            "age", "colour=blue", "colour=green", "colour=red", "smokes",
        ]  # fmt: skip
        assert [column.kind for column in cohort.columns[1:]] == ["category"] * 3 + ["binary"]
        assert np.isnan(cohort.features[2, 1:4]).all()
        assert cohort.features[0].tolist() == [20.5, 0, 0, 1, 0]
        assert cohort.labels.tolist() == [0.0, 1.0] * 30

    def test_the_outcome_may_be_words_and_its_positive_value_chosen(self) -> None:
        data = csv_of(dead=["yes", "no", "no"] * 20)
        assert load_cohort(data).outcome == "dead = yes"
        assert load_cohort(data).positives == 20
        assert load_cohort(data, positive="no").positives == 40
        with pytest.raises(CohortError, match="'maybe' is not a value"):
            load_cohort(data, positive="maybe")

    def test_booleans_codes_and_rows_without_outcome(self) -> None:
        data = csv_of(90, dead=[True, False, None] * 30, stage=[1, 2, 3] * 30)
        cohort = load_cohort(data, "dead", categorical=["stage"])
        assert len(cohort) == 60
        assert cohort.labels.tolist() == [1.0, 0.0] * 30
        assert [column.name for column in cohort.columns] == ["age", "stage"]
        assert cohort.columns[1].title == "stage: 2"
        assert "30 rows without a value of dead" in cohort.notes[1]

    def test_constant_columns_and_row_names_are_left_out(self) -> None:
        table = pd.read_csv(io.BytesIO(csv_of(same=[7] * 60, who=[f"p{i}" for i in range(60)])))
        cohort = load_cohort(table.to_csv().encode(), outcome="dead")  # with a row number
        assert [column.name for column in cohort.columns] == ["age"]
        assert {left.name: left.reason for left in cohort.left_out} == {
            "Unnamed: 0": "numbers the rows",
            "same": "constant: always 7",
            "who": "different in every row, so it names rows",
        }

    def test_semicolons_decimal_commas_and_windows_text(self) -> None:
        lines = ["größe;tot"] + [f"1{i % 10},5;{i % 2}" for i in range(60)]
        cohort = load_cohort("\r\n".join(lines).encode("cp1252"))
        assert cohort.columns[0].name == "größe"
        assert cohort.features[:3, 0].tolist() == [10.5, 11.5, 12.5]

    def test_a_spreadsheet_saved_as_unicode_text(self) -> None:
        lines = ["size\tdead"] + [f"{i}.5\t{i % 2}" for i in range(60)]
        assert len(load_cohort("\n".join(lines).encode("utf-16"))) == 60

    def test_a_path_and_an_open_file(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.csv"
        path.write_bytes(csv_of())
        assert load_cohort(path).title == "mine"
        with path.open("rb") as file:
            file.read(5)
            assert len(load_cohort(file)) == 60

    @pytest.mark.parametrize(
        ("data", "outcome", "sentence"),
        [
            (csv_of(dead=range(60)), None, "No column has exactly two values"),
            (csv_of(dead=range(60)), "dead", "60 different values"),
            (csv_of(dead=[1] * 60), "dead", "has 1 value, so there is nothing to tell apart"),
            (csv_of(), "alive", "no column 'alive'; columns with two values: 'dead'"),
            (csv_of(sick=[0, 1, 1] * 20), None, "say which is the outcome"),
            (csv_of(rows=49), None, "49 rows; at least 50"),
            (csv_of(empty=[None] * 60), "dead", "'empty' has no values at all"),
            (csv_of(far=[np.inf, *range(59)]), "dead", "infinite values"),
            (csv_of().replace(b"age,", b"dead,"), None, "'dead' occurs more than once"),
            (csv_of().replace(b"\n", b",1\n").replace(b"dead,1", b"dead"), None, "more cells"),
            (csv_of() + b'"1,2', None, "cannot be read as CSV"),
            (csv_of() + b"1,2,3,4\n", None, "cannot be read as CSV"),
            (b"", None, "empty"),
            (b"PK\x03\x04\0\0", None, "no text file"),
            (csv_of()[:40].decode().encode("utf-16")[:-1], None, "no text file"),
        ],
    )
    def test_everything_else_is_one_sentence(
        self, data: bytes, outcome: str | None, sentence: str
    ) -> None:
        with pytest.raises(CohortError, match=sentence) as caught:
            load_cohort(data, outcome)
        assert str(caught.value).endswith(".")
        assert "\n" not in str(caught.value)

    def test_a_path_that_is_not_there(self) -> None:
        with pytest.raises(CohortError, match="give nhefs, nhanes1, or the path"):
            load_cohort("nowhere.csv")

    def test_limits_are_checked_before_the_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(CohortError, match="2,001 columns; at most 2,000"):
            read_table((",".join(f"c{i}" for i in range(2001)) + "\n").encode())
        words = [f"w{i % 55}" for i in range(60)]
        monkeypatch.setattr(cohort_csv, "MAX_COLUMNS", 50)
        with pytest.raises(CohortError, match="'word' alone has 55 different values"):
            load_cohort(csv_of(word=words), "dead")
        monkeypatch.setattr(cohort_csv, "MAX_COLUMNS", 2000)
        monkeypatch.setattr(cohort_csv, "MAX_CELLS", 1000)
        with pytest.raises(CohortError, match="more than 1,000 cells"):
            load_cohort(csv_of(word=words), "dead")
        monkeypatch.setattr(csv_header, "MAX_BYTES", 100)
        with pytest.raises(CohortError, match="larger than"):
            load_cohort(csv_of())

    def test_the_outcomes_to_choose_from(self) -> None:
        table = read_table(csv_of(sick=["yes", "no", None] * 20))
        assert [column.name for column in table.binary] == ["dead", "sick"]
        assert table.binary[1].values == ("no", "yes")
        assert table.binary[1].counts == (20, 20)


class TestSplit:
    @pytest.mark.parametrize("seed", [0, 1, 7, 199])
    def test_equals_the_published_protocol(self, seed: int) -> None:
        cohort = load_cohort("nhefs")
        frame = pd.DataFrame(cohort.features)
        rest, test, y_rest, y_test = train_test_split(
            frame, cohort.labels, train_size=200, random_state=seed
        )
        train, valid, y_train, y_valid = train_test_split(
            rest, y_rest, train_size=100, random_state=seed
        )
        imputer, scaler = SimpleImputer(), StandardScaler()
        expected = [scaler.fit_transform(imputer.fit_transform(train))]
        expected += [scaler.transform(imputer.transform(part)) for part in (valid, test)]
        split = split_cohort(cohort, seed)
        assert not split.empty.any()
        for index, rows, labels in zip(
            (split.train, split.validation, split.test),
            expected,
            (y_train, y_valid, y_test),
            strict=True,
        ):
            np.testing.assert_allclose(
                split.standardise(cohort.features[index]), rows, rtol=0, atol=1e-12
            )
            np.testing.assert_array_equal(cohort.labels[index], labels)

    def test_constant_columns_keep_scale_one(self) -> None:
        cohort = make_cohort()
        values = cohort.features.copy()
        split = split_cohort(cohort, 3)
        values[split.train, 2] = 4.0
        values[split.test, 2] = 6.5
        changed = cohort_of(values, cohort.labels)
        again = split_cohort(changed, 3)
        assert again.constant.tolist() == [False, False, True, False, False, False]
        assert again.scale[2] == 1
        assert (again.standardise(changed.features[again.test])[:, 2] == 2.5).all()

    def test_a_column_without_training_values_becomes_zero(self) -> None:
        cohort = make_cohort()
        values = cohort.features.copy()
        values[split_cohort(cohort, 3).train, 1] = np.nan
        changed = cohort_of(values, cohort.labels)
        split = split_cohort(changed, 3)
        assert split.empty.tolist() == [False, True, False, False, False, False]
        assert (split.standardise(changed.features)[:, 1] == 0).all()
        assert np.isfinite(split.standardise(changed.features)).all()

    def test_small_cohorts_split_in_thirds_and_tiny_ones_not_at_all(self) -> None:
        assert split_sizes(1629) == (100, 100)
        assert split_sizes(61) == (20, 20)
        with pytest.raises(CohortError, match="49 rows"):
            split_cohort(make_cohort(rows=49), 0)


def test_a_fingerprint_tells_cohorts_apart() -> None:
    first, same, other = make_cohort(), make_cohort(), make_cohort(seed=1)
    assert first.fingerprint == same.fingerprint != other.fingerprint
