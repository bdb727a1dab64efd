"""Generate structures of some formulas, compare them, and relax the first ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.crystal.distances import closest_contact, covalent_radii
from screening.metrics.matching import TOLERANCES, Matches
from screening.progress import report
from screening.relax import relax_structures
from screening.structure.merging import Member, Merger

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from screening.evaluation.generators.held_out import Subject
    from screening.evaluation.generators.options import GeneratorsEvaluation
    from screening.prototypes.extend import Extender
    from screening.relax.relaxer import RelaxResult
    from screening.structure import StructureGenerator

Note = Callable[["Structure", "Structure | None"], dict[str, Any]]
"""What else is noted of a structure, and of what it relaxed to."""

_REACH = 3.0
"""Distances are measured up to this (Angstrom)."""


@dataclass(frozen=True)
class Measurement:
    """What is measured of each method.

    Attributes
    ----------
    options
        The options.
    top_k
        Structures of a formula.
    seed
        Seed of the generators.
    prototypes
        The known prototypes, which tell what is new.
    note
        What else is noted of each structure.
    """

    options: GeneratorsEvaluation
    top_k: int
    seed: int
    prototypes: Extender
    note: Note | None = None

    def block(
        self,
        method: str,
        generator: StructureGenerator,
        subjects: Sequence[Subject],
        progress: tuple[int, int],
    ) -> dict[str, Any]:
        """Measure one method on some formulas.

        Parameters
        ----------
        method
            What the method is called here.
        generator
            The generator.
        subjects
            The formulas.
        progress
            Formulas done before, and of all.

        Returns
        -------
        ``formulas``: for each its name, how many structures were ``asked`` for and ``made``, and
        the processor's ``seconds``; ``rows``: for each structure method, formula, ``rank``,
        ``score``, ``atoms``, smallest ``distance`` (Angstrom, at most 3) and ``contact`` (in sums
        of covalent radii), distances from the known crystal (``loose``, ``strict``; None without a
        match), whether it is ``distinct`` from all before it, and a ``new_family`` or
        ``new_prototype``; and ``relaxed``, see `_relaxed`.
        """
        formulas, rows, structures = [], [], []
        done, total = progress
        for subject in subjects:
            started = time.process_time()
            proposals = generator.generate(subject.target, self.top_k, self.seed)
            seconds = time.process_time() - started
            made = [proposal.structure for proposal in proposals]
            formulas.append(
                {
                    "formula": subject.formula,
                    "asked": self.top_k,
                    "made": len(made),
                    "seconds": seconds,
                }
            )
            own = self._rows(method, subject, made)
            for row, proposal, first in zip(own, proposals, _first_of_family(made), strict=True):
                row |= {"score": proposal.score, "distinct": first}
            rows += own
            structures += made
            done += 1
            report(method, done, total, subject.formula)
        self._relax(rows, structures, {subject.formula: subject for subject in subjects})
        return {"formulas": formulas, "rows": rows}

    def _rows(
        self, method: str, subject: Subject, made: Sequence[Structure]
    ) -> list[dict[str, Any]]:
        """Describe structures by themselves and beside the known crystal."""
        found = Matches.of([subject.crystals[0]], [made], max(len(made), 1)).rms
        rows = []
        for rank, structure in enumerate(made, start=1):
            family, prototype = self.prototypes.known(structure)
            rows.append(
                {
                    "method": method,
                    "formula": subject.formula,
                    "rank": rank,
                    "atoms": len(structure),
                    **_contacts(structure),
                    **{name: _finite(rms[0, rank - 1]) for name, rms in found.items()},
                    "new_family": not family,
                    "new_prototype": not prototype,
                }
            )
        return rows

    def _relax(
        self,
        rows: list[dict[str, Any]],
        structures: Sequence[Structure],
        subjects: dict[str, Subject],
    ) -> None:
        """Relax the first structures of each formula."""
        chosen = [k for k, row in enumerate(rows) if row["rank"] <= self.options.relaxed]
        results = relax_structures(
            [structures[k] for k in chosen],
            self.options.relaxation(),
            engine=self.options.engine,
        )
        for k, result in zip(chosen, results, strict=True):
            known = subjects[rows[k]["formula"]].crystals[0]
            rows[k]["relaxed"] = _relaxed(structures[k], result, known)
            if self.note is not None:
                rows[k] |= self.note(structures[k], result.structure)


def _first_of_family(structures: Sequence[Structure]) -> list[bool]:
    """Tell of each structure whether it is the same crystal as none before it."""
    merger = Merger()
    first = []
    for structure in structures:
        before = len(set(merger.families))
        merger.place(Member.of(structure))
        first.append(len(set(merger.families)) > before)
    return first


def displacement(before: Structure, after: Structure) -> float:
    """Root mean square displacement of the atoms (Angstrom), as Cond-CDVAE reports it.

    Fractional coordinates are compared, to the nearest image in the lattice of `before`; not
    normalised. Sites are in the same order.
    """
    distances = before.lattice.get_all_distances(before.frac_coords, after.frac_coords)
    return float(np.sqrt((np.diagonal(distances) ** 2).mean()))


def _relaxed(before: Structure, result: RelaxResult, known: Structure) -> dict[str, Any]:
    """Describe a relaxation.

    Returns
    -------
    ``state``, ``steps``, ``energy`` (eV/atom), ``start`` (the energy before), ``volume_change``,
    and of what is usable ``displacement`` (Angstrom) and the distances from the known crystal.
    """
    doc, after = result.relaxation, result.structure
    row = {
        "state": doc.state.value,
        "steps": doc.steps,
        "energy": doc.energy_per_atom if doc.state.usable else None,
        "start": doc.initial_energy_per_atom,
        "volume_change": doc.volume_change,
        "displacement": None,
        **dict.fromkeys(TOLERANCES),
    }
    if after is not None:
        row["displacement"] = displacement(before, after)
        rms = Matches.of([known], [[after]], 1).rms
        row |= {name: _finite(values[0, 0]) for name, values in rms.items()}
    return row


def _contacts(structure: Structure) -> dict[str, float]:
    lattice, points = structure.lattice.matrix, structure.frac_coords
    radii = covalent_radii()[np.array(structure.atomic_numbers)]
    return {
        "distance": closest_contact(lattice, points, np.full(len(points), 0.5), _REACH),
        "contact": closest_contact(lattice, points, radii),
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
