"""Heavy work of the pages: computed once for all sessions, and never in a newcomer's way."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import streamlit as st
from hypothesis import given, strategies
from streamlit.testing.v1 import AppTest

from pages.common import jobs
from pages.common.progress import Progress, TimedBar
from pages.common.queue import WorkQueue

PATIENCE = 30.0


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> WorkQueue:
    own = WorkQueue(held_up=PATIENCE)
    monkeypatch.setattr(jobs, "WORK", own)
    return own


def make_job(compute: Callable[[Progress], object], evaluations: int = 32) -> jobs.Job:
    """A job of one part that nobody has done before."""
    return jobs.Job(None, (jobs.Part(("test", object()), compute, evaluations),))


def test_what_is_done_is_not_done_again() -> None:
    runs: list[str] = []
    parts = tuple(
        jobs.Part(("test", object()), lambda _, name=name: runs.append(name) or name, 1)
        for name in ("regular", "x")
    )
    first = jobs.Job(None, parts[:1])
    assert first.compute("") == ["regular"]
    both = jobs.Job(None, parts)
    assert both.cached() is None, "one of two is not all"
    assert both.evaluations == 2
    assert both.compute("") == both.cached() == ["regular", "x"]
    assert runs == ["regular", "x"]


def test_the_best_is_the_first_that_is_there_else_the_last() -> None:
    runs: list[str] = []
    full, middle, coarse = (
        make_job(lambda _, name=name: runs.append(name) or name)
        for name in ("full", "middle", "coarse")
    )
    assert jobs.best((full, middle, coarse), "") == (["coarse"], coarse)
    middle.compute("")
    assert jobs.best((full, middle, coarse), "") == (["middle"], middle)
    full.compute("")
    assert jobs.best((full, middle, coarse), "") == (["full"], full)
    assert runs == ["coarse", "middle", "full"]


def test_what_another_session_computed_meanwhile_is_not_computed_again(queue: WorkQueue) -> None:
    runs: list[int] = []
    job = make_job(lambda progress: runs.append(1) or "maps")
    values: list[object] = []
    both = [threading.Thread(target=lambda: values.extend(job.compute(""))) for _ in range(2)]
    with queue.picture_turn(1):
        for thread in both:
            thread.start()
    for thread in both:
        thread.join(PATIENCE)
    assert (values, runs) == (["maps", "maps"], [1])
    assert job.cached() == ["maps"]


def test_a_newcomer_goes_between_two_chunks_of_a_refinement() -> None:
    order: list[str] = []
    newcomers: list[threading.Thread] = []

    def coarse(progress: Progress) -> str:
        order.append("coarse")
        return "coarse"

    def large(progress: Progress) -> str:
        order.append("chunk 1")
        newcomer = threading.Thread(target=make_job(coarse).compute, args=("",))
        newcomer.start()
        newcomers.append(newcomer)
        while not order.count("coarse"):  # in the queue by now, ahead of the larger work
            progress(1, 2)
        order.append("chunk 2")
        return "large"

    make_job(large, 6000).compute("")
    newcomers[0].join(PATIENCE)
    assert order == ["chunk 1", "coarse", "chunk 2"]


def _page() -> None:
    """A page that draws what there is, and offers and refines the rest."""
    import streamlit as st

    from pages.common import jobs

    levels = st.session_state["levels"]
    values, shown = jobs.best(levels, "Coarse")
    st.markdown(values[0])
    st.button("Check", on_click=jobs.request, args=(st.session_state["check"],))
    jobs.run_requested(st.session_state["check"], "Checking")
    if shown is not levels[0]:
        jobs.refine(levels[0], "Refining", "Refine")


class Page:
    """That page in a session; a click cuts in where `cut_in` ends a run within a computation."""

    def __init__(self) -> None:
        self.cuts, self.runs = True, []
        self.app = AppTest.from_function(_page)
        self.app.session_state["levels"] = [
            make_job(self._computing("full")), make_job(lambda _: "coarse"),
        ]  # fmt: skip
        self.app.session_state["check"] = make_job(self._computing("check"))
        self.app.run(timeout=PATIENCE)

    def _computing(self, name: str) -> Callable[[Progress], str]:
        def compute(progress: Progress) -> str:
            self.runs.append(name)
            if self.cuts:
                st.stop()  # what a click does to the run it cuts into
            return name

        return compute

    @property
    def buttons(self) -> list[str]:
        return [button.label for button in self.app.button]

    def click(self, label: str) -> None:
        self.app.button[self.buttons.index(label)].click().run(timeout=PATIENCE)


def test_stop_keeps_the_coarse_picture_until_refining_is_asked_for() -> None:
    page = Page()
    assert (page.app.markdown[0].value, page.buttons) == ("coarse", ["Check", "Stop"])
    page.click("Stop")
    assert (page.app.markdown[0].value, page.buttons) == ("coarse", ["Check", "Refine"])
    assert page.runs == ["full"]
    page.cuts = False
    page.click("Refine")
    assert (page.app.markdown[0].value, page.buttons) == ("full", ["Check"])
    assert page.runs == ["full", "full"]


def test_what_is_asked_for_is_done_once_and_can_be_cancelled() -> None:
    page = Page()
    page.click("Stop")
    page.click("Check")
    assert page.buttons == ["Check", "Cancel"]
    page.click("Cancel")
    assert page.buttons == ["Check", "Refine"]
    assert page.runs == ["full", "check"]
    page.cuts = False
    page.click("Check")
    assert page.buttons == ["Check", "Refine"]
    assert page.runs == ["full", "check", "check"]
    page.click("Check")
    assert page.runs == ["full", "check", "check"], "the result is there"


@given(
    seconds=strategies.integers(2, 60),
    parts=strategies.integers(1, 3),
    waits=strategies.lists(strategies.integers(0, 500), min_size=12, max_size=12),
)
def test_of_steady_work_what_is_said_to_be_left_is_left_however_long_it_waited(
    seconds: int, parts: int, waits: list[int]
) -> None:
    steps, now, shown = 4, [0.0], [""]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.monotonic", lambda: now[0])
        bar = TimedBar("Refining", parts)
        patch.setattr(bar._bar, "progress", lambda share, text: shown.append(text))
        for done in range(1, parts * steps + 1):
            if done % steps == 1:
                progress = bar.part()
            if wait := waits[done - 1]:
                now[0] += wait
                bar.waiting(2)
                assert shown[-1] == "Refining · waiting for 2 others on this machine"
            now[0] += seconds
            progress((done - 1) % steps + 1, steps)
            left = (parts * steps - done) * seconds
            assert shown[-1] == (f"Refining · {left} s left" if left else "Refining")
