"""The app without a browser and without a server: real pages, small networks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from pages.common import networks, warmup
from pages.prior_parts import owner as prior_owner
from tests.experiments.small_pair import make_pair

APP = Path(__file__).parents[2] / "app.py"
OpenPage = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run makes the page the main module, which a spawned process would then run as its own."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def protos(app: AppTest, kind: str) -> list[Any]:
    """What a run sent to the browser of a kind of element, from top to bottom."""
    found, waiting = [], [app._tree]
    while waiting:
        node = waiting.pop(0)
        if getattr(node, "type", "") == kind:
            found.append(node.proto)
        waiting[:0] = getattr(node, "children", {}).values()
    return found


def everything(app: AppTest) -> str:
    """All that a run sent to the browser, as one text."""
    parts, waiting = [], [app._tree]
    while waiting:
        node = waiting.pop()
        parts.append(str(getattr(node, "proto", "")))
        waiting += getattr(node, "children", {}).values()
    return "\n".join(parts)


def press(app: AppTest, label: str) -> None:
    """Click a button by what is written on it."""
    (button, *_) = (button for button in app.button if button.label == label)
    button.click().run(timeout=300)
    assert not app.exception


def canvas(app: AppTest) -> dict[str, Any]:
    """The header of what a run sent to the map canvas."""
    # Other components, such as the strip of photographs, are sent JSON.
    (message,) = (sent.bytes for sent in protos(app, "bidi_component") if sent.bytes)
    length = int.from_bytes(message[:4], "little")
    header: dict[str, Any] = json.loads(message[4 : 4 + length])
    return header


@pytest.fixture
def open_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Run a page as its address asks for it, in a session of its own."""
    regular, x = make_pair()
    monkeypatch.setenv("XDNN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(APP.parent)
    monkeypatch.setattr(warmup, "warm_up", lambda: None)
    monkeypatch.setattr(
        networks.NetworkStore,
        "get",
        lambda self, name, visible=False: x if name.startswith("x") else regular,
    )
    # There is no request that could carry a cookie, and none of the packages is a component.
    monkeypatch.setattr(prior_owner, "owner", lambda: "0" * 32)
    monkeypatch.setattr(manifest_scanner, "scan_component_manifests", lambda *_, **__: [])

    def opened(page: str, **address: str | list[str]) -> AppTest:
        app = AppTest.from_file(str(APP))
        if page != "start":
            app.switch_page(f"pages/{page}.py")
        app.query_params.update(address)
        return app.run(timeout=300)

    return opened
