"""The live view of Prior training: commands, λ, the state in words, and the charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.common.errors import for_screen
from pages.common.terms import explain
from pages.common.theme import current_theme
from pages.common.wording import plain
from pages.prior_parts.chart_data import Quantity, chart_data
from pages.prior_parts.charts import draw_chart, draw_features, draw_tests
from pages.prior_parts.controls import choose_strength
from pages.prior_parts.export import reveal_note
from pages.prior_parts.finished import FinishedRun, shown_until_start
from pages.prior_parts.kept_run import KeptRun
from pages.prior_parts.scales import decimal_label
from pages.prior_parts.session import TrainingSession
from pages.prior_parts.store import RunStore
from xdnn_core.errors import UserError
from xdnn_core.priors.live_state import Snapshot, State
from xdnn_core.priors.method_curve import TOP_FEATURES
from xdnn_core.priors.methods import parse_method
from xdnn_core.priors.penalties import PENALTIES
from xdnn_core.text import duration

_REDRAW_SECONDS = 0.12
_RUNNING = ("preparing", "waiting", "training")  # states that can be paused
PREVIOUS = "prior_previous"  # session state: the run that the last reset threw away
LAST = "prior_last"  # session state: token and snapshot drawn last; outlives the session
_KEPT = "prior_kept"  # session state: the snapshot that was kept last

_ALTS = {
    "auc": "Validation ROC-AUC", "loss": "Training loss", "penalty": "Penalty", "gini": "Gini",
}  # fmt: skip

Run = Snapshot | KeptRun
NamedRuns = Sequence[tuple[str, Run]]


def draw_live(session: TrainingSession, store: RunStore, others: NamedRuns) -> None:
    """Draw the live view and redraw it while there is something to see."""
    moving = session.trainer.busy
    redraw = st.fragment(_draw, run_every=_REDRAW_SECONDS if moving else None)
    redraw(session, store, others, moving)


def _draw(session: TrainingSession, store: RunStore, others: NamedRuns, moving: bool) -> None:
    """Draw once; the whole page is drawn again when the run starts or stops moving."""
    before = session.snapshot
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _draw_commands(session, before, store)
        strength = choose_strength()
    session.trainer.set_strength(strength)
    snapshot = session.snapshot  # with the new λ
    st.session_state[LAST] = (session.token, snapshot)
    _draw_state(session, snapshot)
    finished = shown_until_start(snapshot, others)
    shown = finished.run if finished else snapshot
    main, side = st.columns([2, 1], border=True, wrap=True)
    with main.container(gap="xsmall"):
        _draw_auc(snapshot, finished, others)
    with side.container(gap="xsmall"):
        _draw_features(shown)
    _draw_small(session, shown, others)
    if st.session_state.pop("prior_redraw", False) or _is_stale(session, before, moving):
        st.rerun()


def _is_stale(session: TrainingSession, before: Snapshot, moving: bool) -> bool:
    """Whether redrawing is to begin or to end, or nobody would draw the latest snapshot."""
    if session.trainer.busy:  # asked first: once it is not, no newer snapshot comes
        return not moving
    return moving or session.snapshot.version != before.version


def _draw_commands(session: TrainingSession, snapshot: Snapshot, store: RunStore) -> None:
    """Start or Pause, Step, Reset, Keep."""
    pending, running = session.pending, snapshot.state in _RUNNING
    label, icon, act = _main_command(session, snapshot.state)
    st.button(
        label,
        # A click may reach the server twice, or late: it must not press what stands there by then.
        key=f"prior_{label.lower().replace(' ', '_')}",
        icon=icon,
        type="secondary" if pending else "primary",
        on_click=act,
        width=132,
    )
    st.button(
        "Step",
        key="prior_step",
        icon=":material/skip_next:",
        on_click=session.trainer.step,
        disabled=running or snapshot.state in ("finished", "failed"),
        help="Train one epoch.",
    )
    st.button(
        "Reset",
        key="prior_reset",
        icon=":material/restart_alt:",
        type="primary" if pending else "secondary",
        on_click=_reset,
        args=(session,),
        disabled=not session.has_run and not pending,
        help="Start over with what is set above; this run stays below as the previous one.",
    )
    st.button(
        "Keep",
        key="prior_keep",
        icon=":material/bookmark_add:",
        on_click=keep,
        args=(snapshot, store),
        disabled=not snapshot.epoch or running or is_kept(snapshot),
        help="Store this run, to lay it over later ones; pause it first.",
    )


def _main_command(session: TrainingSession, state: State) -> tuple[str, str, Callable[[], None]]:
    """Label, icon and action of the button that starts and pauses."""
    trainer = session.trainer
    if state in _RUNNING:
        return "Pause", ":material/pause:", trainer.pause
    if state == "finished":
        return "Run again", ":material/replay:", lambda: _run_again(session)
    return "Resume" if state == "paused" else "Start", ":material/play_arrow:", trainer.start


def _run_again(session: TrainingSession) -> None:
    """Start over and train at once."""
    _reset(session)
    session.trainer.start()


def _reset(session: TrainingSession) -> None:
    """Start over; what was trained can still be seen and kept."""
    if session.snapshot.epoch:
        st.session_state[PREVIOUS] = session.snapshot
    session.reset()
    st.session_state["prior_redraw"] = True


def keep(snapshot: Snapshot, store: RunStore) -> None:
    """Store a run; a callback."""
    try:
        store.keep(snapshot)
    except UserError as error:
        st.toast(for_screen(error), icon=":material/error:")
        return
    st.session_state[_KEPT] = snapshot
    st.session_state["prior_redraw"] = True


def is_kept(snapshot: Snapshot) -> bool:
    """Whether this run was kept last, as far as it is trained now."""
    kept: Snapshot | None = st.session_state.get(_KEPT)
    return kept is not None and kept.curves is snapshot.curves


def _draw_state(session: TrainingSession, snapshot: Snapshot) -> None:
    """How far the run is, in words."""
    if snapshot.state == "failed":
        st.error(for_screen(snapshot.error), icon=":material/error:")
        return
    text = _state_sentence(snapshot)
    if session.pending and session.has_run:
        text += " · **changed settings wait for Reset**"
    st.progress(snapshot.epoch / snapshot.config.epochs, text=text)


def _state_sentence(snapshot: Snapshot) -> str:
    config, trained = snapshot.config, f"{duration(snapshot.seconds)} of computing"
    epochs = f"epoch {snapshot.epoch} of {config.epochs}"
    if snapshot.state == "ready":
        methods = "method" if len(config.methods) == 1 else "methods"
        return (
            f"**Ready**: {len(config.methods)} {methods}, {config.replicates} replicates, "
            f"{config.epochs} epochs on {plain(snapshot.cohort_title)} · outcome: "
            f"{plain(snapshot.outcome)}"
        )
    if snapshot.state == "preparing":
        return "**Preparing** the splits and the networks …"
    if snapshot.state == "waiting":
        ahead = snapshot.waiting_behind
        others = "training goes" if ahead == 1 else "trainings go"
        return f"**Waiting** for a free core: {ahead} other {others} first · {epochs}"
    if snapshot.state == "training":
        text = f"**Training**: {epochs} · {trained}"
        if snapshot.epochs_per_second:
            text += (
                f" · {snapshot.epochs_per_second:.1f} epochs a second · "
                f"{duration(snapshot.seconds_left)} left"
            )
        return text
    if snapshot.state == "finished":
        return f"**Finished**: {config.epochs} epochs · {trained}"
    return f"**{snapshot.state.capitalize()}** at {epochs} · {trained}"


def _draw_auc(snapshot: Snapshot, finished: FinishedRun | None, others: NamedRuns) -> None:
    shown = finished.run if finished else snapshot
    replicates = shown.config.replicates
    band = f", mean and 95 % band over {replicates} replicates" if replicates > 1 else ""
    explain("roc_auc", "strength", label=f"Validation ROC-AUC{band}", key="explain_auc")
    if finished:
        st.caption(finished.label)
    _chart(shown, others, "auc", 384, legend=True)
    whose = "Yours, when you press Start: trained" if finished else "Trained"
    if snapshot.strength:
        loss = f"{whose} with cross-entropy + {decimal_label(snapshot.strength)} × penalty"
    else:
        loss = "λ is off: trained with cross-entropy alone, the penalty is only measured"
    st.caption(f"{loss}. Computes on {snapshot.place}. {_gaps(snapshot)}")


def _gaps(snapshot: Snapshot) -> str:
    """What is missing from the curves, if anything."""
    missing = max((curve.without_validation for curve in snapshot.curves), default=0)
    zero = sum(curve.zero_attributions for curve in snapshot.curves)
    sentences = []
    if missing:
        sentences.append(
            f"{missing} of {snapshot.config.replicates} validation splits hold one class and have "
            "no ROC-AUC."
        )
    if zero:
        sentences.append(f"In {zero} steps the attribution was zero and the penalty left out.")
    return " ".join(sentences)


def _draw_features(shown: Run) -> None:
    explain(
        "mean_attribution",
        label=f"Top {TOP_FEATURES} by mean |attribution|",
        key="explain_features",
    )
    methods = [method.key for method in shown.config.methods]
    favoured = next((key for key in methods if parse_method(key).card.regularised), methods[0])
    chosen = favoured
    if len(methods) > 1:
        chosen = st.selectbox(
            "Method",
            methods,
            index=methods.index(favoured),
            format_func=lambda key: parse_method(key).title,
            key=f"prior_features_{'_'.join(methods)}",
            label_visibility="collapsed",
        )
    curve = next((curve for curve in shown.curves if curve.method == chosen), None)
    if curve is None or not curve.top_features:
        st.caption("Appear with the first epoch.")
        return
    draw_features(curve.top_features, chosen, current_theme())
    _say_whose(shown)


def _say_whose(shown: Run) -> None:
    if isinstance(shown, KeptRun):
        st.caption("Of the stored run.")


def _draw_small(session: TrainingSession, shown: Run, others: NamedRuns) -> None:
    """Loss, penalty, Gini, and the scores at the best epoch."""
    penalty = PENALTIES[shown.config.penalty].title.rpartition(": ")[2]
    with st.container(horizontal=True, key="prior_small"):
        loss, omega, gini, tests = (
            st.container(border=True, gap="xsmall", height="stretch") for _ in range(4)
        )
    with loss:
        explain("training_loss", label="Training loss", key="explain_loss")
        _chart(shown, others, "loss", 168)
    with omega:
        explain("penalty", label=f"Penalty: {penalty}", key="explain_omega")
        _chart(shown, others, "penalty", 168)
    with gini:
        explain("gini", label="Gini of attributions", key="explain_gini")
        _chart(shown, others, "gini", 168)
    with tests:
        explain("best_epoch", label="ROC-AUC at best epoch", key="explain_tests")
        _draw_tests(session, shown)


def _draw_tests(session: TrainingSession, shown: Run) -> None:
    """Scores at the best epoch; those of test rows only when they are asked for."""
    if not shown.curves:
        st.caption("Appears while training.")
        return
    draw_tests(shown.curves, shown.test_revealed, current_theme())
    if shown.test_revealed or shown.moved_after_reveal:
        st.caption(f"A kept run records: {reveal_note(shown)}.")
    _say_whose(shown)
    if not shown.test_revealed and isinstance(shown, Snapshot):
        st.button(
            "Reveal the test ROC-AUC",
            key="prior_reveal",
            icon=":material/visibility:",
            on_click=session.trainer.reveal_test,
            help="Once you have chosen λ. Choosing it by test scores is training on the test "
            "rows; a kept run records whether λ moved after this.",
        )


def _chart(
    shown: Run, others: NamedRuns, quantity: Quantity, height: int, legend: bool = False
) -> None:
    names = ["", *(name for name, _ in others)]
    stored = isinstance(shown, KeptRun)
    draw_chart(
        chart_data(shown, [run for _, run in others], quantity), names, current_theme(),
        key=f"prior_chart_{quantity}", height=height, legend=legend,
        muted=stored, alt=f"{_ALTS[quantity]} against the epoch{', of the stored run' * stored}",
    )  # fmt: skip
