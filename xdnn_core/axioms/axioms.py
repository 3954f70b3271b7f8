"""The axioms of Table 1, each written once, for whatever network it is tried on.

A `Subject` is a method on a network and an input: small random networks with exact integrals, or a
network that was loaded. It makes what an axiom speaks of, such as a network that ignores a
feature; the axiom says how badly it is violated, relative, and up to where that is no violation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from torch import Tensor

Witness = Callable[..., str]  # makes the sentence out of the numbers that were found
Arguments = dict[str, Any]  # of `Subject.run`


@dataclass(frozen=True)
class Finding:
    """What one experiment showed."""

    violation: float  # relative, 0 if there is none
    tolerance: float  # up to where it counts as none
    witness: str  # the numbers, in a sentence


@dataclass(frozen=True)
class Cell:
    """One method and one axiom."""

    method: str
    axiom: str  # key in `AXIOMS`
    holds: bool  # whether no trial violated the axiom by more than its tolerance
    trials: int  # random networks; on a loaded one regions, factors α, else 1
    violated: int  # of the trials
    worst: float  # largest violation, relative
    witness: str  # of that trial
    tolerance: float = 1e-9  # that trial's; stored tables of random networks lack it


class Values(NamedTuple):
    """An attribution, and what it may be off by because its integral is a finite sum."""

    values: Tensor
    error: float = 0.0  # relative L1 distance
    output: float = 0.0  # F(x) of the target, where a sentence needs it


class Subject(Protocol):
    """A method on a network F and an input x; every run has random draws of its own."""

    rounding: float  # relative; float64 rounding stays below

    @property
    def inputs(self) -> Tensor:
        """x, or a batch of it alone."""

    @property
    def references(self) -> Tensor:
        """Reference inputs x', (R, ...)."""

    def run(self, **other: Any) -> Values:
        """Attribute; what is not given of network, inputs, references and target is its own."""

    def plain(self) -> Values:
        """The attribution of F at x."""

    def output_change(self) -> tuple[float, Witness]:
        """F(x) − F(x')."""

    def sensitivity_a(self) -> list[Finding]:
        """x and the baseline differ in one feature."""

    def ignoring(self) -> tuple[Arguments, Tensor, Witness]:
        """A network that ignores features; 1 where it does."""

    def rebuilt(self) -> tuple[Arguments, Witness]:
        """F, built differently."""

    def weighted_sum(self) -> tuple[Arguments, tuple[float, float], Arguments, Witness]:
        """a·F + b·G; a and b; G."""

    def symmetric(self) -> tuple[Arguments, Any, Any, Callable[..., float], Witness]:
        """A network and an input that cannot tell two features apart; their positions; what a
        difference of their attributions is relative to."""

    def scalings(self) -> Iterator[tuple[float, Witness]]:
        """Factors α."""


def relative_distance(a: Tensor, b: Tensor) -> float:
    """‖a − b‖₁ relative to the larger of the two; 0 where both are zero."""
    return _relative(float((a - b).abs().sum()), larger_sum(a, b))


def larger_sum(a: Tensor, b: Tensor) -> float:
    """max(‖a‖₁, ‖b‖₁)."""
    return max(float(a.abs().sum()), float(b.abs().sum()))


def _relative(part: float, size: float) -> float:
    return part / size if size else 0.0


def sensitivity_b(subject: Subject) -> list[Finding]:
    """A feature that F does not depend on gets 0."""
    arguments, ignored, witness = subject.ignoring()
    values = subject.run(**arguments).values
    inside, size = float((values * ignored).abs().sum()), float(values.abs().sum())
    return [Finding(_relative(inside, size), subject.rounding, witness(values, inside, size))]


def implementation_invariance(subject: Subject) -> list[Finding]:
    """Two networks that compute the same function get the same attribution."""
    arguments, witness = subject.rebuilt()
    one, two = subject.plain().values, subject.run(**arguments).values
    violation = relative_distance(two, one)
    return [Finding(violation, subject.rounding, witness(violation, one, two))]


def completeness(subject: Subject) -> list[Finding]:
    """Attributions sum to F(x) − F(x')."""
    plain = subject.plain()
    change, witness = subject.output_change()
    total, everything = float(plain.values.sum()), float(plain.values.abs().sum())
    violation = _relative(abs(total - change), max(everything, abs(change)))
    tolerance = max(subject.rounding, plain.error)
    return [Finding(violation, tolerance, witness(total, change, everything))]


def linearity(subject: Subject) -> list[Finding]:
    """The attribution of a·F + b·G is a times that of F plus b times that of G."""
    both, (a, b), other, witness = subject.weighted_sum()
    whole = subject.run(**both).values
    parts = a * subject.plain().values + b * subject.run(**other).values
    violation = relative_distance(whole, parts)
    return [Finding(violation, subject.rounding, witness(violation, whole, parts))]


def symmetry(subject: Subject) -> list[Finding]:
    """Features that F cannot tell apart, equal in x and alike in x', get the same."""
    arguments, first, second, size, witness = subject.symmetric()
    values = subject.run(**arguments).values
    one, two = values[first], values[second]
    violation = _relative(float((one - two).abs().sum()), size(values, one, two))
    return [Finding(violation, subject.rounding, witness(violation, one, two))]


def homogeneity(subject: Subject) -> list[Finding]:
    """The attribution of αx is α times that of x, α ≥ 0, the baseline scaled alike."""
    findings = []
    for alpha, witness in subject.scalings():
        scaled = subject.run(inputs=alpha * subject.inputs, references=alpha * subject.references)
        plain = subject.plain()
        violation = relative_distance(scaled.values, alpha * plain.values)
        tolerance = max(subject.rounding, scaled.error + plain.error)
        findings.append(Finding(violation, tolerance, witness(violation, scaled, plain)))
    return findings


@dataclass(frozen=True)
class Axiom:
    """A column of the table."""

    name: str
    title: str  # on screen
    statement: str  # what it asks, in one sentence
    experiment: Callable[[Any], list[Finding]]  # tries it on a `Subject`


AXIOMS: Final = {
    axiom.name: axiom
    for axiom in (
        Axiom("sensitivity_a", "Sensitivity (a)",
              "If x and the baseline differ in one feature and F differs, that feature's "
              "attribution is not 0.", lambda subject: subject.sensitivity_a()),
        Axiom("sensitivity_b", "Sensitivity (b)",
              "The attribution of a feature that F does not depend on is 0.", sensitivity_b),
        Axiom("implementation_invariance", "Implementation invariance",
              "Networks that compute the same function get the same attribution.",
              implementation_invariance),
        Axiom("completeness", "Completeness",
              "Attributions sum to F(x) − F(x').", completeness),
        Axiom("linearity", "Linearity",
              "The attribution of a·F + b·G is a times F's plus b times G's.", linearity),
        Axiom("symmetry_preserving", "Symmetry",
              "Features that F cannot tell apart, with equal values, get the same.", symmetry),
        Axiom("homogeneity", "Nonnegative homogeneity",
              "The attribution of αx is α times that of x, for α ≥ 0.", homogeneity),
    )
}  # fmt: skip


def make_cell(method: str, axiom: str, findings: Sequence[Finding]) -> Cell:
    """Reduce the findings of all trials; the one furthest beyond what is allowed it is kept."""
    worst = max(findings, key=lambda one: (one.violation - one.tolerance, one.violation))
    violated = sum(finding.violation > finding.tolerance for finding in findings)
    return Cell(
        method, axiom, violated == 0, len(findings), violated, worst.violation, worst.witness,
        worst.tolerance,
    )  # fmt: skip


def verdict(holds: bool) -> str:
    """What trials can say: a counter-example refutes an axiom, no number of them proves it."""
    return "not refuted" if holds else "refuted"


def grid_text(titles: Mapping[str, str], cells: Sequence[Cell]) -> list[str]:
    """Write cells as a table of verdicts, a line a method; titles by the methods' names."""
    holds = {(cell.method, cell.axiom): cell.holds for cell in cells}
    left = max(map(len, titles.values())) + 2
    width = max(len(axiom.title) for axiom in AXIOMS.values()) + 2
    lines = [" " * left + "".join(f"{axiom.title:>{width}}" for axiom in AXIOMS.values())]
    for name, title in titles.items():
        marks = (verdict(holds[name, axiom]) for axiom in AXIOMS)
        lines.append(f"{title:<{left}}" + "".join(f"{mark:>{width}}" for mark in marks))
    return lines
