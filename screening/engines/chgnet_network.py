"""CHGNet's network, written for inference: one gradient for forces and stress, nothing twice.

Deng et al., Nat. Mach. Intell. 5, 1031 (2023), doi:10.1038/s42256-023-00716-3. The arithmetic is
that of the `chgnet` package; what differs is its order:

- the first linear layer of each gated network acts on atoms, bonds and angles *before* they are
  gathered into messages (``W [a, b, c] = Wa a + Wb b + Wc c``);
- on a CPU, what happens to a message happens in one compiled loop (`chgnet_fused`);
- core and gate of each gated network are computed side by side;
- bonds above 3 Angstrom, which never change, are left out of the bond and angle updates, and the
  last angle update, which nobody reads, is left out altogether;
- distances and angles are computed in double precision, the network in single or double.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

N_CONV = 4
WIDTH = 64
CUTOFF_POWER = 8
COSINE_SCALE = 1 - 1e-6
"""As in chgnet: keeps the derivative of the angle finite at 0 and 180 degrees."""


@dataclass(frozen=True)
class Wiring:
    """How messages are made and where they go; all int64, shape ``(m,)``.

    Message e is made from row ``p[e]`` of the first table, ``q[e]`` of the second and ``r[e]`` of
    the third, has the weight ``W[a[e]]`` (times ``W[b[e]]`` unless `b` is empty), and is added to
    row ``p[e]`` of the result.
    """

    p: Tensor
    q: Tensor
    r: Tensor
    a: Tensor
    b: Tensor


@dataclass(frozen=True)
class GraphTensors:
    """`BatchGraph` as tensors on the device.

    Attributes
    ----------
    numbers
        Atomic numbers, shape ``(n,)``.
    n_short
        Bonds that take part in angles, at the front.
    left, right, sign
        Bonds of each unordered pair, and whether their vectors point the same way.
    bonds
        Messages along all bonds, from second to first atom, then from first to second.
    angles
        Messages between short bonds, from right to left, then from left to right.
    """

    numbers: Tensor
    n_short: int
    left: Tensor
    right: Tensor
    sign: Tensor
    bonds: Wiring
    angles: Wiring


class GatedNetwork:
    """``silu(norm(core)) * sigmoid(norm(gate))``, both with zero or one hidden layer.

    The first layer is split by input: `split` gives one matrix ``(64, 128)`` for each of the
    concatenated inputs, in their order; columns 0 to 63 belong to the core, the rest to the gate.

    Attributes
    ----------
    bias
        Of the first layer, shape ``(128,)``.
    hidden
        Weight and bias of the second layer, of core and gate; None where there is none.
    norms
        Weight and bias of the normalisation of the core, then of the gate, shape ``(4, 64)``.
    """

    def __init__(self, state: Mapping[str, Tensor], prefix: str) -> None:
        first = 0 if f"{prefix}.mlp_core.layers.0.weight" in state else 1
        core, gate = (f"{prefix}.mlp_{part}.layers" for part in ("core", "gate"))
        weight = torch.cat([state[f"{core}.{first}.weight"], state[f"{gate}.{first}.weight"]])
        self.split = [part.T.contiguous() for part in weight.split(WIDTH, dim=1)]
        self.bias = torch.cat([state[f"{core}.{first}.bias"], state[f"{gate}.{first}.bias"]])
        self.hidden: list[tuple[Tensor, Tensor]] | None = None
        if f"{core}.3.weight" in state:
            self.hidden = [
                (state[f"{part}.3.weight"].contiguous(), state[f"{part}.3.bias"])
                for part in (core, gate)
            ]
        names = [
            f"{prefix}.{norm}.{part}" for norm in ("bn1", "bn2") for part in ("weight", "bias")
        ]
        self.norms = torch.stack([state[name] for name in names])

    def finish(self, first_layer: Tensor) -> Tensor:
        """Compute messages ``(m, 64)`` from the summed first layer ``(m, 128)``."""
        core, gate = first_layer[:, :WIDTH], first_layer[:, WIDTH:]
        if self.hidden is not None:
            active = functional.silu(first_layer)
            core = functional.linear(active[:, :WIDTH], *self.hidden[0])
            gate = functional.linear(active[:, WIDTH:], *self.hidden[1])
        core = functional.layer_norm(core, (WIDTH,), self.norms[0], self.norms[1])
        gate = functional.layer_norm(gate, (WIDTH,), self.norms[2], self.norms[3])
        return functional.silu(core) * torch.sigmoid(gate)


class Messenger(Protocol):
    """What makes messages: `PlainMessages`, or compiled loops."""

    def make(
        self, net: GatedNetwork, tables: Sequence[Tensor], dense: Tensor | None, wiring: Wiring
    ) -> Tensor:
        """Make messages ``(m, 64)`` from three tables ``(., 128)`` and what is added to them."""
        ...

    def send(self, messages: Tensor, weights: Tensor, wiring: Wiring, n: int) -> Tensor:
        """Weight the messages and add them to n rows, shape ``(n, 64)``."""
        ...


class PlainMessages:
    """Messages with torch's own operations: on any device, in any precision."""

    def make(
        self, net: GatedNetwork, tables: Sequence[Tensor], dense: Tensor | None, wiring: Wiring
    ) -> Tensor:
        """See `Messenger`."""
        first, second, third = tables
        layer = first[wiring.p] + second[wiring.q] + third[wiring.r]
        return net.finish(layer if dense is None else layer + dense)

    def send(self, messages: Tensor, weights: Tensor, wiring: Wiring, n: int) -> Tensor:
        """See `Messenger`."""
        messages = messages * weights[wiring.a]
        if len(wiring.b):
            messages = messages * weights[wiring.b]
        return messages.new_zeros((n, WIDTH)).index_add(0, wiring.p, messages)


class ChgnetNetwork:
    """Site energies and magnetic moments from bond vectors.

    Parameters
    ----------
    state
        The `state_dict` of chgnet's model, on the device and in the precision to compute with.
    messenger
        What makes the messages.
    """

    def __init__(self, state: Mapping[str, Tensor], messenger: Messenger | None = None) -> None:
        self.state = state
        self.dtype = state["site_wise.weight"].dtype
        self.messenger = messenger or PlainMessages()
        self.atom_nets = [
            GatedNetwork(state, f"atom_conv_layers.{i}.twoBody_atom") for i in range(N_CONV)
        ]
        self.bond_nets = [
            GatedNetwork(state, f"bond_conv_layers.{i}.twoBody_bond") for i in range(N_CONV - 1)
        ]
        self.angle_nets = [
            GatedNetwork(state, f"angle_layers.{i}.twoBody_bond") for i in range(N_CONV - 2)
        ]

    def __call__(self, vectors: Tensor, graph: GraphTensors) -> tuple[Tensor, Tensor]:
        """Compute site energies without the elements' reference (eV) and moments (mu_B).

        Parameters
        ----------
        vectors
            Bond vectors (Angstrom), shape ``(m, 3)``, float64.
        graph
            Who is bonded to whom.
        """
        state, short = self.state, graph.n_short
        lengths = vectors.norm(dim=1)
        radial = self._radial("ag", lengths, 6.0)
        bonds = functional.linear(radial, state["bond_embedding.weight"])
        weights = functional.linear(radial, state["bond_weights_ag.weight"])
        near, far = bonds[:short], bonds[short:]
        near_radial = self._radial("bg", lengths[:short], 3.0)
        near_weights = functional.linear(near_radial, state["bond_weights_bg.weight"])
        angles = self._angles(vectors[:short] / lengths[:short, None], graph)
        atoms = state["atom_embedding.embedding.weight"][graph.numbers - 1]
        for layer in range(N_CONV - 1):
            atoms = self._update_atoms(layer, atoms, torch.cat([near, far]), weights, graph)
            if len(graph.left):
                net = self.bond_nets[layer]
                messages = self._between_bonds(net, atoms, near, angles, graph)
                received = self.messenger.send(messages, near_weights, graph.angles, short)
                out = state[f"bond_conv_layers.{layer}.mlp_out.layers.1.weight"]
                near = torch.addmm(near, received, out.T)
                if layer < N_CONV - 2:
                    net = self.angle_nets[layer]
                    angles = angles + self._between_bonds(net, atoms, near, angles, graph)
        moments = functional.linear(atoms, state["site_wise.weight"], state["site_wise.bias"])
        atoms = self._update_atoms(N_CONV - 1, atoms, torch.cat([near, far]), weights, graph)
        return self._read_out(atoms), moments.abs()[:, 0]

    def _radial(self, name: str, lengths: Tensor, cutoff: float) -> Tensor:
        """Smooth Bessel functions of the bond lengths, shape ``(m, 31)``."""
        p = CUTOFF_POWER
        x = lengths / cutoff
        envelope = (
            1
            - (p + 1) * (p + 2) / 2 * x**p
            + p * (p + 2) * x ** (p + 1)
            - p * (p + 1) / 2 * x ** (p + 2)
        )
        scale = (sqrt(2 / cutoff) * envelope / lengths).to(self.dtype)
        frequencies = self.state[f"bond_basis_expansion.rbf_expansion_{name}.frequencies"]
        return torch.sin(x.to(self.dtype)[:, None] * frequencies) * scale[:, None]

    def _angles(self, units: Tensor, graph: GraphTensors) -> Tensor:
        """Embedded Fourier series of the angles, for both directions of each pair."""
        cosine = (units[graph.left] * units[graph.right]).sum(dim=1) * graph.sign
        theta = torch.acos(cosine * COSINE_SCALE).to(self.dtype)
        frequencies = self.state["angle_basis_expansion.fourier_expansion.frequencies"]
        phase = theta[:, None] * frequencies
        weight = self.state["angle_embedding.weight"] / sqrt(pi)
        order = len(frequencies)
        embedded = (
            torch.sin(phase) @ weight[:, 1 : order + 1].T
            + torch.cos(phase) @ weight[:, order + 1 :].T
            + weight[:, 0] / sqrt(2)
        )
        return torch.cat([embedded, embedded])

    def _update_atoms(
        self, layer: int, atoms: Tensor, bonds: Tensor, weights: Tensor, graph: GraphTensors
    ) -> Tensor:
        """Send messages along all bonds, in both directions."""
        net = self.atom_nets[layer]
        center, bond, neighbor = net.split
        tables = (atoms @ center, atoms @ neighbor, torch.addmm(net.bias, bonds, bond))
        messages = self.messenger.make(net, tables, None, graph.bonds)
        received = self.messenger.send(messages, weights, graph.bonds, len(atoms))
        out = self.state[f"atom_conv_layers.{layer}.mlp_out.layers.1.weight"]
        return torch.addmm(atoms, received, out.T)

    def _between_bonds(
        self, net: GatedNetwork, atoms: Tensor, near: Tensor, angles: Tensor, graph: GraphTensors
    ) -> Tensor:
        """Make messages between short bonds that meet at an atom, in both directions."""
        this, other, angle, center = net.split
        tables = (near @ this, near @ other, torch.addmm(net.bias, atoms, center))
        return self.messenger.make(net, tables, angles @ angle, graph.angles)

    def _read_out(self, atoms: Tensor) -> Tensor:
        """Energies of the sites (eV), shape ``(n,)``."""
        state = self.state
        atoms = functional.layer_norm(
            atoms, (WIDTH,), state["readout_norm.weight"], state["readout_norm.bias"]
        )
        for layer in (0, 2, 4):
            atoms = functional.silu(
                functional.linear(
                    atoms, state[f"mlp.layers.{layer}.weight"], state[f"mlp.layers.{layer}.bias"]
                )
            )
        energies = functional.linear(
            atoms, state["mlp.layers.7.weight"], state["mlp.layers.7.bias"]
        )
        return energies[:, 0]
