"""Entries of a hull on the scale of DFT, against a table of reference compounds.

Between the crystals of one formula a potential decides, between formulas the references do. A
compound that the table lists is put where the table has it, and other crystals of its formula are
as much higher as the potential says, provided that the potential's formation energy agrees with
the table's. A new compound is where its fitted formation energy puts it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from screening.composition import CompositionArray, chemical_system, pretty_formula
from screening.energy_scale import energy_scale
from screening.references.diagram import Diagram, Phase
from screening.references.table import reference_table
from screening.schemas.hull import ReferencePlace, ReferenceSource

if TYPE_CHECKING:
    from screening.energy_scale import EnergyScale
    from screening.references.diagram import Placement
    from screening.references.table import ReferenceTable
    from screening.schemas.hull import HullDoc

OWN = "own"
"""Instead of the name of a table: no reference compounds but the relaxed ones."""
SIZES = (2, 3)
"""Systems of these numbers of elements are named where the table has none of them."""


@dataclass(frozen=True)
class _Crystal:
    """One entry on the scale; energies in eV/atom."""

    entry_id: str
    formula: str
    energy: float
    lower: float
    upper: float
    from_table: bool = False


def reference_checkpoints(engine: str, reference: str, pressure: float) -> dict[str, list[str]]:
    """Name what `add_references` would use, with digests; empty where it has nothing to add.

    Parameters
    ----------
    engine
        Source of the energies.
    reference
        ``own`` for no references, ``bundled``, or the name of a table.
    pressure
        Pressure of the hull (GPa): reference energies are those of crystals at none.

    Raises
    ------
    CheckpointError
        If there is no such table.
    """
    scale = energy_scale(engine)
    if reference == OWN or pressure or scale is None:
        return {}
    refs = (scale.ref, reference_table(reference).ref)
    return {"references": [f"{ref.name} {ref.sha256}" for ref in refs]}


def add_references(hull: HullDoc, engine: str, reference: str) -> None:
    """Add to a hull the places of its entries against reference compounds, and their ground.

    Parameters
    ----------
    hull
        Changed in place.
    engine, reference
        As in `reference_checkpoints`, which must not be empty for them.
    """
    scale, table = energy_scale(engine), reference_table(reference)
    if scale is None:
        return
    placed = place_hull(hull, scale, table)
    for entry in hull.entries:
        entry.reference = placed.get(entry.entry_id)
    hull.reference_source = reference_source(scale, table)
    hull.searched = [*hull.searched, composition_source(table)]


def composition_source(table: ReferenceTable) -> ReferenceSource:
    """Describe a table as a source of known compositions."""
    return ReferenceSource(name=table.source, date=table.created, scope="compositions")


def reference_source(scale: EnergyScale, table: ReferenceTable) -> str:
    """Name the ground of distances: energies, scale, and the references with their date."""
    return f"{scale.source}; against {table.source}"


def place_hull(
    hull: HullDoc, scale: EnergyScale, table: ReferenceTable
) -> dict[str, ReferencePlace]:
    """Place all entries of a hull against the reference compounds and against each other.

    Relaxed compounds that the table lacks join the reference compounds. They do so with the upper
    end of their interval where known compounds are judged: only a clear discovery makes a known
    compound unstable. Among each other they join with their values.

    Parameters
    ----------
    hull
        A hull at no pressure, with energies of the scale's engine.
    scale
        Puts its energies on the scale of the table.
    table
        The reference compounds.

    Returns
    -------
    dict of str to ReferencePlace
        By entry_id. Entries whose energy is not trusted, or with an element that the scale does not
        know, are left out.
    """
    crystals = _with_table(_on_scale(hull, scale), scale, table)
    elements = hull.chemsys.split("-")
    joined = {
        known: Diagram(table, elements, extra=_new_compounds(crystals, cautious=known))
        for known in (False, True)
    }
    place = cache(lambda formula, known: joined[known].place(formula))
    ground = cache(lambda formula: _completeness(formula, table))
    return {
        crystal.entry_id: ReferencePlace(
            **_distances(crystal, place(crystal.formula, crystal.from_table)),
            **ground(crystal.formula),
        )
        for crystal in crystals
    }


def _distances(crystal: _Crystal, placement: Placement) -> dict[str, object]:
    """Fields that follow from the energy and the diagram."""
    return {
        "formation_energy_per_atom": crystal.energy,
        "formation_energy_interval": (crystal.lower, crystal.upper),
        "energy_above_hull": placement.above_hull(crystal.energy),
        "energy_above_hull_interval": (
            placement.above_hull(crystal.lower),
            placement.above_hull(crystal.upper),
        ),
        "decomposition_enthalpy": placement.decomposition_enthalpy(crystal.energy),
        "decomposes_to": {
            pretty_formula(name): share for name, share in placement.products.items()
        },
        "composition_known": placement.known_energy is not None,
        "from_table": crystal.from_table,
    }


def _completeness(formula: str, table: ReferenceTable) -> dict[str, object]:
    """How many compounds the table has in the system of a formula, and where it has none."""
    counts = table.completeness(chemical_system(formula).split("-"))
    return {
        "n_references": sum(counts.values()),
        "systems_without_reference": [
            system
            for system, count in counts.items()
            if not count and system.count("-") + 1 in SIZES
        ],
    }


def _on_scale(hull: HullDoc, scale: EnergyScale) -> list[_Crystal]:
    """Put the trusted entries on the scale."""
    entries = [entry for entry in hull.entries if entry.outlier is None]
    if not entries:
        return []
    compositions = CompositionArray.from_formulas([entry.formula for entry in entries])
    energies = [entry.energy_per_atom for entry in entries]
    scaled = scale.formation_energies(compositions, energies)
    rows = zip(
        entries,
        compositions.reduced().formulas(),
        scaled.values.tolist(),
        scaled.lower.tolist(),
        scaled.upper.tolist(),
        strict=True,
    )
    return [
        _Crystal(entry.entry_id, *numbers) for entry, *numbers in rows if np.isfinite(numbers[1])
    ]


def _with_table(
    crystals: list[_Crystal], scale: EnergyScale, table: ReferenceTable
) -> list[_Crystal]:
    """Put crystals of known compositions where the table has them, if the potential agrees."""
    by_formula: dict[str, list[_Crystal]] = defaultdict(list)
    for crystal in crystals:
        by_formula[crystal.formula].append(crystal)
    result = []
    for formula, group in by_formula.items():
        known = table.energy(formula)
        lowest = min(group, key=lambda crystal: crystal.energy)
        if known is None or not lowest.lower <= known <= lowest.upper:
            result += group
            continue
        for crystal in group:
            ends = crystal.lower - crystal.energy, crystal.upper - crystal.energy
            below, above = scale.polymorph_ends or ends
            energy = known + (crystal.energy - lowest.energy)
            result.append(
                replace(
                    crystal,
                    energy=energy,
                    lower=energy + below,
                    upper=energy + above,
                    from_table=True,
                )
            )
    return result


def _new_compounds(crystals: list[_Crystal], *, cautious: bool) -> list[Phase]:
    """List the lowest crystal of each formula whose energy is not the table's.

    Parameters
    ----------
    crystals
        All crystals.
    cautious
        Take the upper ends of the intervals.
    """
    lowest: dict[str, float] = {}
    for crystal in crystals:
        if not crystal.from_table:
            energy = crystal.upper if cautious else crystal.energy
            lowest[crystal.formula] = min(energy, lowest.get(crystal.formula, np.inf))
    return [Phase(formula, energy) for formula, energy in sorted(lowest.items())]
