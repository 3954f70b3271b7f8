"""Five large trainings, closed, three times over: what memory is left.

    python -m tools.training_memory [--rounds 3]

Two methods, 64 replicates, hidden layers of 1,024 and 512 units each. Printed is the server's
memory with all five at work, and 60 seconds after their windows were closed.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from websockets.asyncio.client import connect

from tools.load import FIRST_MAPS, SETTLED_SECONDS, Session, resident_megabytes
from tools.serving import Server, start_server

LINK = urlencode({"layers": "1024, 512", "replicates": 64, "epochs": 2000})
TRAINED_SECONDS = 60.0


async def visit(server: Server, page: str, link: str, seconds: float, press: str = "") -> None:
    """Open a link and stay."""
    address = server.url.replace("http", "ws") + "/_stcore/stream"
    async with connect(address, max_size=None) as connection:
        session = Session(connection, page, link)
        await session.ask()
        await session.stay(seconds, FIRST_MAPS.get(page, b""), press)


async def measure(server: Server, rounds: int) -> None:
    """Warm the server, then train and leave, round by round."""
    pid = server.process.pid
    await visit(server, "compare", "", 10)
    await visit(server, "prior_training", "", 5, "Start")
    await asyncio.sleep(SETTLED_SECONDS)
    print(f"before: {resident_megabytes(pid):.0f} MB", flush=True)
    for number in range(1, rounds + 1):
        five = [visit(server, "prior_training", LINK, TRAINED_SECONDS, "Start") for _ in range(5)]
        at_work = asyncio.gather(*five)
        await asyncio.sleep(TRAINED_SECONDS - 2)
        busy = resident_megabytes(pid)
        await at_work
        await asyncio.sleep(SETTLED_SECONDS)
        print(f"round {number}: {busy:.0f} MB at work, {resident_megabytes(pid):.0f} MB "
              f"{SETTLED_SECONDS} s after", flush=True)  # fmt: skip


def main() -> None:
    """Start a server and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder))
        try:
            asyncio.run(measure(server, args.rounds))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
