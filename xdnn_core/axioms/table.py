"""Every cell of methods × axioms, tried on many random networks and inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


def try_cell(method: str, axiom: str, trials: int = TRIALS, seed: int = 0) -> Cell:
    """Try one axiom for one method.

    Parameters
    ----------
    method, axiom
        Keys in `AXIOM_METHODS` and `AXIOMS`.
    trials
        Random networks and inputs.
    seed
        Of their draws.

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
    found = [AXIOMS[axiom].experiment(AXIOM_METHODS[method], rng) for rng in draws(seed, trials)]
    worst = max(found, key=lambda finding: finding.violation)
    violated = sum(finding.violation > TOLERANCE for finding in found)
    return Cell(method, axiom, violated == 0, trials, violated, worst.violation, worst.witness)


def try_axioms(
    methods: Sequence[str] = tuple(AXIOM_METHODS),
    axioms: Sequence[str] = tuple(AXIOMS),
    trials: int = TRIALS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Cell]:
    """Try every axiom for every method.

    Parameters
    ----------
    methods, axioms
        Keys in `AXIOM_METHODS` and `AXIOMS`.
    trials, seed
        As for `try_cell`.
    progress
        Called with (cells done, cells) after every cell; may raise to cancel.
    """
    cells = []
    total = len(methods) * len(axioms)
    for method in methods:
        for axiom in axioms:
            cells.append(try_cell(method, axiom, trials, seed))
            if progress is not None:
                progress(len(cells), total)
    return cells
