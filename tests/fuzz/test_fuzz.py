"""Spoiled files are read or refused in a sentence; tools/fuzz.py goes on for hours."""

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.fuzz.corpus import READERS, STEPS, repaired, seeds, spoiled, try_case, warm_up

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")
SEEDS = {kind: seeds(kind) for kind in READERS}
STARTS = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x40\0\0\0WEBP", b"PK\x03\x04", b"\x80"]
steps = st.lists(
    st.tuples(
        st.sampled_from(STEPS), st.integers(0, 10**6), st.integers(1, 300),
        st.binary(min_size=1, max_size=6),
    ),
    min_size=1, max_size=5,
)  # fmt: skip
bounded = settings(
    deadline=None, max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    for kind in READERS:
        warm_up(kind)


@pytest.mark.parametrize("kind", SEEDS)
@bounded
@given(st.data(), steps, st.booleans())
def test_spoiled_files(kind: str, choice: st.DataObject, steps: list, repair: bool) -> None:
    data = spoiled(choice.draw(st.sampled_from(SEEDS[kind])), steps)
    try_case(kind, repaired(data) if repair else data)


@pytest.mark.parametrize("kind", SEEDS)
@bounded
@given(st.sampled_from(STARTS), st.binary(max_size=200))
def test_random_bytes(kind: str, start: bytes, rest: bytes) -> None:
    try_case(kind, start + rest)
