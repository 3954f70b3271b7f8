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
    maps: tuple[Tensor, ...] = ()  # the attributions they are of, as `Axiom.maps` names them
    output: float = float("nan")  # F(x) of the function that the first of them attributes


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
    run = subject.run(**arguments)
    values, part = run.values, run.values * ignored
    inside, size = float(part.abs().sum()), float(values.abs().sum())
    sentence = witness(values, inside, size)
    return [
        Finding(_relative(inside, size), subject.rounding, sentence, (values, part), run.output)
    ]


def implementation_invariance(subject: Subject) -> list[Finding]:
    """Two networks that compute the same function get the same attribution."""
    arguments, witness = subject.rebuilt()
    plain = subject.plain()
    one, two = plain.values, subject.run(**arguments).values
    violation = relative_distance(two, one)
    sentence = witness(violation, one, two)
    return [Finding(violation, subject.rounding, sentence, (one, two), plain.output)]


def completeness(subject: Subject) -> list[Finding]:
    """Attributions sum to F(x) − F(x')."""
    plain = subject.plain()
    change, witness = subject.output_change()
    total, everything = float(plain.values.sum()), float(plain.values.abs().sum())
    violation = _relative(abs(total - change), max(everything, abs(change)))
    tolerance = max(subject.rounding, plain.error)
    sentence = witness(total, change, everything)
    return [Finding(violation, tolerance, sentence, (plain.values,), plain.output)]


def linearity(subject: Subject) -> list[Finding]:
    """The attribution of a·F + b·G is a times that of F plus b times that of G."""
    both, (a, b), other, witness = subject.weighted_sum()
    run = subject.run(**both)
    whole, parts = run.values, a * subject.plain().values + b * subject.run(**other).values
    violation = relative_distance(whole, parts)
    sentence = witness(violation, whole, parts)
    return [Finding(violation, subject.rounding, sentence, (whole, parts), run.output)]


def symmetry(subject: Subject) -> list[Finding]:
    """Features that F cannot tell apart, equal in x and alike in x', get the same."""
    arguments, first, second, size, witness = subject.symmetric()
    run = subject.run(**arguments)
    values, swapped = run.values, run.values.clone()
    one, two = values[first], values[second]
    swapped[first], swapped[second] = two, one
    violation = _relative(float((one - two).abs().sum()), size(values, one, two))
    sentence = witness(violation, one, two)
    return [Finding(violation, subject.rounding, sentence, (values, swapped), run.output)]


def homogeneity(subject: Subject) -> list[Finding]:
    """The attribution of αx is α times that of x, α ≥ 0, the baseline scaled alike."""
    findings = []
    for alpha, witness in subject.scalings():
        scaled = subject.run(inputs=alpha * subject.inputs, references=alpha * subject.references)
        plain = subject.plain()
        maps = scaled.values, alpha * plain.values
        violation = relative_distance(*maps)
        tolerance = max(subject.rounding, scaled.error + plain.error)
        sentence = witness(violation, scaled, plain)
        findings.append(Finding(violation, tolerance, sentence, maps, scaled.output))
    return findings


@dataclass(frozen=True)
class Axiom:
    """A column of the table."""

    name: str
    title: str  # on screen
    statement: str  # what it asks, in one sentence
    experiment: Callable[[Any], list[Finding]]  # tries it on a `Subject`
    maps: tuple[str, ...]  # what the maps of its findings are of
    asks_equal: bool = False  # whether it asks the two to be equal


AXIOMS: Final = {
    axiom.name: axiom
    for axiom in (
        Axiom("sensitivity_a", "Sensitivity (a)",
              "If x and the baseline differ in one feature and F differs, that feature's "
              "attribution is not 0.", lambda subject: subject.sensitivity_a(),
              ("Change of F, each region alone", "Attribution of that region")),
        Axiom("sensitivity_b", "Sensitivity (b)",
              "The attribution of a feature that F does not depend on is 0.", sensitivity_b,
              ("Attribution", "Its part in what F ignores")),
        Axiom("implementation_invariance", "Implementation invariance",
              "Networks that compute the same function get the same attribution.",
              implementation_invariance, ("Of F", "Of F built differently"), True),
        Axiom("completeness", "Completeness",
              "Attributions sum to F(x) − F(x').", completeness, ("Attribution",)),
        Axiom("linearity", "Linearity",
              "The attribution of a·F + b·G is a times F's plus b times G's.", linearity,
              ("Of a·F + b·G", "a · F's + b · G's"), True),
        Axiom("symmetry_preserving", "Symmetry",
              "Features that F cannot tell apart, with equal values, get the same.", symmetry,
              ("Of the symmetric F", "The two regions swapped"), True),
        Axiom("homogeneity", "Nonnegative homogeneity",
              "The attribution of αx is α times that of x, for α ≥ 0.", homogeneity,
              ("Of αx", "α times that of x"), True),
    )
}  # fmt: skip


def worst_of(findings: Sequence[Finding]) -> Finding:
    """The finding furthest beyond what is allowed it."""
    return max(findings, key=lambda one: (one.violation - one.tolerance, one.violation))


def make_cell(method: str, axiom: str, findings: Sequence[Finding]) -> Cell:
    """Reduce the findings of all trials to the worst of them."""
    worst = worst_of(findings)
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
