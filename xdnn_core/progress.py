"""Progress, told as (done, in all) after every piece of work; who is told may raise to cancel."""

from __future__ import annotations

from collections.abc import Callable

from tqdm import tqdm

Progress = Callable[[int, int], None]


def part_of(progress: Progress | None, before: int, total: int) -> Progress | None:
    """The progress of a part that begins when `before` of `total` are done."""
    if progress is None:
        return None
    return lambda done, _: progress(before + done, total)


def on_bar(bar: tqdm) -> Callable[[int, int | None], None]:
    """Show progress on a bar of the terminal."""

    def show(done: int, total: int | None) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return show
