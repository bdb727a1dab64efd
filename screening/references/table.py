"""A table of known compositions: the lowest formation energy of each, on one scale."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from screening.checkpoints import checkpoint_ref, load_checkpoint
from screening.composition import CompositionArray
from screening.elements import atomic_number, symbols
from screening.errors import CheckpointError
from screening.schemas import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from screening.schemas import CheckpointRef

BUNDLED = "references-mp"
"""The table that comes with the package."""
TABLE_CLASS = "screening.references.table:ReferenceTable"
UNIT = 2e-4
"""Energies are stored as integers of this (eV/atom): a tenth of what DFT repeats."""
MAX_SYSTEM = 10
"""Largest number of elements of which all subsystems are looked up (1,023 of them)."""


@dataclass(frozen=True)
class ReferenceTable:
    """Compounds with the lowest formation energy of each composition.

    Attributes
    ----------
    compositions
        n compounds, reduced, sorted by chemical system.
    energies
        Formation energies (eV/atom), shape ``(n,)``. Elements are at 0 by definition, whether or
        not the source lists them.
    origins
        Number of the source of each energy among `sources`, shape ``(n,)``.
    sources
        Names of the sources.
    scale
        Name of the scale of all energies.
    date
        State of the sources, such as a year.
    created
        When the table was made (UTC).
    ref
        The checkpoint.
    """

    compositions: CompositionArray
    energies: NDArray[np.float64]
    origins: NDArray[np.uint8]
    sources: tuple[str, ...]
    scale: str
    date: str
    created: datetime
    ref: CheckpointRef
    _systems: dict[frozenset[int], tuple[int, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        numbers = self.compositions.numbers
        changes = (numbers[1:] != numbers[:-1]).any(axis=1)
        starts = [0, *(np.flatnonzero(changes) + 1).tolist(), len(numbers)]
        systems = {
            frozenset(row[row > 0].tolist()): (begin, end)
            for row, begin, end in zip(numbers[starts[:-1]], starts[:-1], starts[1:], strict=True)
        }
        object.__setattr__(self, "_systems", systems)

    def __len__(self) -> int:
        return len(self.energies)

    @classmethod
    def load(cls, name: str = BUNDLED) -> Self:
        """Load a table.

        Parameters
        ----------
        name
            The bundled one, one in the user's folder, or a path.

        Raises
        ------
        CheckpointError
            If there is no such checkpoint, it is damaged, or it is not a table.
        """
        checkpoint = load_checkpoint(name)
        if checkpoint.card.model != TABLE_CLASS:
            raise CheckpointError(
                f"checkpoint {name!r} is {checkpoint.card.model}, not a table of reference "
                f"energies ({TABLE_CLASS})"
            )
        card = checkpoint.card
        return cls.unpack(card.arguments, checkpoint.tensors, card.ref(), card.created)

    @classmethod
    def unpack(
        cls,
        arguments: dict[str, Any],
        tensors: dict[str, NDArray[Any]],
        ref: CheckpointRef,
        created: datetime | None = None,
    ) -> Self:
        """Make a table from the arguments and tensors of a checkpoint."""
        lengths = tensors["lengths"]
        width = int(lengths.max(initial=1))
        filled = np.arange(width) < lengths[:, None]
        numbers = np.zeros(filled.shape, dtype=np.uint8)
        counts = np.zeros(filled.shape, dtype=np.uint16)
        numbers[filled], counts[filled] = tensors["numbers"], tensors["counts"]
        return cls(
            CompositionArray(numbers, counts),
            tensors["energies"].astype(np.float64) * UNIT,
            tensors["origins"],
            tuple(arguments["sources"]),
            str(arguments["scale"]),
            str(arguments["date"]),
            created or utc_now(),
            ref,
        )

    @cached_property
    def source(self) -> str:
        """Name of the table, its version, size and date, for documents."""
        return f"{self.ref.name} {self.ref.version}: {len(self):,} compositions, {self.date}"

    @cached_property
    def formulas(self) -> list[str]:
        """Canonical formulas, in the order of the rows."""
        return self.compositions.formulas()

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {formula: row for row, formula in enumerate(self.formulas)}

    def energy(self, formula: str) -> float | None:
        """Lowest known formation energy of a composition (eV/atom); None if it is not known."""
        reduced = CompositionArray.from_formulas([formula]).reduced()
        row = self._rows.get(reduced.formulas()[0])
        return None if row is None else float(self.energies[row])

    def knows(self, formula: str) -> bool:
        """Tell whether the source lists the composition."""
        return self.energy(formula) is not None

    def system_rows(self, elements: Iterable[str]) -> NDArray[np.int64]:
        """Rows of all compounds of a chemical system and its subsystems, in order.

        Parameters
        ----------
        elements
            Symbols.
        """
        spans = [self._systems[key] for key in self._subsystems(elements) if key in self._systems]
        if not spans:
            return np.zeros(0, dtype=np.int64)
        return np.concatenate([np.arange(begin, end) for begin, end in sorted(spans)])

    def _subsystems(self, elements: Iterable[str]) -> Iterable[frozenset[int]]:
        """List the element sets of all subsystems with two elements or more."""
        numbers = sorted({atomic_number(symbol) for symbol in elements})
        if len(numbers) > MAX_SYSTEM:  # quicker over the systems that there are
            allowed = frozenset(numbers)
            return [key for key in self._systems if len(key) > 1 and key <= allowed]
        return [
            frozenset(members)
            for size in range(2, len(numbers) + 1)
            for members in combinations(numbers, size)
        ]

    def completeness(self, elements: Sequence[str]) -> dict[str, int]:
        """Count the compounds of each subsystem: ``{"Li-S": 4, "Li-Mn-S": 2, ...}``, also none."""
        counts = {}
        for key in self._subsystems(elements):
            begin, end = self._systems.get(key, (0, 0))
            counts["-".join(sorted(symbols()[z] for z in key))] = end - begin
        return counts


def pack(
    compositions: CompositionArray, energies: NDArray[np.float64], origins: NDArray[np.uint8]
) -> dict[str, NDArray[Any]]:
    """Tensors of a table, sorted by chemical system and formula.

    Parameters
    ----------
    compositions
        Reduced, each once.
    energies
        Formation energies (eV/atom), within 6.5 eV/atom of 0.
    origins
        Number of the source of each.
    """
    keys = [*compositions.counts.T[::-1], *compositions.numbers.T[::-1]]
    order = np.lexsort(keys)
    numbers, counts = compositions.numbers[order], compositions.counts[order]
    filled = numbers > 0
    kind = np.uint8 if counts.max(initial=0) < 256 else np.uint16
    return {
        "lengths": filled.sum(axis=1).astype(np.uint8),
        "numbers": numbers[filled],
        "counts": counts[filled].astype(kind),
        "energies": np.round(energies[order] / UNIT).astype(np.int16),
        "origins": origins[order].astype(np.uint8),
    }


@cache
def _table(name: str, _sha256: str) -> ReferenceTable:
    return ReferenceTable.load(name)


def reference_table(name: str = BUNDLED) -> ReferenceTable:
    """Return a table, loaded once; ``bundled`` is the one of the package."""
    checkpoint = BUNDLED if name == "bundled" else name
    return _table(checkpoint, checkpoint_ref(checkpoint).sha256)
