"""Relaxed crystals made true minima: symmetry gained where it is free, given up where it costs.

A relaxation that keeps the space group of its start has two blind sides. A start of low symmetry
ends close to a higher one without reaching it; a start of high symmetry may end at a saddle point.
So a crystal that has more symmetry within `MinimaOptions.symprecs` is moved there and relaxed on,
and a symmetric crystal is relaxed once more from a copy whose symmetry is slightly broken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.crystal.symmetry_dataset import symmetry_dataset
from screening.engines.descent.symmetry import symmetrised
from screening.identity import derive_seed
from screening.progress import listen
from screening.relax.continuation import continued
from screening.relax.duplicates import find_duplicates
from screening.relax.relaxer import relax_structures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymatgen.core import Structure

    from screening.engines import EngineSpec
    from screening.engines.descent.options import RelaxOptions
    from screening.relax.relaxer import RelaxResult

    Relax = Callable[[Sequence[Structure], RelaxOptions], list[RelaxResult]]


@dataclass(frozen=True)
class MinimaOptions:
    """When symmetry is gained or given up.

    Attributes
    ----------
    symprecs
        A crystal that has more symmetry within the first of these distances (Angstrom) is moved
        there, else within the next one ...
    energy
        ... if that raises its energy by no more than this (eV/atom). By more than this a crystal
        of broken symmetry has to be lower than the symmetric one to count.
    rattle
        Standard deviation of the displacements that break the symmetry (Angstrom).
    strain
        Standard deviation of the strains that break the symmetry.
    tightness
        Forces and stresses of that relaxation end at so much of the usual goal.
    window
        Only crystals at most this far above the lowest of their composition (eV/atom) are relaxed
        with broken symmetry; 0 for none.
    """

    symprecs: tuple[float, ...] = (0.1, 0.05, 0.025)
    energy: float = 0.001
    rattle: float = 0.04
    strain: float = 0.005
    tightness: float = 0.2
    window: float = 0.05


@dataclass(frozen=True)
class Minima:
    """Relaxed crystals, and the lower ones that some of them lead to.

    Attributes
    ----------
    results
        One for each structure that was given.
    children
        By position of the parent: crystals of broken symmetry, lower than their parents.
    """

    results: list[RelaxResult]
    children: dict[int, RelaxResult]


def relax_to_minima(
    structures: Sequence[Structure],
    options: RelaxOptions,
    minima: MinimaOptions,
    *,
    breakable: Sequence[bool],
    engine: EngineSpec = "chgnet",
    device: str = "cpu",
    processes: int = 1,
    on_done: Callable[[int, RelaxResult], None] | None = None,
) -> Minima:
    """Relax structures, gain the symmetry that is close, and follow saddle points down.

    Parameters
    ----------
    structures
        Ordered structures.
    options, engine, device, processes, on_done
        As for `relax_structures`; the function is called for the first relaxations only.
    minima
        When symmetry is gained or given up.
    breakable
        For each structure, whether its symmetry may be broken.

    Raises
    ------
    InputError, EngineError
        As for `relax_structures`.
    """
    common: dict[str, Any] = {"engine": engine, "device": device, "processes": processes}

    def relax(starts: Sequence[Structure], changed: RelaxOptions) -> list[RelaxResult]:
        with listen(lambda _: None):  # the bar counts the structures that were given
            return relax_structures(starts, changed, **common) if starts else []

    results = relax_structures(structures, options, on_done=on_done, **common)
    results = gain_symmetry(results, options, minima, relax)
    chosen = [place for place, may_break in enumerate(breakable) if may_break]
    if not (options.fix_symmetry and minima.window):
        return Minima(results, {})
    lower = break_symmetry([results[place] for place in chosen], options, minima, relax)
    return Minima(results, {chosen[place]: result for place, result in lower.items()})


def gain_symmetry(
    results: Sequence[RelaxResult],
    options: RelaxOptions,
    minima: MinimaOptions,
    relax: Relax,
) -> list[RelaxResult]:
    """Move crystals to the symmetry that they nearly have, where their energy allows it.

    Parameters
    ----------
    results
        Relaxed crystals.
    options
        How they were relaxed.
    minima
        What is close, and what a symmetry may cost.
    relax
        Relaxes structures.

    Returns
    -------
    list of RelaxResult
        The same results, those that gained symmetry with what was done since.
    """
    settled = list(results)
    gained: set[int] = set()
    for symprec in minima.symprecs:
        starts = {
            place: exact
            for place, result in enumerate(settled)
            if place not in gained and (exact := _nearly(result, options, symprec)) is not None
        }
        relaxed = relax(list(starts.values()), replace(options, fix_symmetry=True))
        for place, result in zip(starts, relaxed, strict=True):
            if _rise(settled[place], result) <= minima.energy:
                doc = continued(settled[place].relaxation, result.relaxation)
                settled[place] = replace(result, relaxation=doc)
                gained.add(place)
    return settled


def break_symmetry(
    results: Sequence[RelaxResult],
    options: RelaxOptions,
    minima: MinimaOptions,
    relax: Relax,
) -> dict[int, RelaxResult]:
    """Relax symmetric crystals again, from copies of slightly broken symmetry.

    Parameters
    ----------
    results
        Relaxed crystals. Of those that are one crystal only the lowest is tried.
    options, minima, relax
        As for `gain_symmetry`.

    Returns
    -------
    dict of int to RelaxResult
        By position in `results`: the lower crystal that a saddle point leads to.
    """
    chosen = _lowest(results, options, minima)
    copies = [_broken(structure, minima) for structure in chosen.values()]
    # close to a saddle point forces are small: with the usual goal nothing would move
    fmax, max_stress = minima.tightness * options.fmax, minima.tightness * options.max_stress
    free = replace(options, fix_symmetry=False, fmax=fmax, max_stress=max_stress)
    relaxed = relax(copies, free)
    lower = {
        place: result
        for place, result in zip(chosen, relaxed, strict=True)
        if _rise(results[place], result) < -minima.energy
    }
    settled = gain_symmetry(list(lower.values()), options, minima, relax)
    return dict(zip(lower, settled, strict=True))


def n_operations(structure: Structure, symprec: float) -> int:
    """Count the symmetry operations of a cell; 1 where spglib finds none."""
    numbers = [site.specie.Z for site in structure]
    data = symmetry_dataset(structure.lattice.matrix, structure.frac_coords, numbers, symprec)
    return 1 if data is None else len(data.rotations)


def _nearly(result: RelaxResult, options: RelaxOptions, symprec: float) -> Structure | None:
    """Move a relaxed crystal to the symmetry that it has within a distance, if that is more."""
    structure = result.structure
    if structure is None or not np.isfinite(_energy(result)):
        return None
    if n_operations(structure, symprec) <= n_operations(structure, options.symprec):
        return None
    return symmetrised(structure, symprec)


def _lowest(
    results: Sequence[RelaxResult], options: RelaxOptions, minima: MinimaOptions
) -> dict[int, Structure]:
    """Choose the symmetric crystals close to the lowest of their composition, each once."""
    crystals = {
        place: result.structure
        for place, result in enumerate(results)
        if result.structure is not None and np.isfinite(_energy(result))
    }
    energies = {place: _energy(results[place]) for place in crystals}
    copies = find_duplicates(list(crystals.values()), list(energies.values()))
    lowest: dict[str, float] = {}
    for place, structure in crystals.items():
        formula = structure.composition.reduced_formula
        lowest[formula] = min(energies[place], lowest.get(formula, np.inf))
    return {
        place: structure
        for (place, structure), copy in zip(crystals.items(), copies, strict=True)
        if copy is None
        and energies[place] <= lowest[structure.composition.reduced_formula] + minima.window
        and n_operations(structure, options.symprec) > 1
    }


def _broken(structure: Structure, minima: MinimaOptions) -> Structure:
    """Displace atoms and strain the cell at random; the same crystal always in the same way."""
    from pymatgen.core import Structure as Crystal

    seed = derive_seed(structure.composition.formula, structure.frac_coords.round(3) + 0.0)
    rng = np.random.default_rng(seed)
    strain = rng.normal(0, minima.strain, (3, 3))
    lattice = structure.lattice.matrix @ (np.eye(3) + (strain + strain.T) / 2)
    steps = rng.normal(0, minima.rattle, (len(structure), 3))
    positions = structure.frac_coords @ lattice + steps - steps.mean(axis=0)
    return Crystal(lattice, structure.species, positions, coords_are_cartesian=True)


def _energy(result: RelaxResult) -> float:
    """Return what decides between phases (eV/atom); infinite where there is nothing."""
    energy = result.relaxation.ranking_energy
    usable = result.relaxation.state.usable and result.structure is not None
    return energy if usable and energy is not None else np.inf


def _rise(before: RelaxResult, after: RelaxResult) -> float:
    """Return how much higher the second crystal is (eV/atom); infinite where it is not usable."""
    return _energy(after) - _energy(before)
