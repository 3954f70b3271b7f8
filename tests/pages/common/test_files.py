"""Files that are damaged, hostile or gone are a sentence on the page, and the page goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.data.cohorts.test_cohorts import csv_of
from xdnn_core.data import gallery as gallery_module
from xdnn_core.data.cohorts.csv_table import MAX_MEGABYTES as CSV_MEGABYTES
from xdnn_core.data.uploads import MAX_BYTES, MAX_MEGABYTES

PATIENCE = 120


def photo_page() -> None:
    import streamlit as st

    from pages.common.photo import choose_photo

    st.markdown(f"chosen: {choose_photo().title}")


def cohort_page() -> None:
    import streamlit as st

    from pages.prior_parts.cohort import choose_cohort

    st.session_state["cohort"] = "Own CSV file"
    cohort = choose_cohort(st.container())
    st.markdown("no cohort" if cohort is None else f"{len(cohort)} rows")


def damage(file: Path) -> None:
    """Spoil a file without a trace in its time and size, as a failing disk does."""
    status = file.stat()
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(status.st_size - 8))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.fixture
def own_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "my_house.png"
    Image.linear_gradient("L").save(file)
    monkeypatch.setenv("XDNN_GALLERY", str(tmp_path))
    gallery_module.gallery()  # it is listed
    return file


def said(app: AppTest) -> str:
    assert not app.exception
    shown = [*app.caption, *app.warning, *app.error, *app.info]
    return "\n".join(element.value for element in shown).replace("\\", "")  # of markdown


@pytest.mark.parametrize("spoil", [damage, Path.unlink], ids=["damaged", "deleted"])
def test_gallery_file_that_fails_after_it_was_listed(own_photo, spoil, monkeypatch) -> None:
    listed = gallery_module.gallery()
    monkeypatch.setattr("pages.common.photo.gallery", lambda: listed)
    monkeypatch.setattr("pages.common.gallery_strip.gallery", lambda: listed)
    spoil(own_photo)
    app = AppTest.from_function(photo_page, default_timeout=PATIENCE)
    app.query_params["image"] = "own/my_house.png"
    app.run()
    assert "my_house.png cannot be shown: " in said(app)
    assert app.markdown[0].value == "chosen: Rooster"


def test_photograph_that_is_no_longer_listed(own_photo, monkeypatch) -> None:
    """A click on a photograph that another session's page still shows."""
    monkeypatch.setattr("pages.common.photo.gallery_strip", lambda *_: "own/gone.png")
    app = AppTest.from_function(photo_page, default_timeout=PATIENCE).run()
    assert "gone.png cannot be shown: It is no longer in the gallery; choose another." in said(app)
    assert app.markdown[0].value == "chosen: Rooster"


def test_a_new_photograph_clears_the_last_warning() -> None:
    app = AppTest.from_function(photo_page, default_timeout=PATIENCE).run()
    uploader = app.file_uploader(key="upload")
    assert uploader.proto.max_upload_size_mb * 10**6 == MAX_MEGABYTES * 10**6 == MAX_BYTES
    uploader.set_value(("a.png", b"\x89PNG\r\n\x1a\nnothing", "image/png")).run()
    assert "damaged" in said(app)
    good = Path(gallery_module.gallery()[0]._path).read_bytes()
    app.file_uploader(key="upload").set_value(("b.png", good, "image/png")).run()
    assert "damaged" not in said(app)
    assert app.markdown[0].value == "chosen: Your photo"
    app.file_uploader(key="upload").set_value(("c.png", b"", "image/png")).run()
    assert "empty" in said(app)
    app.file_uploader(key="upload").set_value(None).run()
    assert "empty" not in said(app)
    assert app.markdown[0].value == "chosen: Your photo"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"a,b\r1,2\r", "1 rows"),
        (csv_of().replace(b"age", b"x" * 140_000), "header line cannot be read"),
        (csv_of(far=["1.2e308", *range(59)]), "Column 'far' holds"),
    ],
    ids=["carriage returns", "long name", "1.2e308"],
)
def test_tables_that_fail_are_a_sentence_and_the_next_one_is_read(data, sentence) -> None:
    app = AppTest.from_function(cohort_page, default_timeout=PATIENCE).run()
    uploader = app.file_uploader(key="prior_upload")
    assert uploader.proto.max_upload_size_mb == CSV_MEGABYTES
    uploader.set_value(("a.csv", data, "text/csv")).run()
    assert sentence in said(app)
    assert app.markdown[0].value == "no cohort"
    app.file_uploader(key="prior_upload").set_value(("b.csv", csv_of(), "text/csv")).run()
    assert sentence not in said(app)
    assert any(element.value == "60 rows" for element in app.markdown)
