"""Sums of gradients up to every stop of a ray, kept as one map a stop."""

from __future__ import annotations

import torch
from torch import Tensor

from xdnn_core.attribution.contrast_mesh import RayMesh
from xdnn_core.attribution.path import Path
from xdnn_core.attribution.result import relative_l1


class PrefixSums:
    """Sums of gradients up to every stop, carried back to the input one after the other."""

    def __init__(self, path: Path, x: Tensor, mesh: RayMesh) -> None:
        self._path, self._x, self._mesh = path, x, mesh
        both = torch.stack([mesh.increments, mesh.coarse_increments])  # (2, S - 1, n)
        used = (both != 0).any(dim=0)  # (S - 1, n)
        self._weights = both.to(path.start)
        self._used = used
        numbers = torch.arange(used.shape[1])
        self._last = torch.where(used, numbers, -1).amax(dim=1).tolist()
        # By interval between two stops what was summed so far, (2, N): of all points, of every
        # other one.
        self._open: dict[int, Tensor] = {}
        self._sum = path.start.new_zeros(2, path.start.numel())
        self._next = 0
        maps = (len(mesh.stops), *x.shape[2:])
        self.integrated, self.fast = x.new_zeros(maps), x.new_zeros(maps)
        self.change = x.new_zeros(len(mesh.stops))

    def add(self, first: int, gradients: Tensor, stops: Tensor) -> None:
        """Take in the gradients (k, N) from point `first` on, which hold these stops."""
        end = first + len(gradients)
        touched = self._used[:, first:end].any(dim=1).nonzero()[:, 0]
        weights = self._weights[:, touched, first:end]  # (2, a, k)
        sums = (weights.flatten(0, 1) @ gradients).unflatten(0, (2, -1))  # (2, a, N)
        for position, interval in enumerate(touched.tolist()):
            here = sums[:, position]
            self._open[interval] = self._open[interval] + here if interval in self._open else here
        self._close(end)
        if len(stops):
            at = gradients[self._mesh.stop_points[stops] - first]  # (s, N)
            alphas = self._mesh.stops[stops + 1].to(at)[:, None, None, None]
            self.fast[stops + 1] = (alphas * self._times_input(at)).sum(dim=1)

    def _close(self, end: int) -> None:
        """Finish the stops whose points all lie before `end`."""
        finished: list[Tensor] = []
        while self._next + len(finished) < len(self._last):
            interval = self._next + len(finished)
            if self._last[interval] >= end:
                break
            self._sum = self._sum + self._open.pop(interval)
            finished.append(self._sum)
        if not finished:
            return
        d = len(finished)
        values = self._times_input(torch.cat(finished)).unflatten(0, (d, 2))  # (d, 2, C, H, W)
        stops = slice(self._next + 1, self._next + 1 + d)
        self.integrated[stops] = values[:, 0].sum(dim=1)
        self.change[stops] = relative_l1(values[:, 1], values[:, 0])
        self._next += d

    def _times_input(self, sums: Tensor) -> Tensor:
        """Carry sums (m, N) back to the input and multiply, (m, C, H, W)."""
        shaped = sums.view(len(sums), *self._path.start.shape[1:])
        return self._x * self._path.to_input(shaped)
