"""The likely compositions of a chemical system as a generator of campaigns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from screening.checkpoints import checkpoint_ref
from screening.composition import CompositionArray
from screening.elements import atomic_number
from screening.errors import InputError
from screening.site_likelihood import BANK, CHECKPOINT, MAX_ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.schemas import CheckpointRef


@dataclass(frozen=True)
class SiteLikelihoodGenerator:
    """Compositions that suit the known templates, the likeliest first.

    Attributes
    ----------
    elements
        Symbols of the chemical system; its subsystems are included.
    required
        Symbols that every composition has.
    excluded
        Symbols that none has.
    min_elements, max_elements, max_atoms
        Limits of the reduced formula unit.
    limit
        Most compositions altogether; None for all.
    batch_size
        Compositions in a batch.
    checkpoint
        The site networks.
    """

    name: ClassVar[str] = "site-likelihood"
    elements: tuple[str, ...]
    required: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    min_elements: int = 2
    max_elements: int = MAX_ELEMENTS
    max_atoms: int | None = None
    limit: int | None = None
    batch_size: int = 10_000
    checkpoint: str = CHECKPOINT

    def __post_init__(self) -> None:
        """Check the system, so that it is an error here and not in the first batch."""
        for symbol in (*self.elements, *self.required, *self.excluded):
            atomic_number(symbol)
        allowed = set(self.elements) - set(self.excluded)
        if not 1 <= len(allowed) <= MAX_ELEMENTS or set(self.required) - allowed:
            raise InputError(
                f"method='site-likelihood' needs a chemsys that leaves 1 to {MAX_ELEMENTS} "
                f"elements and holds the required ones: it leaves {sorted(allowed)}, required are "
                f"{list(self.required)}"
            )

    @property
    def model(self) -> CheckpointRef:
        """The networks."""
        return checkpoint_ref(self.checkpoint)

    @cached_property
    def _ranked(self) -> CompositionArray:
        """All compositions within the limits, best first; ties in the order of the systems."""
        from screening.site_likelihood.compositions import LikelyCompositions

        likely = LikelyCompositions.load(self.checkpoint, BANK)
        parts, scores = [], []
        for system in self._systems():
            found = likely.of(system)
            parts.append(found.compositions())
            scores.append(found.scores)
        packed = CompositionArray.concatenate(parts)
        order = np.argsort(-np.concatenate([np.zeros(0), *scores]), kind="stable")
        if self.max_atoms is not None:
            order = order[packed.n_atoms()[order] <= self.max_atoms]
        return packed[order[: self.limit]]

    def _systems(self) -> list[tuple[int, ...]]:
        """Atomic numbers of the systems that are asked for."""
        allowed = set(self.elements) - set(self.excluded)
        numbers = sorted(atomic_number(symbol) for symbol in allowed)
        needed = {atomic_number(symbol) for symbol in self.required}
        sizes = range(max(1, self.min_elements), min(self.max_elements, len(numbers)) + 1)
        return [
            chosen
            for size in sizes
            for chosen in combinations(numbers, size)
            if needed <= set(chosen)
        ]

    def n_batches(self) -> int:
        """Count the batches; their numbers start at 0."""
        return ceil(len(self._ranked) / self.batch_size)

    def n_samples(self, number: int) -> int:
        """Count the compositions of batch `number`."""
        return len(self.batch(number))

    def batch(self, number: int) -> CompositionArray:
        """Make batch `number`: reduced compositions, each once, the likeliest first."""
        if not 0 <= number < self.n_batches():
            raise InputError(
                f"batch {number=} does not exist: there are {self.n_batches()}, from 0"
            )
        start = number * self.batch_size
        return self._ranked[start : start + self.batch_size]


def make_site_likelihood(
    method: str,
    *,
    chemsys: Sequence[str] | None = None,
    required: Sequence[str] = (),
    excluded: Sequence[str] = (),
    min_elements: int | None = None,
    max_elements: int | None = None,
    max_atoms: int | None = None,
    n_samples: int | None = None,
    batch_size: int = 10_000,
    checkpoint: str | None = None,
    formulas: Sequence[str] | None = None,
    **_: Any,
) -> SiteLikelihoodGenerator:
    """Make the generator of the fields of a campaign's section; it draws no samples.

    Parameters
    ----------
    method
        Name in the registry.
    chemsys, required, excluded, min_elements, max_elements, max_atoms, batch_size, checkpoint
        See `SiteLikelihoodGenerator`; None for its defaults.
    n_samples
        Maximum number of compositions.
    formulas
        Belong to another method.

    Raises
    ------
    InputError
        If there are `formulas`, or the chemical space is empty.
    """
    if formulas is not None:
        raise InputError(f"{method=}: formulas are for method='formulas'")
    limits = {"min_elements": min_elements, "max_elements": max_elements}
    return SiteLikelihoodGenerator(
        elements=tuple(chemsys or ()),
        required=tuple(required),
        excluded=tuple(excluded),
        max_atoms=max_atoms,
        limit=n_samples,
        batch_size=batch_size,
        checkpoint=checkpoint or CHECKPOINT,
        **{name: value for name, value in limits.items() if value is not None},
    )
