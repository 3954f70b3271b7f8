"""What the screen says of a problem: the sentence, without where things lie on the server."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pages.common.errors import for_screen
from xdnn_core.data.gallery import gallery_problems
from xdnn_core.errors import UserError
from xdnn_core.io import claim_folder


def said(problem: Exception | str) -> str:
    """As it is read: without the escapes of markdown."""
    return for_screen(problem).replace("\\", "")


@pytest.mark.parametrize(
    ("whole", "shown"),
    [
        ("Runs cannot be read at /srv/x/runs.sqlite (locked).",
         "Runs cannot be read at runs.sqlite (locked)."),
        ("[Errno 28] No space left on device: '/var/a b/c.part'",
         "[Errno 28] No space left on device: 'c.part'"),
        ("/srv/data holds no images; name /srv/more.", "data holds no images; name more."),
        ("C:\\Users\\me\\runs.sqlite is locked.", "runs.sqlite is locked."),
        ("~/.cache/xdnn cannot be written.", "xdnn cannot be written."),
        ("https://host.org/a/b.tar is gone.", "https://host.org/a/b.tar is gone."),
        ("Column '/day/kg' occurs more than once.", "Column '/day/kg' occurs more than once."),
        ("Column 'dose [mg] /kg' is text.", "Column 'dose [mg] /kg' is text."),
        ("At most 5/s, and/or 1/2 of it; a / b.", "At most 5/s, and/or 1/2 of it; a / b."),
    ],
)  # fmt: skip
def test_only_the_last_part_of_a_path_is_shown(whole: str, shown: str) -> None:
    assert said(whole) == shown


def test_known_folders_may_have_spaces_in_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my own data"
    monkeypatch.setenv("XDNN_DATA", str(folder))
    assert said(f"{folder}/runs.sqlite is locked.") == "runs.sqlite is locked."
    assert said(f"{folder} cannot be written.") == "my own data cannot be written."


def test_markdown_of_others_is_shown_literally() -> None:
    assert for_screen(UserError("The column **a** [b](c)")).count("\\") >= 8


def test_the_log_has_the_path_and_the_cause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    claim_folder(tmp_path, {"seed": 0}, "note.json")
    (tmp_path / "note.json").write_text('{"seed": 1}')
    with pytest.raises(UserError) as raised:
        claim_folder(tmp_path, {"seed": 0}, "note.json")
    raised.value.__cause__ = OSError("disk")
    with caplog.at_level(logging.WARNING):
        assert str(tmp_path) not in said(raised.value)
    (record,) = [one for one in caplog.records if one.name == "pages.common.errors"]
    assert str(tmp_path) in record.getMessage()
    assert str(record.exc_info[1].__cause__) == "disk"


def test_a_gallery_that_is_not_there_is_named_without_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDNN_GALLERY", str(tmp_path / "no where" / "pictures"))
    (problem,) = gallery_problems()
    assert str(tmp_path) in problem, "the command line says it"
    assert said(problem).startswith("XDNN_GALLERY names pictures, which is not a readable folder")
