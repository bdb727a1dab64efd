"""Relaxed structures that are the same crystal: the lowest in energy is kept.

At a pressure the enthalpy stands for the energy.

Structures are compared with pymatgen's StructureMatcher (doi:10.1016/j.commatsci.2012.10.028),
but only where formula, energy and volume leave it open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.crystal.symmetry_dataset import symmetry_dataset
from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymatgen.core import Structure

    from screening.schemas.structure import StructureDoc


@dataclass(frozen=True)
class DuplicateOptions:
    """What counts as the same crystal.

    Attributes
    ----------
    energy_tolerance
        Crystals further apart are different (eV/atom). Two relaxations to the same minimum end
        within a few meV/atom.
    volume_tolerance
        Crystals whose volumes per atom differ by more than this fraction are different.
    ltol, stol, angle_tol
        Tolerances of StructureMatcher: lengths (fraction), sites (fraction of the free length per
        atom), angles (degrees).
    symprec
        Tolerance of the space group (Angstrom). Crystals of different space groups are the same
        only if their distortion means nothing: see the next two.
    flat
        Largest difference of their energies (eV/atom).
    displacement
        Largest distance between their atoms, the volumes made equal (Angstrom).
    """

    energy_tolerance: float = 0.02
    volume_tolerance: float = 0.1
    ltol: float = 0.2
    stol: float = 0.3
    angle_tol: float = 5.0
    symprec: float = 0.01
    flat: float = 0.001
    displacement: float = 0.1


@dataclass(frozen=True)
class _Reduced:
    """A crystal in the form in which it is compared."""

    structure: Structure
    formula: str
    energy: float
    volume: float
    group: int | None


def find_duplicates(
    structures: Sequence[Structure],
    energies: Sequence[float],
    options: DuplicateOptions | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[int | None]:
    """Find, for each structure, the lower one that it is a duplicate of.

    Parameters
    ----------
    structures
        Relaxed structures, of one or several compositions.
    energies
        Their energies, or enthalpies at one pressure (eV/atom).
    options
        What counts as the same; by default `DuplicateOptions()`.
    progress
        Called with the number of structures done, and of all.

    Returns
    -------
    list of int or None
        Position of the lowest structure of the same crystal; None for that structure itself. Equal
        energies count in the order of the input.

    Raises
    ------
    InputError
        If the lengths differ or an energy is not finite.
    """
    if len(structures) != len(energies):
        raise InputError(f"{len(structures)} structures but {len(energies)} energies")
    if not np.isfinite(np.asarray(energies, dtype=np.float64)).all():
        raise InputError("an energy is not finite: drop failed relaxations first")
    options = options or DuplicateOptions()
    matcher = _matcher(options)
    duplicate_of: list[int | None] = [None] * len(structures)
    kept: dict[str, list[tuple[int, _Reduced]]] = {}
    order = sorted(range(len(structures)), key=lambda i: (energies[i], i))
    for done, index in enumerate(order, start=1):
        reduced = _reduce(structures[index], energies[index], options)
        known = kept.setdefault(reduced.formula, [])
        duplicate_of[index] = next(
            (i for i, other in known if _same(other, reduced, options, matcher)), None
        )
        if duplicate_of[index] is None:
            known.append((index, reduced))
        if progress is not None:
            progress(done, len(order))
    return duplicate_of


def group_duplicates(
    documents: Sequence[StructureDoc],
    options: DuplicateOptions | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[list[StructureDoc]]:
    """Group relaxed structures that are the same crystal.

    Parameters
    ----------
    documents
        Relaxed structures with usable energies, of any compositions.
    options
        What counts as the same; by default `DuplicateOptions()`.
    progress
        Called with the number of structures done, and of all.

    Returns
    -------
    list of list of StructureDoc
        Groups by formula and energy, each by energy, whatever the order of `documents`; the first
        of a group is the lowest.

    Raises
    ------
    InputError
        If a document has no usable relaxed energy.
    """
    for doc in documents:
        _energy(doc)
    ordered = sorted(documents, key=lambda doc: (doc.formula, _energy(doc), doc.structure_id))
    structures = [doc.to_structure() for doc in ordered]
    energies = [_energy(doc) for doc in ordered]
    groups: dict[int, list[StructureDoc]] = {}
    found = find_duplicates(structures, energies, options, progress=progress)
    for index, (doc, lower) in enumerate(zip(ordered, found, strict=True)):
        groups.setdefault(index if lower is None else lower, []).append(doc)
    return list(groups.values())


def _energy(doc: StructureDoc) -> float:
    relaxation = doc.relaxation
    if relaxation is None or relaxation.ranking_energy is None or not relaxation.state.usable:
        raise InputError(
            f"structure {doc.structure_id!r} has no usable relaxed energy: leave it out"
        )
    return relaxation.ranking_energy


def _reduce(structure: Structure, energy: float, options: DuplicateOptions) -> _Reduced:
    """Make the primitive Niggli cell once, not once for every comparison."""
    primitive = structure.get_primitive_structure(tolerance=options.displacement)
    primitive = primitive.get_reduced_structure("niggli")
    numbers = [site.specie.Z for site in structure]
    symmetry = symmetry_dataset(
        structure.lattice.matrix, structure.frac_coords, numbers, options.symprec
    )
    return _Reduced(
        primitive,
        structure.composition.reduced_formula,
        float(energy),
        primitive.volume / len(primitive),
        None if symmetry is None else int(symmetry.number),
    )


def _same(first: _Reduced, second: _Reduced, options: DuplicateOptions, matcher: Any) -> bool:
    if len(first.structure) != len(second.structure):
        return False
    difference = abs(first.energy - second.energy)
    if difference > options.energy_tolerance:
        return False
    if abs(first.volume / second.volume - 1) > options.volume_tolerance:
        return False
    if first.group == second.group:
        return bool(matcher.fit(first.structure, second.structure, skip_structure_reduction=True))
    return difference <= options.flat and _undistorted(first, second, options, matcher)


def _undistorted(
    first: _Reduced, second: _Reduced, options: DuplicateOptions, matcher: Any
) -> bool:
    """Tell whether no atom of one crystal is far from its place in the other."""
    # both are reduced already; the matcher was made not to look for smaller cells
    distances = matcher.get_rms_dist(first.structure, second.structure)
    if distances is None:
        return False
    length = ((first.volume + second.volume) / 2) ** (1 / 3)
    return bool(distances[1] * length <= options.displacement)


def _matcher(options: DuplicateOptions) -> Any:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(
        ltol=options.ltol,
        stol=options.stol,
        angle_tol=options.angle_tol,
        primitive_cell=False,
        attempt_supercell=False,
    )
