"""The model of formation energies: two stacked ensembles with calibrated uncertainties.

Deep ensembles (Lakshminarayanan et al. 2017, arXiv:1612.01474) of networks on composition
descriptors and of Roost. The variance of a prediction is the mean of the members' own variances
plus the variance between the members, and is calibrated afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from screening.checkpoints import load_checkpoint
from screening.energy.calibration import Calibration
from screening.errors import InputError
from screening.features import descriptors
from screening.schemas import FormationEnergyDoc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from screening.composition import CompositionArray
    from screening.schemas import CheckpointRef

BATCH_SIZE = 1024


@dataclass(frozen=True)
class EnergyPrediction:
    """Formation energies of n compositions, in eV/atom.

    Attributes
    ----------
    mean, std, lower90, upper90
        Mean, calibrated standard deviation and ends of the calibrated 90 % interval, shape
        ``(n,)``, float32.
    reference
        Set of energies whose corrections the values follow.
    model
        The checkpoint.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    lower90: NDArray[np.float32]
    upper90: NDArray[np.float32]
    reference: str
    model: CheckpointRef

    def __len__(self) -> int:
        return len(self.mean)

    def document(self, i: int) -> FormationEnergyDoc:
        """Document of row `i`."""
        return FormationEnergyDoc(
            formation_energy_per_atom=float(self.mean[i]),
            uncertainty=float(self.std[i]),
            lower90=float(self.lower90[i]),
            upper90=float(self.upper90[i]),
            reference=self.reference,
            model=self.model,
        )


class EnergyModel:
    """Predicts the formation energy of the most stable structure of a composition.

    Parameters
    ----------
    arguments
        Sizes of the networks, number of members, names of the references, mean and scale of the
        energies: what the card of a checkpoint keeps.
    tensors
        Weights, calibration and the fingerprints of the formulas seen in training.
    ref
        The checkpoint.
    """

    def __init__(
        self, arguments: dict[str, Any], tensors: dict[str, NDArray[Any]], ref: CheckpointRef
    ) -> None:
        from screening.energy.network import EnergyNetwork
        from screening.energy.roost import RoostNetwork
        from screening.features.network import restore

        self.ref = ref
        self.references: tuple[str, ...] = tuple(arguments["references"])
        self.seen_formulas: NDArray[np.uint32] = tensors["seen_formulas"]
        self._center, self._spread = arguments["energy_mean"], arguments["energy_scale"]
        self._calibration = {
            fast: [Calibration(*map(float, row)) for row in tensors[name]]
            for fast, name in ((False, "calibration"), (True, "calibration_fast"))
        }
        self._stack: NDArray[np.float32] = tensors["stack"]
        n_references = len(self.references)
        self._members: dict[str, list[Any]] = {"mlp": [], "roost": []}
        for i in range(arguments["members"]):
            network = EnergyNetwork(**arguments["network"], n_references=n_references)
            restore(network, tensors, f"mlp.{i}.")
            self._members["mlp"].append(network)
        for i in range(arguments["roost_members"]):
            roost = RoostNetwork(**arguments["roost"], n_references=n_references)
            restore(roost, tensors, f"roost.{i}.")
            self._members["roost"].append(roost)

    @classmethod
    def load(cls, checkpoint: str = "energy") -> Self:
        """Load a checkpoint by name or path.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, or of another kind.
        """
        return load_checkpoint(checkpoint).build(cls, "energy")

    def predict(
        self,
        compositions: CompositionArray,
        *,
        batch_size: int = BATCH_SIZE,
        reference: str | None = None,
        fast: bool = False,
    ) -> EnergyPrediction:
        """Predict formation energies.

        Parameters
        ----------
        compositions
            ``n`` compositions; multiples of a formula give the same energy.
        batch_size
            Rows per pass; small batches stay in the cache of a core.
        reference
            Set of energies whose corrections to follow, one of `references`; None is the first.
        fast
            Use the networks on descriptors alone, with a calibration of their own.

        Raises
        ------
        InputError
            If `reference` is unknown or a row has no elements.
        """
        name = self.references[0] if reference is None else reference
        if name not in self.references:
            raise InputError(f"unknown {reference=}: this model knows {list(self.references)}")
        mean, spread = self.raw(compositions, batch_size=batch_size, fast=fast)
        column = self.references.index(name)
        factors = self._calibration[fast][column]
        mean, spread = mean[:, column], spread[:, column]
        return EnergyPrediction(
            mean=mean,
            std=factors.scale * spread,
            lower90=mean + factors.lower * spread,
            upper90=mean + factors.upper * spread,
            reference=name,
            model=self.ref,
        )

    def raw(
        self, compositions: CompositionArray, *, batch_size: int = BATCH_SIZE, fast: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Means and spreads before calibration (eV/atom), each ``(n, r)``, by reference.

        The two ensembles are mixed with the weights of the stack.
        """
        kinds = ("mlp",) if fast else ("mlp", "roost")
        parts = self.by_ensemble(compositions, batch_size=batch_size, kinds=kinds)
        if len(parts) == 1:
            return next(iter(parts.values()))
        (mlp, mlp_spread), (roost, roost_spread) = parts["mlp"], parts["roost"]
        share = self._stack
        mean = (1 - share) * mlp + share * roost
        # the variance of a mixture: within each ensemble, and between the two
        variance = (1 - share) * mlp_spread**2 + share * roost_spread**2
        variance += share * (1 - share) * (mlp - roost) ** 2
        return mean, np.sqrt(variance)

    def by_ensemble(
        self,
        compositions: CompositionArray,
        *,
        batch_size: int = BATCH_SIZE,
        kinds: Sequence[str] = ("mlp", "roost"),
    ) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Means and raw spreads (eV/atom), each ``(n, r)``, of ``mlp`` and ``roost``."""
        import torch

        from screening.energy.roost import graph_inputs

        n = len(compositions)
        shape = (n, len(self.references))
        makers = {"mlp": descriptors, "roost": graph_inputs}
        parts = {
            kind: (np.empty(shape, np.float32), np.empty(shape, np.float32))
            for kind in kinds
            if self._members[kind]
        }
        reduced = compositions.reduced()
        with torch.inference_mode():
            for start in range(0, n, batch_size):
                rows = slice(start, start + batch_size)
                for kind, (mean, spread) in parts.items():
                    inputs = torch.from_numpy(makers[kind](reduced[rows]))
                    outputs = [member(inputs) for member in self._members[kind]]
                    means, logs = (torch.stack(part) for part in zip(*outputs, strict=True))
                    variance = torch.exp(2 * logs).mean(dim=0) + means.var(dim=0, correction=0)
                    mean[rows] = means.mean(dim=0).numpy() * self._spread + self._center
                    spread[rows] = variance.sqrt().numpy() * self._spread
        return parts
