"""Sixteen people at once: how long their maps take, and what is left when they have gone.

    python -m tools.load [--sessions 16] [--minutes 4] [--seed 0]

One of them sits at a real Chromium on this machine and chooses photographs and classes. The others
speak Streamlit's protocol from here, since their browsers would run on machines of their own: they
open links to all pages, stay a while, start trainings, have axioms tried. Printed are the seconds
to the first maps, and the server's memory 60 seconds after the last has gone, beside that of the
freshly warmed server.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from playwright.async_api import Page, async_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from tools.serving import Server, start_server
from tools.times import FULL, MAPS, NEW_MAPS, chromium
from xdnn_core import load_model
from xdnn_core.data.gallery import gallery

CLASSES = load_model("xalexnet-caltech101").classes
PHOTOS = [item.key for item in gallery()]
# Of each page: how often it is visited beside the others, what is pressed, seconds of a stay.
PAGES = {
    "": (1, "", 15),
    "compare": (6, "", 30),
    "contrast": (2, "", 30),
    "convergence": (2, "", 40),
    "axioms": (1, "Try the axioms", 30),
    "prior_training": (2, "Start", 45),
    "results": (1, "", 15),
}
# In what the server sends, when the maps of a page are there.
FIRST_MAPS = {"compare": b"X-Gradient of X-AlexNet for", "contrast": b"xdnn_contrast"}
SETTLED_SECONDS = 60
PATIENCE = 120.0


@dataclass
class Log:
    """What happened to everybody."""

    browser: list[float] = field(default_factory=list)  # seconds to the first maps on screen
    protocol: list[float] = field(default_factory=list)  # until they were sent
    visits: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PAGES, 0))
    troubles: list[str] = field(default_factory=list)


class Session:
    """One visit to one page, over the protocol."""

    def __init__(self, connection: ClientConnection, page: str, link: str) -> None:
        self._connection, self._page, self._link = connection, page, link
        self._buttons: dict[str, str] = {}  # label: id
        self._redraws: set[asyncio.Task[None]] = set()
        self.seen = b""

    async def ask(self, fragment: str = "", pressed: str = "") -> None:
        """Have the page, or a part of it, drawn."""
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string, rerun.page_name, rerun.fragment_id = self._link, self._page, fragment
        if pressed:
            rerun.widget_states.widgets.add(id=self._buttons[pressed], trigger_value=True)
        await self._connection.send(message.SerializeToString())

    async def stay(self, seconds: float, marker: bytes, press: str) -> float | None:
        """Read on for a while; returns the seconds until the marker was sent, None if never."""
        began, took = time.monotonic(), None
        pressed = not press
        while (left := began + seconds - time.monotonic()) > 0 or (marker and took is None):
            limit = left if left > 0 else began + PATIENCE - time.monotonic()
            try:
                data = await asyncio.wait_for(self._connection.recv(), max(limit, 0.01))
            except TimeoutError:
                if left <= 0:
                    break
                continue
            assert isinstance(data, bytes)
            if b"encountered an error" in data or b"exception" in data[:64]:
                self.seen = data
            if marker and took is None and marker in data:
                took = time.monotonic() - began
            self._note(ForwardMsg.FromString(data))
            if not pressed and press in self._buttons:
                pressed = True
                await self.ask(pressed=press)
        for task in self._redraws:
            task.cancel()
        return took

    def _note(self, message: ForwardMsg) -> None:
        """What can be pressed, and what is to be drawn again every so often."""
        kind = message.WhichOneof("type")
        if kind == "delta" and message.delta.new_element.WhichOneof("type") == "button":
            button = message.delta.new_element.button
            self._buttons[button.label] = button.id
        elif kind == "auto_rerun" and len(self._redraws) < 4:
            again = self._again(message.auto_rerun.interval, message.auto_rerun.fragment_id)
            self._redraws.add(asyncio.ensure_future(again))

    async def _again(self, interval: float, fragment: str) -> None:
        while True:
            await asyncio.sleep(interval)
            await self.ask(fragment=fragment)


async def wander(server: Server, choose: random.Random, log: Log, end: float) -> None:
    """Open one link after the other until the end."""
    await asyncio.sleep(choose.uniform(0, 10))
    address = server.url.replace("http", "ws") + "/_stcore/stream"
    while time.monotonic() < end:
        page = choose.choices(list(PAGES), [often for often, _, _ in PAGES.values()])[0]
        log.visits[page] += 1
        view = {"image": choose.choice(PHOTOS), "class": choose.choice(CLASSES)} if page else {}
        if page == "axioms":
            view["tried"] = "One network, one photograph"
        _, press, stay = PAGES[page]
        async with connect(address, max_size=None) as connection:
            session = Session(connection, page, urlencode(view))
            await session.ask()
            marker = FIRST_MAPS.get(page, b"")
            took = await session.stay(choose.uniform(0.5, 1.5) * stay, marker, press)
        if took is not None:
            log.protocol.append(took)
        elif marker:
            log.troubles.append(f"{page or 'start'}: no maps within {PATIENCE:.0f} s")
        if session.seen:
            log.troubles.append(f"{page or 'start'}: {session.seen[:200]!r}")


async def look_at_maps(page: Page, choose: random.Random, log: Log, end: float) -> None:
    """Choose photographs and classes on Compare, in the browser, until the end."""

    async def photograph() -> None:
        buttons = page.locator(".strip button[aria-pressed='false']")
        await buttons.nth(choose.randrange(await buttons.count())).click()

    async def class_() -> None:
        await page.get_by_role("combobox", name=re.compile("Class to explain")).click()
        await page.keyboard.type(choose.choice(CLASSES))
        await page.keyboard.press("Enter")

    async def timed(act: Callable[[], Awaitable[None]]) -> None:
        before = await page.evaluate(MAPS)
        began = time.monotonic()
        await act()
        await page.wait_for_function(NEW_MAPS, arg=before, polling=50, timeout=1000 * PATIENCE)
        log.browser.append(time.monotonic() - began)

    while time.monotonic() < end:
        for act in (photograph, class_):
            await timed(act)
            await asyncio.sleep(choose.uniform(5, 15))
    if await page.get_by_text("encountered an error").count():
        log.troubles.append("browser: the app raised an error")


def resident_megabytes(pid: int) -> float:
    """Memory of a process that is in use, MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


async def visit(server: Server, sessions: int, minutes: float, seed: int) -> tuple[Log, float]:
    """Warm the server, let everybody in; returns what happened, and MB before they came."""
    log = Log()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**chromium())
        page = await browser.new_page(viewport={"width": 1400, "height": 1000})
        await page.goto(f"{server.url}/compare")
        await page.wait_for_function(FULL, polling=200, timeout=1000 * PATIENCE)
        await asyncio.sleep(5)
        before = resident_megabytes(server.process.pid)
        end = time.monotonic() + 60 * minutes
        people = [
            wander(server, random.Random(1000 * seed + number), log, end)
            for number in range(sessions - 1)
        ]
        await asyncio.gather(look_at_maps(page, random.Random(seed), log, end), *people)
        await browser.close()
    return log, before


def main() -> None:
    """Run the visit and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder))
        try:
            log, before = asyncio.run(visit(server, args.sessions, args.minutes, args.seed))
            busy = resident_megabytes(server.process.pid)
            time.sleep(SETTLED_SECONDS)
            after = resident_megabytes(server.process.pid)
        finally:
            server.stop()
        _, *raised = server.log.read_text().split("Traceback (most recent call last):")
    print(f"{args.sessions} sessions, {args.minutes:g} minutes, {os.cpu_count()} cores")
    print(f"visits: {log.visits}")
    for where, seconds in {"in the browser": log.browser, "as sent": log.protocol}.items():
        if not seconds:
            print(f"first maps {where}: none")
            continue
        print(
            f"first maps {where}, {len(seconds)} times: median {np.median(seconds):.1f} s, "
            f"p95 {np.percentile(seconds, 95):.1f} s, slowest {max(seconds):.1f} s"
        )
    print(f"memory: warm {before:.0f} MB, busy {busy:.0f}, after {SETTLED_SECONDS} s {after:.0f}")
    print(f"troubles: {log.troubles or 'none'}; tracebacks in the log: {len(raised)}")
    for traceback in raised:
        print(traceback[:3000].rstrip())


if __name__ == "__main__":
    main()
