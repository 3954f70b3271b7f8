"""Random draws of Expected Gradients that depend on (seed, step, sample) and nothing else.

A generator with a state would tie a replicate's draws to its neighbours in the stack and to the
device. Hashing counters gives every replicate its own stream: a stack of R draws what R separate
runs draw, on the CPU and on CUDA.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from xdnn_core.attribution.expected import PathDraws

_MASK = 0xFFFFFFFF
_REFERENCES, _POSITIONS = 1, 2  # streams


def replicate_seeds(seed: int, replicates: int, purpose: str) -> list[int]:
    """Derive one 32-bit seed a replicate; replicate i's does not depend on how many there are."""
    salt = [ord(letter) for letter in purpose]
    return [
        int(np.random.SeedSequence([seed + index, *salt]).generate_state(1)[0])
        for index in range(replicates)
    ]


def draw_path(
    seeds: Tensor, step: int, rows: int, samples: int, independent: bool = False
) -> PathDraws:
    """Draw references and positions of one training step."""
    shape = (len(seeds), rows, samples)
    keys = _uniform_bits(seeds, step, _REFERENCES, rows * samples)  # (R, n*k)
    permuted = keys.argsort(dim=1, stable=True) % rows
    references = (keys * rows) >> 32 if independent else permuted  # floor(u * n), u = key / 2^32
    bits = _uniform_bits(seeds, step, _POSITIONS, rows * samples)
    positions = (bits.double() + 0.5) / 2**32
    return PathDraws(references.view(shape), positions.view(shape))  # (R, n*k) -> (R, n, k)


def _uniform_bits(seeds: Tensor, step: int, stream: int, count: int) -> Tensor:
    """Hash (seed, stream, step, counter) to 32 uniform bits, (R, count), held in int64."""
    key = _mix(seeds.long() & _MASK)
    key = _mix((key + stream * 0x9E3779B9) & _MASK)
    key = _mix((key + step) & _MASK)[:, None]  # (R, 1)
    counter = torch.arange(count, device=seeds.device)  # (count,)
    return _mix(_mix((key + counter) & _MASK) ^ key)


def _mix(bits: Tensor) -> Tensor:
    """Scramble 32 bits one-to-one (two multiply–xorshift rounds).

    int64 products wrap, which leaves their low 32 bits right.
    """
    bits = ((bits ^ (bits >> 16)) * 0x7FEB352D) & _MASK
    bits = ((bits ^ (bits >> 15)) * 0x846CA68B) & _MASK
    return bits ^ (bits >> 16)
