"""A versioned convex hull of one chemical system, from one source of energies."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from screening.schemas.base import Document, Provenance, utc_now


class ReferenceSource(Document):
    """One source that was searched for known phases, and what it says of a crystal."""

    name: str = Field(description="Source, such as the prototype bank or an imported file")
    date: datetime = Field(description="Date of the source, or of its import (UTC)")
    scope: Literal["crystals", "compositions"] = Field(
        "crystals", description="Whether the source lists crystals, or compositions only"
    )
    matches: bool | None = Field(
        None,
        description="Whether the source holds this crystal or composition; None on a hull, which "
        "is of many crystals",
    )
    identifiers: list[str] = Field(
        default_factory=list, description="Entries of the source that match"
    )


class ReferencePlace(Document):
    """A crystal on the scale of DFT, against a table of reference compounds."""

    formation_energy_per_atom: float = Field(
        description="Formation energy on the scale that the reference source names (eV/atom)"
    )
    formation_energy_interval: tuple[float, float] = Field(
        description="Conformal 90 % interval of it (eV/atom)"
    )
    energy_above_hull: float = Field(
        description="Distance to the hull of the reference compounds and the relaxed phases "
        "(eV/atom), 0 when stable"
    )
    energy_above_hull_interval: tuple[float, float] = Field(
        description="The distance at the ends of the interval (eV/atom)"
    )
    decomposition_enthalpy: float = Field(
        description="Energy minus that of the other compounds that it would decompose to "
        "(eV/atom): negative when stable, how far below their hull"
    )
    decomposes_to: dict[str, float] = Field(
        default_factory=dict, description="Formulas of these compounds, atomic fractions"
    )
    composition_known: bool = Field(description="Whether the table lists the composition")
    from_table: bool = Field(
        description="Whether the energy is that of the composition in the table, plus what the "
        "potential says the crystal is above the lowest of its formula"
    )
    n_references: int = Field(
        description="Compounds of the table in the system of the crystal and its subsystems"
    )
    systems_without_reference: list[str] = Field(
        default_factory=list,
        description="Binary and ternary systems of its elements with no compound in the table",
    )


class HullEntry(Document):
    """One phase on, or above, the hull."""

    entry_id: str = Field(description="structure_id, or the identifier in the imported source")
    formula: str = Field(description="Reduced formula, as pymatgen writes it")
    composition: dict[str, float] = Field(description="Atoms of each element in the cell")
    energy_per_atom: float = Field(description="Total energy (eV/atom)")
    enthalpy_per_atom: float | None = Field(
        None, description="Energy and pressure times volume (eV/atom), at the hull's pressure"
    )
    formation_energy_per_atom: float = Field(
        description="Energy, or at a pressure enthalpy, against the elements on this hull (eV/atom)"
    )
    energy_above_hull: float = Field(
        description="Distance to the hull, of enthalpies at a pressure (eV/atom), 0 when stable"
    )
    decomposition: dict[str, float] = Field(
        default_factory=dict, description="Stable phases (entry_id) and their atomic fractions"
    )
    role: str = Field("candidate", description="candidate, element, competing or imported")
    outlier: str | None = Field(
        None,
        description="Why the energy is not trusted; such an entry does not shape the hull, and "
        "energy_above_hull may be negative",
    )
    members: list[str] = Field(
        default_factory=list,
        description="Structures that are this crystal, entry_id (the lowest energy) included",
    )
    known_as: list[str] = Field(
        default_factory=list,
        description="Members that are elements, known phases or imported structures",
    )
    reference: ReferencePlace | None = Field(
        None, description="Its place against reference compounds, on the scale of DFT"
    )

    @property
    def distance(self) -> float:
        """What decides (eV/atom): the distance to the reference compounds, or to this hull."""
        return self.reference.energy_above_hull if self.reference else self.energy_above_hull


class HullDoc(Document):
    """The hull of a chemical system. 'Stable' always means: against these entries, of this date."""

    hull_id: str = Field(description="Key: chemical system, source and entries")
    chemsys: str = Field(description="Chemical system, symbols in alphabetical order")
    energy_source: str = Field(
        description="Engine of all energies, with the pressure where there is one: 'chgnet-0.3.0', "
        "'chgnet-0.3.0 at 10 GPa'"
    )
    pressure: float = Field(0.0, description="Pressure of all entries (GPa)")
    version: int = Field(1, description="1 for the first hull of this system and source, then up")
    n_entries: int = Field(description="Number of entries")
    entries: list[HullEntry] = Field(description="All entries")
    n_references: int | None = Field(
        None, description="Reference compounds among the entries; None in older documents"
    )
    systems_without_reference: list[str] = Field(
        default_factory=list,
        description="Binary and ternary systems of this one with no reference compound",
    )
    searched: list[ReferenceSource] = Field(
        default_factory=list, description="Sources that were searched for known phases"
    )
    reference_source: str | None = Field(
        None,
        description="Ground of the places against reference compounds: energies, scale, table, "
        "date; None where there are none",
    )
    created: datetime = Field(
        default_factory=utc_now, description="When its entries were listed (UTC)"
    )
    provenance: Provenance | None = Field(None, description="Where the document comes from")
