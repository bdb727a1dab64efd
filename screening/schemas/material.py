"""What a user browses: one discovery. Names as in emmet's summary documents where they exist."""

from datetime import datetime
from typing import Any

from pydantic import Field

from screening.schemas.base import Document, utc_now
from screening.schemas.hull import ReferencePlace, ReferenceSource
from screening.schemas.structure import OriginDoc, SpaceGroupDoc


class SelfConsistentPlace(Document):
    """A crystal on the hull of the relaxed phases alone, all energies by one engine."""

    formation_energy_per_atom: float = Field(
        description="Energy, or at a pressure enthalpy, against the relaxed elements (eV/atom)"
    )
    energy_above_hull: float = Field(description="Distance to the hull of relaxed phases (eV/atom)")
    is_stable: bool = Field(description="Whether it is on that hull")
    decomposes_to: dict[str, float] = Field(
        default_factory=dict, description="Formulas of the competing phases, atomic fractions"
    )


class MaterialDoc(Document):
    """One relaxed crystal with its energies, its stability and where it came from."""

    material_id: str = Field(description="Key, made from the relaxed structure")
    structure_id: str = Field(description="The relaxed structure")
    found_as: list[str] = Field(
        default_factory=list, description="Relaxed candidates that are this crystal"
    )
    campaign_ids: list[str] = Field(description="Campaigns whose own tasks have produced it")
    candidate_ids: list[str] = Field(description="Candidates of those campaigns")
    formula_pretty: str = Field(description="Reduced formula")
    formula_anonymous: str = Field(description="Anonymous formula, such as ABC3")
    chemsys: str = Field(description="Chemical system, symbols in alphabetical order")
    elements: list[str] = Field(description="Element symbols in alphabetical order")
    nelements: int = Field(description="Number of elements")
    nsites: int = Field(description="Atoms in the cell")
    volume: float = Field(description="Volume of the cell (Angstrom^3)")
    density: float = Field(description="Density (g/cm^3)")
    symmetry: SpaceGroupDoc | None = Field(None, description="Space group")
    structure: dict[str, Any] = Field(description="pymatgen Structure as a dictionary")
    energy_source: str = Field(
        description="Engine of the energies, with the pressure where there is one"
    )
    pressure: float = Field(0.0, description="Pressure of the crystal and its hull (GPa)")
    energy_per_atom: float = Field(description="Total energy (eV/atom)")
    enthalpy_per_atom: float | None = Field(
        None, description="Energy and pressure times volume (eV/atom)"
    )
    formation_energy_per_atom: float = Field(
        description="Against the elements (eV/atom): on the scale of DFT where `reference` is "
        "there; else by the engine alone, at a pressure the enthalpy"
    )
    energy_above_hull: float = Field(
        description="Distance to the hull (eV/atom): of reference compounds and relaxed phases on "
        "the scale of DFT where `reference` is there; else of the relaxed phases by the engine, at "
        "a pressure of enthalpies"
    )
    is_stable: bool = Field(description="Whether that distance is 0; false once it is superseded")
    reference: ReferencePlace | None = Field(
        None, description="Its place against reference compounds, with intervals and completeness"
    )
    reference_source: str | None = Field(
        None, description="Ground of that place: energies, scale, table of compounds, date"
    )
    self_consistent: SelfConsistentPlace | None = Field(
        None, description="Its place among the relaxed phases alone, by the engine's own energies"
    )
    superseded_by: str | None = Field(
        None,
        description="What replaces it: a material of lower energy that is the same crystal, or a "
        "newer hull that no longer has the crystal among its entries; None while it is current",
    )
    hull_id: str = Field(description="The newest hull of its system: these entries, of this date")
    hull_created: datetime = Field(description="Date of the hull (UTC)")
    decomposes_to: dict[str, float] = Field(
        default_factory=dict, description="Formulas of the competing phases, atomic fractions"
    )
    n_references: int | None = Field(
        None,
        description="Reference compounds of the hull that `energy_above_hull` is the distance to, "
        "in the system of this crystal and its subsystems; None in older documents",
    )
    systems_without_reference: list[str] = Field(
        default_factory=list,
        description="Binary and ternary systems of its elements with no reference compound on the "
        "hull: the distance may be too small",
    )
    dynamic_stability: str | None = Field(
        None, description="Verdict of the phonons: stable, marginal, unstable, not_converged"
    )
    min_frequency: float | None = Field(None, description="Lowest phonon frequency (THz)")
    phonon_of: str | None = Field(
        None, description="Structure that the phonons are of: this one, or one that it replaces"
    )
    known: bool | None = Field(
        None,
        description="Whether it matches a known phase of the searched sources; None when no source "
        "was searched",
    )
    known_source: str | None = Field(
        None, description="The sources that were searched, with their dates"
    )
    known_as: list[str] = Field(
        default_factory=list, description="Known phases that are this crystal (structure_id)"
    )
    searched: list[ReferenceSource] = Field(
        default_factory=list, description="The same sources, and what each says of this crystal"
    )
    predicted_formation_energy_per_atom: float | None = Field(
        None, description="What the composition model said (eV/atom)"
    )
    task_ids: list[str] = Field(
        default_factory=list,
        description="jobflow uuids of the DFT calculations behind the numbers; empty for a "
        "machine-learned potential",
    )
    origins: list[OriginDoc] = Field(default_factory=list, description="Proposals that led to it")
    method: str = Field(
        description="Methods that proposed it, the best rank of each: 'prototypes #1, random #3'"
    )
    last_updated: datetime = Field(default_factory=utc_now, description="Last change (UTC)")
