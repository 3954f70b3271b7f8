"""NHANES I: the paper's matrix, downloaded once, and the subset with follow-up times."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from xdnn_core.data.cohorts.cohort import Cohort, CohortError, LeftOut
from xdnn_core.data.cohorts.encoding import ColumnSpec, encode
from xdnn_core.data.download import (
    DownloadError,
    Progress,
    cache_folder,
    discard,
    download,
    one_at_a_time,
)

MORTALITY_YEARS: Final = 10.0
_MAX_FILE_BYTES: Final = 200 * 1024**2
_SUBSET_FILES: Final = ("NHANESI_subset_X.csv", "NHANESI_subset_y.csv")


# Folder of the paper's matrix; ``XDNN_NHANES_URL`` overrules it.
BASE: Final = "https://raw.githubusercontent.com/visinf/fast-axiomatic-attribution/main/sparsity"
# The hash that git has of each of its files.
BLOBS: Final = {
    "X_sparsity.csv": "5dd8543ad05a7b0d39173bc1080b6e6f6d76efa3",
    "y_sparsity.npy": "72c6a157dfac634c1168012cbeb986e579842c8b",
}


def load_nhanes1(progress: Progress | None = None) -> Cohort:
    """Open the paper's NHANES I matrix, downloading it first where it is not in the cache.

    Source: Erion et al. 2021, Section 4.3; files of Hesse et al. 2021.
    """
    table = pd.read_csv(io.BytesIO(_fetch("X_sparsity.csv", progress)), index_col=0)
    outcome = np.load(io.BytesIO(_fetch("y_sparsity.npy", progress)), allow_pickle=False)
    labels = outcome.reshape(-1).astype(np.float64)
    if len(table) != len(labels):
        raise DownloadError(
            f"X_sparsity.csv has {len(table)} rows and y_sparsity.npy {len(labels)}; they do not "
            "belong together."
        )
    table.columns = [str(name) for name in table.columns]
    specs = [
        ColumnSpec(name, name.replace("_", " ").strip(), description="as named in the file")
        for name in table.columns
    ]
    features, columns = encode(table, specs)
    return Cohort(
        name="nhanes1",
        title="NHANES I, the paper's matrix",
        outcome="10-year outcome, coded as in the authors' file",
        features=features,
        labels=labels,
        columns=tuple(columns),
        citation="NHANES I (1971–1974); matrix of Erion et al. 2021, published by Hesse et al. "
        "2021.",
    )


def nhanes1_is_cached() -> bool:
    """Whether `load_nhanes1` would need no network."""
    return all((_folder() / name).is_file() for name in BLOBS)


def _folder() -> Path:
    return cache_folder() / "cohorts" / "nhanes1"


def git_blob_hash(data: bytes) -> str:
    """SHA-1 that git gives a file of this content, hexadecimal."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _fetch(name: str, progress: Progress | None) -> bytes:
    """Content of a published file, from the cache or the network, checked either way."""
    folder = os.environ.get("XDNN_NHANES_URL") or BASE
    file, url = _folder() / name, f"{folder.rstrip('/')}/{name}"
    if file.is_file():
        data = file.read_bytes()
        if git_blob_hash(data) == BLOBS[name]:
            return data
        file.unlink()  # not what was downloaded: fetch it anew
    part = file.with_name(name + ".part")
    with one_at_a_time(part, progress):
        if not file.is_file():
            download(url, part, progress, limit=_MAX_FILE_BYTES)
            if git_blob_hash(part.read_bytes()) != BLOBS[name]:
                discard(part)
                raise DownloadError(
                    f"{url} is not the published file (its git hash differs); it was deleted, "
                    "try again later."
                )
            part.rename(file)
            discard(part)
    return file.read_bytes()


_SEXES: Final = {1.0: "male", 2.0: "female"}
_RACES: Final = {1.0: "white", 2.0: "black", 3.0: "other"}

_SUBSET_SPECS: Final[tuple[ColumnSpec, ...]] = (
    ColumnSpec("Age", "Age", unit="years", description="Age at the examination."),
    ColumnSpec("Sex", "Sex", "binary", _SEXES, description="Sex."),
    ColumnSpec("Race", "Race", "category", _RACES, description="Race as recorded."),
    ColumnSpec("Poverty index", "Poverty index", unit="%",
               description="Family income in percent of the poverty line."),
    ColumnSpec("BMI", "Body mass index", unit="kg/m²", description="Weight over height squared."),
    ColumnSpec("Systolic BP", "Systolic blood pressure", unit="mmHg", description="Measured."),
    ColumnSpec("Diastolic BP", "Diastolic blood pressure", unit="mmHg", description="Measured."),
    ColumnSpec("Pulse pressure", "Pulse pressure", unit="mmHg",
               description="Systolic minus diastolic blood pressure."),
    ColumnSpec("Serum Cholesterol", "Serum cholesterol", unit="mg/100 ml",
               description="Blood test."),
    ColumnSpec("Serum Albumin", "Serum albumin", unit="g/100 ml", description="Blood test."),
    ColumnSpec("Serum Protein", "Serum protein", unit="g/100 ml", description="Blood test."),
    ColumnSpec("Serum Iron", "Serum iron", unit="µg/100 ml", description="Blood test."),
    ColumnSpec("Serum Magnesium", "Serum magnesium", unit="mEq/l", description="Blood test."),
    ColumnSpec("TIBC", "Iron-binding capacity", unit="µg/100 ml",
               description="Total iron-binding capacity, blood test."),
    ColumnSpec("TS", "Transferrin saturation", unit="%", description="Blood test."),
    ColumnSpec("Sedimentation rate", "Sedimentation rate", unit="mm/h",
               description="Of red blood cells."),
    ColumnSpec("Red blood cells", "Red blood cells", description="Blood test, as coded."),
    ColumnSpec("White blood cells", "White blood cells", unit="1000/µl",
               description="Blood test."),
)  # fmt: skip


def load_subset(folder: Path) -> Cohort:
    """Open the NHANES I subset of a folder: features, and years of follow-up with a sign.

    Follow-up y > 0: died after y years; y < 0: censored after −y years. The outcome is death
    within 10 years; who was censored before 10 years is left out, the outcome being unknown.
    """
    tables = []
    for name in _SUBSET_FILES:
        file = folder / name
        if not file.is_file():
            raise CohortError(
                f"{folder} has no file {name}; give a folder with {' and '.join(_SUBSET_FILES)}, "
                "or a CSV file."
            )
        tables.append(pd.read_csv(file, index_col=0))
    table, years = tables[0], tables[1].iloc[:, 0].to_numpy(dtype=float)
    missing = [spec.name for spec in _SUBSET_SPECS if spec.name not in table]
    if missing or len(table) != len(years):
        problem = f"lacks {missing[0]!r}" if missing else f"has {len(table)} rows for {len(years)}"
        raise CohortError(f"{_SUBSET_FILES[0]} {problem}; it is not the NHANES I subset.")
    censored = np.signbit(years)  # −0.0: lost on the first day
    known = ~(censored & (np.abs(years) < MORTALITY_YEARS))
    features, columns = encode(table[known], _SUBSET_SPECS)
    return Cohort(
        name="nhanes1-subset",
        title="NHANES I, 18 measurements",
        outcome="died within 10 years",
        features=features,
        labels=(~censored & (years <= MORTALITY_YEARS))[known].astype(np.float64),
        columns=tuple(columns),
        left_out=tuple(
            LeftOut(str(name), "not in the data dictionary")
            for name in table.columns
            if name not in {spec.name for spec in _SUBSET_SPECS}
        ),
        notes=(f"{int((~known).sum())} people censored before 10 years are left out.",),
        citation="NHANES I (1971–1974) with mortality follow-up.",
    )
