"""The server's cache of results: bounded in bytes."""

from dataclasses import dataclass

import numpy as np
import torch

from pages.common.cache import Results, bytes_held

MEGABYTE = 2**20


@dataclass(frozen=True)
class Maps:
    """As pages keep them."""

    tensor: torch.Tensor
    maps: list[np.ndarray]


def maps(megabytes: int) -> Maps:
    half = megabytes * MEGABYTE // 8
    return Maps(torch.zeros(half), [np.zeros(half // 2, np.float32) for _ in range(2)])


def test_what_a_result_holds() -> None:
    assert 4 * MEGABYTE <= bytes_held(maps(4)) < 4 * MEGABYTE + 10_000
    tensor = torch.zeros(MEGABYTE)
    array = np.zeros(MEGABYTE, np.uint8)
    views = {"a": tensor[:10], "b": [tensor[5:], tensor.numpy()[3:]]}
    assert 4 * MEGABYTE <= bytes_held(views) < 4 * MEGABYTE + 10_000, "shared parts once"
    assert MEGABYTE <= bytes_held((array[:1], array[1:])) < MEGABYTE + 10_000, "a view keeps all"
    assert bytes_held("x" * MEGABYTE) >= MEGABYTE
    circle: list[object] = [array]
    circle.append(circle)
    assert bytes_held(circle) < MEGABYTE + 10_000


def test_the_least_recently_used_goes_first() -> None:
    results = Results(limit=10 * MEGABYTE)
    for key in "abc":
        results.put(key, maps(3))
    assert results.get("a") is not None
    results.put("d", maps(3))
    assert [key for key in "abcd" if results.get(key) is not None] == ["a", "c", "d"]
    results.put("e", maps(6))
    assert [key for key in "abcde" if results.get(key) is not None] == ["d", "e"]


def test_a_result_over_the_limit_is_kept_alone() -> None:
    results = Results(limit=2 * MEGABYTE)
    results.put("small", maps(1))
    results.put("large", maps(5))
    assert results.get("small") is None
    assert results.get("large") is not None
    results.put("small", maps(1))
    assert results.get("large") is None


def test_many_small_results_stay() -> None:
    results = Results()
    for key in range(1000):
        results.put(key, key)
    assert all(results.get(key) == key for key in range(1000))
