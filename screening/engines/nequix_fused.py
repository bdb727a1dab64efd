"""Nequix's messages on a CPU: compiled loops behind torch's automatic differentiation."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.autograd import Function

from screening.engines import nequix_kernels as kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from screening.engines.nequix_network import Pairs
    from screening.engines.nequix_paths import Layer


def fused_messages(
    layer: Layer, x: Tensor, weights: Tensor, couplings: Tensor, pairs: Pairs
) -> Tensor:
    """See `Messenger`; on a CPU, with one derivative."""
    sums: Tensor = _Messages.apply(x, weights, couplings, layer, pairs)
    return sums


def _array(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().contiguous().numpy()
    return array


@cache
def _table(layer: Layer) -> NDArray[np.int64]:
    """Describe the paths to the compiled loops."""
    return np.array(
        [
            (
                *(2 * path.l1 + 1, 2 * path.l3 + 1, path.mul),
                *(path.x, path.weight, path.coupling, path.out, path.stride),
                (-1) ** path.l2,
            )
            for path in layer.paths
        ]
    )


class _Messages(Function):
    """Sums of messages, and their derivatives."""

    @staticmethod
    def forward(  # noqa: PLR0917 - torch wants its tensors one by one
        ctx: Any, x: Tensor, weights: Tensor, couplings: Tensor, layer: Layer, pairs: Pairs
    ) -> Tensor:
        tables = (_array(x), _array(weights), _array(couplings))
        ends = (_array(pairs.centers), _array(pairs.neighbors))
        out = x.new_zeros((len(x), layer.n_out))
        kernels.forward(tables, ends, _table(layer), out.numpy())
        ctx.tables, ctx.ends, ctx.layer = tables, ends, layer
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, weights, couplings = (np.zeros_like(table) for table in ctx.tables)
        gradient = _array(gradients[0])
        kernels.backward(ctx.tables, ctx.ends, _table(ctx.layer), gradient, (x, weights, couplings))
        slopes = (torch.from_numpy(slope) for slope in (x, weights, couplings))
        return (*slopes, None, None)
