"""The model of symmetries and cells: networks on composition descriptors, and votes of crystals.

Probabilities are averaged over the members of one ensemble (as in CRYSPNet, Liang et al. 2020,
doi:10.1103/PhysRevMaterials.4.123802) and stacked with the votes of known crystals of the same
stoichiometry; logarithms of sizes are averaged over another ensemble. The number of atoms in the
cell is never an input: a new composition has none.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from screening.checkpoints import checkpoint_ref, load_checkpoint
from screening.composition import CompositionArray, pretty_formula
from screening.engines.threads import one_thread
from screening.errors import InputError
from screening.features import descriptors
from screening.identity import make_id
from screening.schemas import BravaisGuess, SpaceGroupGuess, SymmetryDoc
from screening.symmetry.bravais import N_SPACE_GROUPS, class_sums, space_group_symbols
from screening.symmetry.cells import BRAVAIS, close_cells, full_cells, whole_cells
from screening.training.trees import unpack_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from screening.schemas import CheckpointRef
    from screening.symmetry.votes import Votes

BATCH_SIZE = 1024


class SymmetryModel:
    """Predicts Bravais lattice, space group, cell and volume of a composition.

    Parameters
    ----------
    arguments
        Sizes of the networks and numbers of members: what the card of a checkpoint keeps.
    tensors
        Weights, scales of the sizes, the crystals that vote, the trees of the stack, and the
        fingerprints of the formulas seen in training.
    ref
        The checkpoint.
    """

    def __init__(
        self, arguments: dict[str, Any], tensors: dict[str, NDArray[Any]], ref: CheckpointRef
    ) -> None:
        from screening.features.network import restore
        from screening.symmetry.network import SizeNetwork, SymmetryNetwork
        from screening.symmetry.stack import Stack
        from screening.symmetry.votes import Memory, VoteKernel

        self.ref = ref
        self.seen_formulas: NDArray[np.uint32] = tensors["seen_formulas"]
        self._sizes = {
            key: tensors[f"sizes.{key}"].astype(np.float64) for key in ("mean", "scale", "range")
        }
        self._symmetry_members, self._size_members = [], []
        for i in range(arguments["symmetry_members"]):
            symmetry = SymmetryNetwork(**arguments["symmetry_network"])
            restore(symmetry, tensors, f"symmetry.{i}.")
            self._symmetry_members.append(symmetry)
        for i in range(arguments["size_members"]):
            size = SizeNetwork(**arguments["size_network"])
            restore(size, tensors, f"size.{i}.")
            self._size_members.append(size)
        kernel = VoteKernel(**arguments["kernel"])
        restore(kernel, tensors, "kernel.")
        known = CompositionArray(tensors["memory.numbers"], tensors["memory.counts"])
        self._memory = Memory(kernel, known, tensors["memory.groups"].astype(np.int64))
        trees = unpack_text(tensors["stack.trees"])
        self._stack = Stack(trees, arguments["votes_weight"], tensors["stack.prior"])

    @classmethod
    def load(cls, checkpoint: str = "symmetry") -> Self:
        """Load a checkpoint by name or path.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, or of another kind.
        """
        return load_checkpoint(checkpoint).build(cls, "symmetry")

    def predict(
        self, compositions: CompositionArray, top_bravais: int = 3, top_space_groups: int = 10
    ) -> list[SymmetryDoc]:
        """Predict one document for each composition.

        Parameters
        ----------
        compositions
            ``n`` compositions; multiples of a formula give the same document.
        top_bravais, top_space_groups
            Length of the lists.

        Raises
        ------
        InputError
            If a length is out of range or a row has no elements.
        """
        if not (1 <= top_bravais <= len(BRAVAIS) and 1 <= top_space_groups <= N_SPACE_GROUPS):
            raise InputError(
                f"{top_bravais=} must be 1 to {len(BRAVAIS)} and {top_space_groups=} 1 to "
                f"{N_SPACE_GROUPS}"
            )
        classes, groups = self.probabilities(compositions)
        sizes = self._log_sizes(compositions)
        volumes, cells = np.exp(sizes[:, 0]), self._cells(sizes, compositions)
        documents = []
        for i, formula in enumerate(compositions.reduced().formulas()):
            name = pretty_formula(formula)
            lattices = _best(classes[i], top_bravais)
            best = _best(groups[i], top_space_groups)
            documents.append(
                SymmetryDoc(
                    symmetry_id=make_id("sym", name, self.ref),
                    formula=name,
                    bravais=[_bravais_guess(k, classes[i, k], cells[i, k]) for k in lattices],
                    space_groups=[_group_guess(g, groups[i, g]) for g in best],
                    volume_per_atom=float(volumes[i]),
                    model=self.ref,
                )
            )
        return documents

    def probabilities(
        self, compositions: CompositionArray
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Probabilities of the classes ``(n, 14)`` and of all space groups ``(n, 230)``.

        Rows sum to 1; the space groups of a class sum to the probability of the class. Column ``j``
        of the second array is space group ``j + 1``.
        """
        groups = np.zeros((len(compositions), N_SPACE_GROUPS))
        for rows, networks, votes in self._parts(compositions):
            groups[rows] = self._stack(networks, votes)
        return class_sums(groups), groups

    def parts(self, compositions: CompositionArray) -> dict[str, NDArray[np.float64]]:
        """Probabilities of the space groups ``(n, 230)`` by the ``networks``, ``votes``, ``mean``.

        They are what the stack is made of. Votes are 0 for stoichiometries that nobody knows.
        """
        shape = len(compositions), N_SPACE_GROUPS
        parts = {name: np.zeros(shape) for name in ("networks", "votes", "mean")}
        for rows, networks, votes in self._parts(compositions):
            parts["networks"][rows], parts["votes"][rows] = networks, votes.groups
            parts["mean"][rows] = self._stack.mean(networks, votes)
        return parts

    def _parts(
        self, compositions: CompositionArray
    ) -> Iterator[tuple[slice, NDArray[np.float64], Votes]]:
        """Rows, probabilities by the networks, and votes, batch by batch."""
        import torch

        from screening.symmetry.network import space_group_probabilities

        for rows, inputs in _batches(compositions):
            with torch.inference_mode(), one_thread():
                networks = [space_group_probabilities(m, inputs) for m in self._symmetry_members]
                votes = self._memory.votes(compositions[rows])
            yield rows, np.mean(networks, axis=0), votes

    def hidden(self, compositions: CompositionArray) -> NDArray[np.float32]:
        """Return the last hidden layer of the first network for groups, shape ``(n, width)``."""
        import torch

        trunk = self._symmetry_members[0].trunk
        with torch.inference_mode():
            parts = [trunk(inputs).numpy() for _, inputs in _batches(compositions)]
        return np.concatenate(parts)

    def volume_per_atom(self, compositions: CompositionArray) -> NDArray[np.float64]:
        """Volume of the most stable structure (Angstrom^3/atom), shape ``(n,)``."""
        volume: NDArray[np.float64] = np.exp(self._log_sizes(compositions)[:, 0])
        return volume

    def cells(self, compositions: CompositionArray) -> NDArray[np.float64]:
        """Conventional cell for each Bravais class, shape ``(n, 14, 6)``.

        a, b, c in Angstrom, alpha, beta, gamma in degrees, in the setting of the class. Each cell
        holds a whole number of formula units of the predicted volume.
        """
        return self._cells(self._log_sizes(compositions), compositions)

    def _log_sizes(self, compositions: CompositionArray) -> NDArray[np.float64]:
        """Logarithms of volume and cell parameters, ``(n, N_SIZES)``."""
        import torch

        sizes = np.zeros((len(compositions), len(self._sizes["mean"])))
        for rows, inputs in _batches(compositions):
            with torch.inference_mode(), one_thread():  # identifiers hash what follows from sizes
                for member in self._size_members:
                    sizes[rows] += member(inputs).double().numpy()
        sizes = sizes / len(self._size_members) * self._sizes["scale"] + self._sizes["mean"]
        return np.clip(sizes, *self._sizes["range"])

    def _cells(
        self, sizes: NDArray[np.float64], compositions: CompositionArray
    ) -> NDArray[np.float64]:
        from screening.symmetry.network import size_columns

        cells = [full_cells(k, np.exp(sizes[:, size_columns(k)])) for k in range(len(BRAVAIS))]
        volume: NDArray[np.float64] = np.exp(sizes[:, 0]) * compositions.reduced().n_atoms()
        return whole_cells(close_cells(np.stack(cells, axis=1)), volume)


def _batches(compositions: CompositionArray) -> Any:
    """Rows and descriptors (a tensor), batch by batch."""
    import torch

    reduced = compositions.reduced()
    for start in range(0, len(reduced), BATCH_SIZE):
        rows = slice(start, start + BATCH_SIZE)
        yield rows, torch.from_numpy(descriptors(reduced[rows]))


def _best(values: NDArray[np.float64], k: int) -> list[int]:
    """Positions of the `k` largest values, the largest first, ties by position."""
    best: list[int] = np.argsort(-values, kind="stable")[:k].tolist()
    return best


def _bravais_guess(k: int, probability: float, cell: NDArray[np.float64]) -> BravaisGuess:
    return BravaisGuess(
        bravais=BRAVAIS[k], probability=float(probability), lattice=tuple(cell.tolist())
    )


def _group_guess(column: int, probability: float) -> SpaceGroupGuess:
    symbol = space_group_symbols()[column + 1]
    return SpaceGroupGuess(number=column + 1, symbol=symbol, probability=float(probability))


@cache
def _loaded(checkpoint: str, sha256: str) -> SymmetryModel:  # noqa: ARG001 (part of the key)
    return SymmetryModel.load(checkpoint)


def volume_per_atom(
    compositions: CompositionArray, checkpoint: str = "symmetry"
) -> NDArray[np.float64]:
    """Predict the volume per atom (Angstrom^3), shape ``(n,)``, with a model that is kept loaded.

    Raises
    ------
    CheckpointError
        If the checkpoint is missing, damaged, or of another kind.
    """
    return _loaded(checkpoint, checkpoint_ref(checkpoint).sha256).volume_per_atom(compositions)
