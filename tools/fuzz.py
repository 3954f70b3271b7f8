"""Spoil files at random for hours: python -m tools.fuzz --minutes 120 --out fuzz-failures

Cases run in a process of their own. One that raises anything but a UserError, takes more than 5 s
of a core or 300 MB, hangs or kills the process is written to the folder, and the next process goes
on behind it. Exits with 1 if there was any.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CASES = 300  # a process, so that memory it keeps does not hide what a case takes
PATIENCE = 600  # seconds for one process, then it hangs


def main() -> int:
    """Run processes until the time is over; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same cases")
    parser.add_argument("--out", type=Path, default=Path("fuzz-failures"))
    parser.add_argument("--process", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.out = args.out.absolute()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.process:
        return run_cases(args.seed, args.out)
    end, seed, failed, done = time.monotonic() + 60 * args.minutes, args.seed, 0, 0
    while time.monotonic() < end:
        status = run_process(seed, args.out)
        failed += status != 0
        done += CASES
        print(f"{done:,} cases, {failed} processes with failures", flush=True)
        seed += 1
    return int(failed > 0)


def run_process(seed: int, out: Path) -> int:
    """Run one process; a case it did not survive is kept under another name."""
    command = [
        sys.executable,
        "-m",
        "tools.fuzz",
        "--process",
        "--seed",
        str(seed),
        "--out",
        str(out),
    ]
    try:
        status = subprocess.run(command, cwd=ROOT, timeout=PATIENCE, check=False).returncode
    except subprocess.TimeoutExpired:
        status = -1
    for current in out.glob("current-*"):
        current.rename(out / f"died-{seed}-{current.name.removeprefix('current-')}")
    return status


def run_cases(seed: int, out: Path) -> int:
    """Try the cases of a seed; returns 1 where one failed."""
    from tests.fuzz.corpus import READERS, STEPS, repaired, seeds, spoiled, try_case, warm_up

    for kind in READERS:
        warm_up(kind)
    source, status = random.Random(seed), 0
    corpus = {kind: seeds(kind) for kind in READERS}
    for number in range(CASES):
        kind = source.choice(list(corpus))
        steps = [
            (source.choice(STEPS), source.randrange(10**6), source.randint(1, 300),
             source.randbytes(source.randint(1, 6)))
            for _ in range(source.randint(1, 6))
        ]  # fmt: skip
        data = spoiled(source.choice(corpus[kind]), steps)
        data = repaired(data) if source.random() < 0.5 else data
        current = out / f"current-{kind}"
        current.write_bytes(data)
        try:
            try_case(kind, data)
        except Exception:  # whatever a reader raises is the finding
            traceback.print_exc()
            current.rename(out / f"failed-{seed}-{number}-{kind}")
            status = 1
        current.unlink(missing_ok=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
