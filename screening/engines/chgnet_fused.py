"""CHGNet's messages on a CPU: compiled loops behind torch's automatic differentiation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.autograd import Function

from screening.engines import chgnet_kernels as kernels
from screening.engines.chgnet_network import WIDTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from screening.engines.chgnet_network import GatedNetwork, Wiring


class FusedMessages:
    """A `Messenger` for float32 on a CPU; equal to `PlainMessages` to rounding."""

    def make(
        self, net: GatedNetwork, tables: Sequence[Tensor], dense: Tensor | None, wiring: Wiring
    ) -> Tensor:
        """See `Messenger`."""
        none = tables[0].new_zeros((0, 2 * WIDTH)) if dense is None else dense
        made: Tensor = _Make.apply(*tables, none, net, wiring)
        return made

    def send(self, messages: Tensor, weights: Tensor, wiring: Wiring, n: int) -> Tensor:
        """See `Messenger`."""
        sent: Tensor = _Send.apply(messages, weights, wiring, n)
        return sent


def _array(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().contiguous().numpy()
    return array


def _empty(rows: int) -> Tensor:
    return torch.empty((rows, WIDTH))


class _Make(Function):
    """Gather, activate, second layer, normalise, gate."""

    @staticmethod
    def forward(  # noqa: PLR0917 - torch wants its tensors one by one
        ctx: Any,
        first: Tensor,
        second: Tensor,
        third: Tensor,
        dense: Tensor,
        net: GatedNetwork,
        wiring: Wiring,
    ) -> Tensor:
        m = len(wiring.p)
        index = (_array(wiring.p), _array(wiring.q), _array(wiring.r))
        core, gate = _empty(m), _empty(m)
        tables = (_array(first), _array(second), _array(third))
        kernels.gather(tables, index, _array(dense), core.numpy(), gate.numpy())
        slopes = None
        if net.hidden is not None:
            slopes = (_empty(m), _empty(m))
            for x, slope in zip((core, gate), slopes, strict=True):
                kernels.activate(x.view(-1).numpy(), slope.view(-1).numpy())
            (weight_c, bias_c), (weight_g, bias_g) = net.hidden
            core = torch.addmm(bias_c, core, weight_c.T)
            gate = torch.addmm(bias_g, gate, weight_g.T)
        layers = (core.numpy(), gate.numpy())
        out = _empty(m)
        kernels.close(layers, _array(net.norms), out.numpy())
        ctx.net, ctx.index, ctx.layers, ctx.slopes = net, index, layers, slopes
        ctx.rows = [len(table) for table in (*tables, dense)]
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        net = ctx.net
        d_core, d_gate = _empty(len(ctx.layers[0])), _empty(len(ctx.layers[0]))
        norms = _array(net.norms)
        layers = (d_core.numpy(), d_gate.numpy())
        kernels.close_back(ctx.layers, norms, _array(gradients[0]), layers)
        if net.hidden is not None:
            d_core = (d_core @ net.hidden[0][0]).mul_(ctx.slopes[0])
            d_gate = (d_gate @ net.hidden[1][0]).mul_(ctx.slopes[1])
        first, second, third, dense = (torch.zeros((rows, 2 * WIDTH)) for rows in ctx.rows)
        tables = (first.numpy(), second.numpy(), third.numpy())
        kernels.scatter((d_core.numpy(), d_gate.numpy()), ctx.index, tables, dense.numpy())
        return first, second, third, dense, None, None


class _Send(Function):
    """Weight messages and add them up."""

    @staticmethod
    def forward(ctx: Any, messages: Tensor, weights: Tensor, wiring: Wiring, n: int) -> Tensor:
        ctx.inputs = (_array(messages), _array(weights))
        ctx.index = (_array(wiring.p), _array(wiring.a), _array(wiring.b))
        out = torch.zeros((n, WIDTH))
        kernels.send(ctx.inputs[0], ctx.inputs[1], ctx.index, out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        messages, weights = ctx.inputs
        d_messages, d_weights = torch.empty(messages.shape), torch.zeros(weights.shape)
        derivatives = (d_messages.numpy(), d_weights.numpy())
        kernels.send_back(ctx.inputs, ctx.index, _array(gradients[0]), derivatives)
        return d_messages, d_weights, None, None
