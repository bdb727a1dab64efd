"""Where crystals that were found earlier stand against a newer hull.

A hull of a system replaces all earlier hulls of that system and its subsystems with energies of the
same source. `revise` says what follows for every crystal that has been described, also for one
that has left the window of discoveries, so that no two crystals of one formula are ever compared
with different hulls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from screening.hull.diagram import energies_above
from screening.hull.entry import PhaseEntry
from screening.identity import make_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from screening.schemas.hull import HullDoc, HullEntry, ReferencePlace

STABLE = 1e-6
"""Largest distance to the hull of a stable entry (eV/atom): rounding only."""


class HullRef(NamedTuple):
    """A hull in short; of two that hold a system, the greater one is the newer."""

    created: datetime
    hull_id: str
    chemsys: str


def newest_hull(hulls: Iterable[HullRef], chemsys: str) -> HullRef | None:
    """Find the newest hull that holds a system, among hulls of one source of energies.

    Parameters
    ----------
    hulls
        Hulls in any order.
    chemsys
        Chemical system.
    """
    elements = set(chemsys.split("-"))
    return max((hull for hull in hulls if elements <= set(hull.chemsys.split("-"))), default=None)


@dataclass(frozen=True)
class Crystal:
    """A crystal that has been described as a material.

    Attributes
    ----------
    structure_id
        Its relaxed structure.
    composition
        Atoms of each element.
    energy
        Energy, or at a pressure enthalpy (eV/atom), of the hull's source.
    """

    structure_id: str
    composition: dict[str, float]
    energy: float


@dataclass(frozen=True)
class Standing:
    """The place of a crystal against a hull, where it is not an entry of its own.

    Attributes
    ----------
    formation_energy_per_atom, energy_above_hull
        In eV/atom.
    decomposition
        Stable phases (entry_id) and their atomic fractions.
    superseded_by
        The material of lower energy that is the same crystal, or the hull that lacks the crystal.
    reference
        Its place against reference compounds, where the crystal that replaces it has one.
    """

    formation_energy_per_atom: float
    energy_above_hull: float
    decomposition: dict[str, float]
    superseded_by: str
    reference: ReferencePlace | None = None

    @property
    def distance(self) -> float:
        """What decides (eV/atom): the distance to the reference compounds, or to the hull."""
        return self.reference.energy_above_hull if self.reference else self.energy_above_hull


@dataclass
class Revision:
    """What a hull says of the crystals of its system.

    Attributes
    ----------
    entries
        Entries that are described as materials: those in the window, and those that have been.
    standings
        By structure_id, the crystals that are no entry of their own (any more).
    """

    entries: list[HullEntry] = field(default_factory=list)
    standings: dict[str, Standing] = field(default_factory=dict)


def material_id(structure_id: str) -> str:
    """Name the material of a relaxed structure."""
    return make_id("mat", structure_id)


def ranking_energy(energy: float, enthalpy: float | None, pressure: float) -> float:
    """Choose what a hull is made of (eV/atom): the energy, or at a pressure the enthalpy."""
    return enthalpy if pressure and enthalpy is not None else energy


def is_stable(energy_above_hull: float) -> bool:
    """Tell whether a distance (eV/atom) is that of a phase on the hull."""
    return energy_above_hull <= STABLE


def revise(
    hull: HullDoc, systems: set[str], crystals: Sequence[Crystal], max_above_hull: float
) -> Revision:
    """Place every described crystal against a hull.

    Parameters
    ----------
    hull
        The newest hull of the systems.
    systems
        Only entries and crystals of these chemical systems count.
    crystals
        The materials of these systems with energies of the hull's source.
    max_above_hull
        Window of discoveries (eV/atom): entries up to here become materials.
    """
    entry_of = {name: entry for entry in hull.entries for name in (entry.entry_id, *entry.members)}
    described = {entry_of[c.structure_id].entry_id for c in crystals if c.structure_id in entry_of}
    revision = Revision(
        [
            entry
            for entry in hull.entries
            if "-".join(sorted(entry.composition)) in systems
            and (
                min(entry.energy_above_hull, entry.distance) <= max_above_hull
                or entry.entry_id in described
            )
        ]
    )
    absent = [crystal for crystal in crystals if crystal.structure_id not in entry_of]
    for crystal in crystals:
        entry = entry_of.get(crystal.structure_id)
        if entry is not None and entry.entry_id != crystal.structure_id:
            revision.standings[crystal.structure_id] = _beside(crystal, entry, hull.pressure)
    revision.standings |= _outside(hull, absent)
    return revision


def distances(hull: HullDoc, crystals: Sequence[Crystal]) -> dict[str, float]:
    """Compute the distance of each crystal, by its own energy, to a hull of its system.

    It is the distance to the reference compounds where the hull has places against them.

    Parameters
    ----------
    hull
        The hull.
    crystals
        Crystals with energies of its source.

    Returns
    -------
    dict of str to float
        By structure_id (eV/atom).
    """
    above = {entry.entry_id: entry.distance for entry in hull.entries}
    standings = revise(hull, set(), crystals, float("-inf")).standings
    return {
        name: above[name] if name in above else standings[name].distance
        for name in (crystal.structure_id for crystal in crystals)
    }


def _beside(crystal: Crystal, entry: HullEntry, pressure: float) -> Standing:
    """Place a crystal that the entry replaces: the same crystal, a little higher."""
    lowest = ranking_energy(entry.energy_per_atom, entry.enthalpy_per_atom, pressure)
    higher = crystal.energy - lowest
    return Standing(
        entry.formation_energy_per_atom + higher,
        entry.energy_above_hull + higher,
        entry.decomposition,
        material_id(entry.entry_id),
        _raised(entry.reference, higher) if entry.reference else None,
    )


def _raised(place: ReferencePlace, energy: float) -> ReferencePlace:
    """Place a crystal that is higher in energy (eV/atom) than another one of its composition."""
    hull_energy = place.formation_energy_per_atom - place.energy_above_hull
    formation = place.formation_energy_per_atom + energy
    low, high = (end + energy for end in place.formation_energy_interval)
    return place.model_copy(
        update={
            "formation_energy_per_atom": formation,
            "formation_energy_interval": (low, high),
            "energy_above_hull": max(0.0, formation - hull_energy),
            "energy_above_hull_interval": (
                max(0.0, low - hull_energy), max(0.0, high - hull_energy),
            ),
            "decomposition_enthalpy": place.decomposition_enthalpy + energy,
        }
    )  # fmt: skip


def _outside(hull: HullDoc, crystals: Sequence[Crystal]) -> dict[str, Standing]:
    """Place crystals that the hull does not have."""
    if not crystals:
        return {}
    phases = [
        PhaseEntry(
            crystal.structure_id,
            crystal.composition,
            crystal.energy,
            hull.energy_source,
            pressure=hull.pressure,
            enthalpy_per_atom=crystal.energy if hull.pressure else None,
        )
        for crystal in crystals
    ]
    return {
        entry.entry_id: Standing(
            entry.formation_energy_per_atom,
            entry.energy_above_hull,
            entry.decomposition,
            hull.hull_id,
        )
        for entry in energies_above(hull, phases)
    }


__all__ = [
    "STABLE", "Crystal", "HullRef", "Revision", "Standing", "distances", "is_stable", "material_id",
    "newest_hull", "ranking_energy", "revise",
]  # fmt: skip
