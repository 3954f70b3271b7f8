"""What a browser gets from elsewhere (nothing), and what a proxy and a cookie may do to the app."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, Page, expect

from pages.prior_parts.owner import _JS
from tests.browser.driving import query, wait_until_idle
from tests.browser.prior_page import CHART, address
from tools.serving import ROOT

# Every page with something that is there only when its components and pictures are.
PAGES = {
    "": '[data-testid="stImage"] img',
    "compare": ".grid figure canvas",
    "contrast": ".contrast canvas",
    "convergence": ".strip button img",
    "axioms": ".axioms button",
    "prior_training": CHART,
    "results": '[data-testid="stDataFrame"] canvas',
}


def _policy() -> str:
    """The header that the documentation names."""
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    (policy,) = re.findall(r"^(Content-Security-Policy: .*)$", text, re.MULTILINE)
    return policy


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _head(source: socket.socket) -> tuple[bytes, bytes]:
    """The first line of a message, and what came after it."""
    data = b""
    while b"\r\n" not in data and (more := source.recv(65_536)):
        data += more
    first, _, rest = data.partition(b"\r\n")
    return first + b"\r\n", rest


def _serve(client: socket.socket, port: int, header: bytes) -> None:
    """One request; its answer gets the header, a WebSocket just goes on."""
    with suppress(OSError), client, closing(socket.create_connection(("127.0.0.1", port))) as app:
        first, rest = _head(client)
        # One request a connection, so that there is one head to change.
        is_stream = b"/_stcore/stream" in first
        rest = rest if is_stream else re.sub(rb"(?i)keep-alive", b"close", rest)
        app.sendall(first + rest)
        threading.Thread(target=_pass_on, args=(client, app), daemon=True).start()
        first, rest = _head(app)
        client.sendall(first + header + b"\r\n" + rest)
        _pass_on(app, client)


@pytest.fixture
def proxy(server: str) -> Iterator[str]:
    """Address of a proxy before the app, which sends the header that the documentation names."""
    port, header = urlparse(server).port or 0, _policy().encode()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    threading.Thread(
                        target=_serve, args=(client, port, header), daemon=True
                    ).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_every_page_works_under_the_documented_policy_and_asks_nobody_else(
    proxy: str, page: Page
) -> None:
    asked: set[str] = set()
    refused: list[str] = []
    page.on("request", lambda request: asked.add(request.url))
    page.on("websocket", lambda stream: asked.add(stream.url))
    page.on(
        "console",
        lambda said: refused.append(said.text) if "Content Security" in said.text else None,
    )
    for name, drawn in PAGES.items():
        answer = page.goto(f"{proxy}/{name}")
        assert answer is not None
        assert answer.headers["content-security-policy"] in _policy()
        expect(page.locator(drawn).first).to_be_visible()
        icon = page.locator("link[rel*='icon']").first.get_attribute("href") or ""
        assert icon.startswith("data:image/svg+xml"), "the icon is our own"
    hosts = {urlparse(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlparse(proxy).netloc}
    # Streamlit's flag for search engines, in the page itself.
    assert {text for text in refused if "Executing inline script" not in text} == set()


def test_a_bad_address_is_put_right_also_on_the_way_back(server: str, page: Page) -> None:
    bad = {"seed": "inf", "epochs": "inf", "draws": "", "penalty": "", "pace": ""}
    page.goto(address(server, **bad))
    expect(page.locator(CHART)).to_be_visible()
    wait_until_idle(page)
    assert not bad.keys() & query(page).keys()
    page.go_back()
    page.wait_for_timeout(500)
    expect(page.get_by_text("Ready").first).to_be_visible()
    wait_until_idle(page)
    assert not bad.keys() & query(page).keys()


def _cookie(page: Page) -> dict:
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "xdnn_browser"]
    return cookie


def test_only_a_name_that_the_server_made_is_kept(server: str, page: Page) -> None:
    planted = {"name": "xdnn_browser", "value": "0" * 32, "url": server}
    page.context.add_cookies([planted])
    page.goto(address(server))
    expect(page.locator(CHART)).to_be_visible()
    wait_until_idle(page)
    first = _cookie(page)
    assert re.fullmatch(r"[0-9a-f]{32}\.[0-9a-f]{64}", first["value"])
    assert first["value"][:32] != planted["value"]
    assert (first["sameSite"], first["secure"]) == ("Strict", False)
    page.reload()
    expect(page.locator(CHART)).to_be_visible()
    wait_until_idle(page)
    assert _cookie(page)["value"] == first["value"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_cookie_is_secure_where_the_page_came_by_https(browser: Browser, scheme: str) -> None:
    context = browser.new_context()
    context.route("**/*", lambda route: route.fulfill(body="", content_type="text/html"))
    page = context.new_page()
    page.goto(f"{scheme}://app.test/")
    run: Callable[..., object] = page.evaluate
    run(
        "async ([code, data]) => (await import(`data:text/javascript,${encodeURIComponent(code)}`))"
        ".default({ data, setStateValue: () => {} })",
        [_JS, {"value": "made", "refused": []}],
    )
    cookie = _cookie(page)
    assert (cookie["value"], cookie["secure"]) == ("made", scheme == "https")
    context.close()
