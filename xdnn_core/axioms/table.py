"""Every cell of methods × axioms, tried on many random networks and inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from xdnn_core.axioms.experiments import AXIOMS
from xdnn_core.axioms.methods import AXIOM_METHODS
from xdnn_core.axioms.networks import draws
from xdnn_core.errors import UserError

# Float64 rounding over a few hundred operations stays below; a violation is far above.
TOLERANCE: Final = 1e-9
TRIALS: Final = 200


@dataclass(frozen=True)
class Cell:
    """One method and one axiom.

    Attributes
    ----------
    method, axiom
        Keys in `AXIOM_METHODS` and `AXIOMS`.
    holds
        Whether no trial violated the axiom by more than `TOLERANCE`.
    trials
        Random networks and inputs tried.
    violated
        How many of them violated it.
    worst
        Largest violation, relative.
    witness
        The trial of the largest violation, in a sentence.
    """

    method: str
    axiom: str
    holds: bool
    trials: int
    violated: int
    worst: float
    witness: str


def verdict(holds: bool) -> str:
    """What trials can say: a counter-example refutes an axiom, no number of them proves it."""
    return "not refuted" if holds else "refuted"


def grid_text(titles: Mapping[str, str], cells: Sequence[Cell]) -> list[str]:
    """Write cells as a table of verdicts, a line a method.

    Parameters
    ----------
    titles
        Of the methods, by name.
    cells
        Every axiom for every one of them.
    """
    holds = {(cell.method, cell.axiom): cell.holds for cell in cells}
    left = max(map(len, titles.values())) + 2
    width = max(len(axiom.title) for axiom in AXIOMS.values()) + 2
    lines = [" " * left + "".join(f"{axiom.title:>{width}}" for axiom in AXIOMS.values())]
    for name, title in titles.items():
        marks = (verdict(holds[name, axiom]) for axiom in AXIOMS)
        lines.append(f"{title:<{left}}" + "".join(f"{mark:>{width}}" for mark in marks))
    return lines


def try_cell(
    method: str,
    axiom: str,
    trials: int = TRIALS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    without_biases: bool = False,
) -> Cell:
    """Try one axiom for one method.

    Parameters
    ----------
    method, axiom
        Keys in `AXIOM_METHODS` and `AXIOMS`.
    trials
        Random networks and inputs.
    seed
        Of their draws.
    progress
        Called with (trials done, trials) after every trial; may raise to cancel.
    without_biases
        Try every method on networks without biases, not X-Gradient alone.

    Raises
    ------
    ValueError
        If method or axiom is unknown or there are no trials.

    Source: Sundararajan et al. 2017, Sections 2 and 3; Hesse et al. 2021, Table 1.
    """
    for given, known in ((method, AXIOM_METHODS), (axiom, AXIOMS)):
        if given not in known:
            raise UserError(f"{given!r} is not known; choose one of {', '.join(known)}.")
    if trials < 1:
        raise UserError(f"trials is {trials}; give 1 or more.")
    tried = AXIOM_METHODS[method]
    if without_biases:
        tried = replace(tried, on_x_networks=True)
    found = []
    for rng in draws(seed, trials):
        found.append(AXIOMS[axiom].experiment(tried, rng))
        if progress is not None:
            progress(len(found), trials)
    worst = max(found, key=lambda finding: finding.violation)
    violated = sum(finding.violation > TOLERANCE for finding in found)
    return Cell(method, axiom, violated == 0, trials, violated, worst.violation, worst.witness)


def try_axioms(
    methods: Sequence[str] = tuple(AXIOM_METHODS),
    axioms: Sequence[str] = tuple(AXIOMS),
    trials: int = TRIALS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    known: MutableMapping[tuple[str, str], Cell] | None = None,
    without_biases: bool = False,
) -> list[Cell]:
    """Try every axiom for every method.

    Parameters
    ----------
    methods, axioms
        Keys in `AXIOM_METHODS` and `AXIOMS`.
    trials, seed, without_biases
        As for `try_cell`.
    progress
        Called with (trials done, in all) after every trial; may raise to cancel.
    known
        Cells of this number of trials and this seed that are there already, by method and axiom;
        every new one is added, so that a run that was cancelled goes on where it was.
    """
    cells = {} if known is None else known
    wanted = [(method, axiom) for method in methods for axiom in axioms]
    missing = [one for one in wanted if one not in cells]

    def tell(cell: int) -> Callable[[int, int], None] | None:
        if progress is None:
            return None
        return lambda done, _: progress(cell * trials + done, len(missing) * trials)

    for number, one in enumerate(missing):
        cells[one] = try_cell(*one, trials, seed, tell(number), without_biases)
    return [cells[one] for one in wanted]
