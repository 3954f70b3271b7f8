"""Sixteen people at once: how long their maps take, and what is left when they have gone.

    python -m tools.load [--sessions 16] [--minutes 4] [--seed 0]

Each of them, in a real Chromium, wanders between the pages with pauses to look: chooses
photographs, starts trainings, has axioms tried. Printed are the seconds from choosing a photograph
to its first maps, and the server's memory 60 seconds after the last window is closed, beside that
of the freshly warmed server.
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

import numpy as np
from playwright.async_api import Browser, Page, TimeoutError, async_playwright

from tools.serving import Server, start_server
from xdnn_core import load_model

CLASSES = load_model("xalexnet-caltech101").classes
PHOTOS = ("Camera", "Rooster", "Pigeon", "Flamingo", "Elephant", "Beaver", "Binoculars", "Mug")
PAGES = {
    "Compare": 5,
    "Contrast": 2,
    "Convergence": 2,
    "Axioms": 1,
    "Prior training": 2,
    "Results": 1,
}
PATIENCE = 120_000  # milliseconds
SETTLED_SECONDS = 60

_MAPS = """() => [...document.querySelectorAll('[class*="st-key-panel_"] img')].map(i => i.src)"""
# All maps are another photograph's; the differences of an X-network look alike, being nothing.
_NEW_MAPS = f"""(before) => {{
  const maps = ({_MAPS})();
  return maps.length === 7 && maps.filter(map => !before.includes(map)).length >= 5
}}"""


@dataclass
class Log:
    """What happened to everybody."""

    seconds: list[float] = field(default_factory=list)  # to the first maps
    visits: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PAGES, 0))
    troubles: list[str] = field(default_factory=list)


class Visitor:
    """One person with one window."""

    def __init__(self, number: int, page: Page, log: Log, seed: int) -> None:
        self._page, self._log = page, log
        self._photo = "Camera"
        self._choose = random.Random(1000 * seed + number)

    async def wander(self, url: str, end: float) -> None:
        """Visit one page after the other until the end."""
        await asyncio.sleep(self._choose.uniform(0, 10))
        await self._page.goto(url)
        name = "Compare"
        while time.monotonic() < end:
            self._log.visits[name] += 1
            try:
                await self._look_at(name)
            except TimeoutError as error:
                self._log.troubles.append(f"{name}: {str(error).splitlines()[0]}")
            if await self._page.get_by_text("encountered an error").count():
                self._log.troubles.append(f"{name}: the app raised an error")
            name = self._choose.choices(list(PAGES), list(PAGES.values()))[0]
            await self._page.get_by_role("link", name=name, exact=True).first.click()

    async def _look_at(self, name: str) -> None:
        if name == "Compare":
            await self._timed(self._pick)
            await self._pause(3, 12)
            await self._timed(self._pick_class)
            await self._pause(3, 12)
        elif name in ("Contrast", "Convergence"):
            await self._pick()
            await self._pause(6, 20)
        elif name == "Axioms":
            await self._press("Try ")
            await self._pause(5, 10)
        elif name == "Prior training":
            await self._press("Start|Go on")
            await self._pause(6, 20)
        else:
            await self._pause(3, 6)

    async def _timed(self, choose: Callable[[], Awaitable[None]]) -> None:
        """Choose something else and note the seconds to its first maps."""
        await self._page.wait_for_function(f"() => ({_MAPS})().length === 7", timeout=PATIENCE)
        before = await self._page.evaluate(_MAPS)
        began = time.monotonic()
        await choose()
        await self._page.wait_for_function(_NEW_MAPS, arg=before, polling=50, timeout=PATIENCE)
        self._log.seconds.append(time.monotonic() - began)

    async def _pick(self) -> None:
        photo = self._choose.choice([photo for photo in PHOTOS if photo != self._photo])
        await self._page.get_by_role("button", name=photo, exact=True).click()
        self._photo = photo

    async def _pick_class(self) -> None:
        await self._page.get_by_role("combobox", name=re.compile("Class to explain")).click()
        await self._page.keyboard.type(self._choose.choice(CLASSES))
        await self._page.keyboard.press("Enter")

    async def _press(self, names: str) -> None:
        button = self._page.get_by_role("button", name=re.compile(f"^({names})"))
        await self._pause(2, 3)
        if await button.count():
            await button.first.click(timeout=PATIENCE)

    async def _pause(self, least: float, most: float) -> None:
        await asyncio.sleep(self._choose.uniform(least, most))


def resident_megabytes(pid: int) -> float:
    """Memory of a process that is in use, MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


async def visit(server: Server, sessions: int, minutes: float, seed: int) -> Log:
    """Let everybody in, and close all windows at the end."""
    log = Log()
    async with async_playwright() as playwright:
        browser: Browser = await playwright.chromium.launch(
            executable_path=os.environ.get("XDNN_CHROMIUM"), args=["--no-sandbox"]
        )
        end = time.monotonic() + 60 * minutes
        visitors = []
        for number in range(sessions):
            context = await browser.new_context(viewport={"width": 1400, "height": 1000})
            context.set_default_timeout(PATIENCE)
            visitors.append(Visitor(number, await context.new_page(), log, seed))
        await asyncio.gather(*(visitor.wander(server.url, end) for visitor in visitors))
        await browser.close()
    return log


async def warm(server: Server) -> None:
    """Open the first page once and wait for its full picture."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=os.environ.get("XDNN_CHROMIUM"), args=["--no-sandbox"]
        )
        page = await browser.new_page()
        await page.goto(server.url)
        await page.get_by_text("1 gradient call instead of 128").wait_for(timeout=PATIENCE)
        await browser.close()


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
            asyncio.run(warm(server))
            time.sleep(5)
            before = resident_megabytes(server.process.pid)
            log = asyncio.run(visit(server, args.sessions, args.minutes, args.seed))
            busy = resident_megabytes(server.process.pid)
            time.sleep(SETTLED_SECONDS)
            after = resident_megabytes(server.process.pid)
        finally:
            server.stop()
        raised = server.log.read_text().count("Traceback")
    seconds = np.array(log.seconds)
    print(
        f"{args.sessions} sessions, {args.minutes:g} minutes, {os.cpu_count()} cores; {log.visits}"
    )
    print(
        f"first maps, {len(seconds)} times: median {np.median(seconds):.1f} s, "
        f"p95 {np.percentile(seconds, 95):.1f} s, slowest {seconds.max():.1f} s"
    )
    print(f"memory: warm {before:.0f} MB, busy {busy:.0f}, after {SETTLED_SECONDS} s {after:.0f}")
    print(f"troubles: {log.troubles or 'none'}; tracebacks in the log: {raised}")


if __name__ == "__main__":
    main()
