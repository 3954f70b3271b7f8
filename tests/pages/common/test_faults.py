"""Faults of disk and settings on real pages: a sentence, and nowhere a path of the server."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.common import networks
from tests.pages.conftest import OpenPage, everything
from xdnn_core.models.zoo import load_model


def _says(app: AppTest, sentence: str, folder: Path) -> None:
    """The page says it, and no folder of this test."""
    sent = everything(app).replace("\\", "")
    assert not app.exception
    assert sentence in sent
    assert str(folder) not in sent
    assert folder.name not in sent


def _broken(folder: Path, name: str) -> None:
    folder.mkdir(parents=True)
    (folder / name).write_bytes(b"no such file format" * 99)


@pytest.fixture
def real_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue's networks in place of small ones, as far as they can be had."""
    get = networks.NetworkStore.get  # the small ones

    def loaded(self: networks.NetworkStore, name: str, visible: bool = False) -> object:
        return get(self, name) if "caltech" in name else load_model(name)

    monkeypatch.setattr(networks.NetworkStore, "get", loaded)


def test_kept_runs_that_cannot_be_read(open_page: OpenPage, tmp_path: Path) -> None:
    _broken(tmp_path / "data", "runs.sqlite")
    drawn = open_page("prior_training")
    _says(drawn, "Kept runs cannot be read at the moment (file is not a database)", tmp_path)


def test_a_data_folder_that_is_a_file(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    _says(open_page("prior_training"), "A run that you keep appears here", tmp_path)
    _says(open_page("prior_training", view="Figure 1 of the paper"), "replicates", tmp_path)
    _says(open_page("results"), "What removing biases costs", tmp_path)


@pytest.mark.parametrize("page", ["compare", "contrast", "convergence"])
def test_a_cache_that_cannot_be_written(
    open_page: OpenPage, real_networks: None, tmp_path: Path, page: str
) -> None:
    (tmp_path / "cache").write_bytes(b"")
    drawn = open_page(page, networks="ImageNet")
    _says(drawn, "models cannot be written (Not a directory); set XDNN_CACHE", tmp_path)


def test_a_cache_that_cannot_be_written_on_the_axioms_page(
    open_page: OpenPage, real_networks: None, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_bytes(b"")
    view = {"tried": "One network, one photograph", "networks": "ImageNet"}
    _says(open_page("axioms", **view), "set XDNN_CACHE", tmp_path)


def test_a_cohort_that_cannot_be_kept(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"")
    _says(open_page("prior_training", cohort="NHANES I"), "set XDNN_CACHE", tmp_path)


def test_a_gallery_that_is_not_there(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDNN_GALLERY", str(tmp_path / "pictures"))
    _says(open_page("compare"), "XDNN_GALLERY names pictures, which is not", tmp_path)


def test_results_of_own_runs_that_are_no_parquet_files(open_page: OpenPage, tmp_path: Path) -> None:
    _broken(tmp_path / "data" / "results", "figure1-own.parquet")
    drawn = open_page("prior_training", view="Figure 1 of the paper")
    _says(drawn, "figure1-own.parquet is not a readable Parquet file", tmp_path)
