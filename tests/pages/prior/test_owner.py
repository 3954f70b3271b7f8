"""A browser's name is one that a server with this data folder made, and nothing else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pages.prior_parts import owner as prior_owner
from pages.prior_parts.owner import is_ours, signed

NAME = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDNN_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def restart() -> None:
    """Forget what a server remembers."""
    prior_owner._kept_key.clear()


def test_a_name_is_known_again_after_a_restart(data: Path) -> None:
    value = signed(NAME)
    restart()
    assert is_ours(value)
    assert [file.name for file in data.iterdir()] == ["browser.key"]
    assert stat.S_IMODE((data / "browser.key").stat().st_mode) == 0o600


def test_a_key_is_kept_where_there_are_no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*given: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(prior_owner.os, "link", no_link)
    value = signed(NAME)
    restart()
    assert is_ours(value)


def test_a_key_is_read_where_nothing_can_be_written(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = signed(NAME)
    restart()

    def full(*given: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prior_owner.tempfile, "NamedTemporaryFile", full)
    assert is_ours(value)


@pytest.mark.parametrize(
    "value",
    [
        NAME,
        f"{NAME}.",
        f"{NAME}.{'0' * 64}",
        "",
        "é",
        "x" * 10_000,
    ],
)
def test_what_no_server_made_is_no_name(value: str) -> None:
    assert not is_ours(value)


def test_a_changed_name_and_one_of_another_server_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = signed(NAME)
    assert not is_ours(value.replace("0", "1", 1))
    assert not is_ours(value + " ")
    monkeypatch.setenv("XDNN_DATA", str(tmp_path / "other"))
    assert not is_ours(value)


def test_a_folder_that_cannot_be_written_gives_names_until_it_can(data: Path) -> None:
    data.write_bytes(b"")
    before = signed(NAME)
    assert is_ours(before)
    data.unlink()
    assert not is_ours(before), "no restart would know it"
    after = signed(NAME)
    restart()
    assert is_ours(after)
