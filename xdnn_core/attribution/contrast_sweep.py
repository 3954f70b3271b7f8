"""One cumulative sweep along the ray t·x: attributions and logits at every contrast.

With G(t) = ∇F(tx), the Integrated Gradients of αx with the zero baseline are

    IG(αx) = αx ⊙ ∫₀¹ ∇F(s·αx) ds = x ⊙ ∫₀^α G(t) dt,

so one pass over t from 0 to the largest contrast holds those of every smaller one. The stops are
points of the mesh (see `ray_mesh`), so the logits and the gradient at a stop, needed for
Input×Gradient, cost no further call. What is kept is one map a stop; sums of gradients are carried
back to the input when their stop is reached, and then let go.
"""

from __future__ import annotations

import copy
import time
from typing import Final, get_args

import torch
from torch import Tensor, nn

from xdnn_core.attribution.contrast_mesh import RayMesh, position_of_one, ray_mesh, top_class
from xdnn_core.attribution.contrast_result import RaySweep, Route
from xdnn_core.attribution.contrast_sums import PrefixSums
from xdnn_core.attribution.gate import check_repeatable, require_layers
from xdnn_core.attribution.gradients import x_gradient
from xdnn_core.attribution.path import Progress, chunk_rows, path_gradients, straight_path
from xdnn_core.attribution.result import completeness_gap
from xdnn_core.attribution.target import Target, check_request, check_target, output_at_zero
from xdnn_core.device import full_float32, synchronise
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.inspection import NotHomogeneousError

# Contrasts of the slider: 0 (the mean image) over 1 (the photograph) to 1.5.
STOPS: Final[tuple[float, ...]] = tuple(round(0.05 * k, 2) for k in range(31))


@full_float32()
def ray_sweep(
    network: nn.Module,
    inputs: Tensor,
    target: Target,
    *,
    cells: int = 128,
    stops: tuple[float, ...] = STOPS,
    dtype: torch.dtype | None = None,
    route: Route | None = None,
    chunk: int | None = None,
    progress: Progress | None = None,
) -> RaySweep:
    """Attribute an image at every contrast by one sweep along the ray t·x.

    A caller's autocast, TF32 and inference mode are switched off inside.

    Parameters
    ----------
    network
        Maps (1, C, H, W) to logits (1, K); in evaluation mode.
    inputs
        x, one normalised image (1, C, H, W).
    target
        Class index, kept for all contrasts; None for a network with one output.
    cells
        Gradient calls from α = 0 to 1, at least one a stop; beyond 1 they go on as densely. Few
        (16) give a first picture.
    stops
        Contrasts from 0, ascending, 1 among them.
    dtype
        Precision of the computation; None for that of the network, torch.float64 to verify.
    route
        "scaling" for one gradient and F(αx) = αF(x), "sweep" for the mesh; None scales where the
        network is homogeneous, as `x_gradient` decides it.
    chunk
        Rows a gradient call; None chooses by the memory budget.
    progress
        Called with (points done, points) after every chunk; may raise to cancel.

    Returns
    -------
    RaySweep

    Raises
    ------
    NotHomogeneousError
        If the route is "scaling" and the network is not homogeneous.
    UserError
        If the inputs are not one finite image, the target is out of range, or cells, stops or
        the route are not allowed; and for a network as `gradient` refuses it.

    References
    ----------
    Sundararajan et al. 2017, Equation 1; Hesse et al. 2021, Equation 4.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False))
    >>> ray_sweep(network, torch.ones(1, 3, 2, 2), 0, cells=8).route
    'scaling'
    """
    x, chosen = check_request(network, inputs, target)
    if inputs.ndim != 4 or len(inputs) != 1:
        raise UserError(f"inputs has shape {tuple(inputs.shape)}; give one image, (1, C, H, W).")
    if route not in (None, *get_args(Route)):
        raise UserError(f"Route {route!r} is not known; choose sweep or scaling, or None.")
    mesh = ray_mesh(cells, stops)
    if dtype is not None:
        # A copy, because others use the network at the same time.
        network, x = copy.deepcopy(network).to(dtype), x.to(dtype)
    began = time.perf_counter()
    calls = 0
    number = None if chosen is None else int(chosen)
    if route != "sweep":
        try:
            require_layers(network, x, "once")
            calls = 1  # spent even where the numbers then show what no layer does
            return _by_scaling(network, x, number, mesh, began)
        except NotHomogeneousError:
            if route == "scaling":
                raise
    check_repeatable(network, x)
    return _by_sweep(network, x, number, mesh, chunk, progress, began, calls)


def _by_scaling(
    network: nn.Module, x: Tensor, target: int | None, mesh: RayMesh, began: float
) -> RaySweep:
    """Everything from one gradient: attributions and logits of αx are α times those of x."""
    attribution = x_gradient(network, x, target)
    with torch.no_grad():
        at_one = network(x).reshape(1, -1)  # (1, K)
    synchronise(x.device)
    stops = mesh.stops.to(at_one.dtype)
    maps = stops[:, None, None] * attribution.values[0].sum(dim=0).cpu()  # (S, 1, 1) * (H, W)
    logits = stops[:, None] * at_one.cpu()  # (S, K)
    slope = attribution.values.sum().cpu()  # ⟨∇F(tx), x⟩, the same for every t > 0
    widths = mesh.stops.diff()
    return RaySweep(
        stops=mesh.stops,
        integrated=maps,
        fast=maps,
        logits=logits,
        target=target or 0,
        top_class=top_class(logits, mesh.stops),
        estimated_error=torch.zeros_like(stops),
        completeness_gap=attribution.completeness_gap.cpu() * (mesh.stops > 0),
        points=mesh.stops[1:],
        point_weights=torch.where(mesh.stops[1:] <= 1, widths, 0.0),
        path_gradient=slope.expand(len(widths)).clone(),
        gradient_calls=1,
        seconds=time.perf_counter() - began,
        route="scaling",
    )


def _by_sweep(
    network: nn.Module,
    x: Tensor,
    target: int | None,
    mesh: RayMesh,
    chunk: int | None,
    progress: Progress | None,
    began: float,
    calls: int,
) -> RaySweep:
    """One gradient a point of the mesh; `calls` were spent before."""
    at_zero = output_at_zero(network, x)
    check_target(target, at_zero)
    path = straight_path(network, x, torch.zeros_like(x))
    prefixes = PrefixSums(path, x, mesh)
    slopes: list[Tensor] = []
    logits = [at_zero.reshape(1, -1)]
    along = path.direction.flatten()
    for part in path_gradients(path, target, mesh.points, chunk_rows(path, chunk), progress):
        flat = part.gradients.flatten(1)  # (k, 1, ...) -> (k, N)
        slopes.append(flat @ along)
        here = mesh.stops_in(part.first, len(flat))
        at = mesh.stop_points[here] - part.first
        logits.append(part.outputs.flatten(1)[at])  # (k, 1, K) -> (s, K)
        prefixes.add(part.first, flat, here)
    synchronise(x.device)
    at_stops = torch.cat(logits).cpu()  # (S, K)
    stops = mesh.stops
    rise = at_stops[:, target or 0].double()
    integrated = prefixes.integrated.cpu()
    return RaySweep(
        stops=stops,
        integrated=integrated,
        fast=prefixes.fast.cpu(),
        logits=at_stops,
        target=target or 0,
        top_class=top_class(at_stops, stops),
        estimated_error=prefixes.change.cpu(),
        completeness_gap=completeness_gap(integrated.double(), rise, rise[:1].expand_as(rise)),
        points=mesh.points,
        point_weights=mesh.weights_to(position_of_one(stops)),
        path_gradient=torch.cat(slopes).cpu(),
        gradient_calls=calls + len(mesh.points),
        seconds=time.perf_counter() - began,
        route="sweep",
    )
