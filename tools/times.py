"""How long one person waits: start-up, start page, first and full maps.

    python -m tools.times [--photographs 8]

Printed are medians over photographs that nobody has chosen before, in a real Chromium, on a server
that runs as run.sh starts it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tools.serving import start_server

PHOTOS = ("Camera", "Pigeon", "Flamingo", "Elephant", "Beaver", "Binoculars", "Mug", "Seahorse")
PATIENCE = 120_000  # milliseconds


def chromium() -> dict[str, Any]:
    """Options to launch Chromium with: XDNN_CHROMIUM's, else one that is installed."""
    path = os.environ.get("XDNN_CHROMIUM") or shutil.which("chromium")
    return {"executable_path": path, "args": ["--no-sandbox"]}


def wait_for(page: Page, condition: str, argument: object = None) -> None:
    """Wait for a condition in the page, looked at every 50 ms."""
    page.wait_for_function(condition, arg=argument, polling=50, timeout=PATIENCE)


# textContent: innerText would have the page laid out at every look.
FULL = """() => [...document.querySelectorAll('[data-testid="stMarkdown"]')].some(
    text => text.textContent.includes('1 gradient call instead of 128')) &&
  !document.querySelector('[data-testid="stProgress"]')"""
START = """() => document.body.textContent.includes('there one gradient is enough') &&
  [...document.querySelectorAll('[data-testid="stImage"] img')].filter(
    image => image.complete && image.naturalWidth).length === 5"""
# A map is painted in the task that gives it its text, which names photograph or class and numbers.
MAPS = """() => [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')].flatMap(
  component => [...component.shadowRoot.querySelectorAll('.grid canvas[role="img"]')].map(
    map => map.getAttribute('aria-label')))"""
NEW_MAPS = f"""(before) => {{
  const maps = ({MAPS})();
  return maps.length === 8 && maps.filter(map => !before.includes(map)).length >= 5
}}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=int, choices=range(1, 9), default=8)
    photographs = parser.parse_args().photographs
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium())
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        began = time.monotonic()
        server = start_server(Path(folder))
        started = time.monotonic() - began
        try:
            page.goto(server.url)
            page.get_by_role("link", name="Compare").first.wait_for()
            first = time.monotonic() - began
            wait_for(page, START)
            print(
                f"fresh server: answers after {started:.1f} s, start page {first:.1f} s, "
                f"its maps {time.monotonic() - began:.1f} s"
            )
            page.goto(f"{server.url}/compare")
            wait_for(page, FULL)
            coarse, full = [], []
            for photo in PHOTOS[:photographs]:
                time.sleep(1)
                before = page.evaluate(MAPS)
                clicked = time.monotonic()
                page.get_by_role("button", name=re.compile(f"^{photo}$", re.I)).click()
                wait_for(page, NEW_MAPS, before)
                coarse.append(time.monotonic() - clicked)
                wait_for(page, FULL)
                full.append(time.monotonic() - clicked)
            for name, seconds in {"first maps": coarse, "full maps": full}.items():
                print(
                    f"{name}: median {statistics.median(seconds):.2f} s, "
                    f"{min(seconds):.2f} to {max(seconds):.2f} s, {len(seconds)} photographs"
                )
        finally:
            server.stop()
            browser.close()


if __name__ == "__main__":
    main()
