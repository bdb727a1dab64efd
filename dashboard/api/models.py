"""What the JSON API answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from screening.schemas import (
    CampaignState,
    FormationEnergyDoc,
    FunnelStage,
    HullEntry,
    MaterialDoc,
    OriginDoc,
    ReferenceSource,
    RelaxationDoc,
    SpaceGroupDoc,
    Stage,
    ValidityDoc,
)


class ErrorAnswer(BaseModel):
    """Why a question was not answered."""

    detail: str = Field(description="One line: the value, what is allowed, what to do next")


class Crystal(BaseModel):
    """One row of a listing of crystals."""

    material_id: str = Field(description="Identifier")
    formula_pretty: str = Field(description="Reduced formula")
    chemsys: str | None = Field(None, description="Chemical system")
    symmetry: SpaceGroupDoc | None = Field(None, description="Space group")
    nsites: int = Field(description="Atoms in the cell")
    density: float | None = Field(None, description="Density (g/cm^3)")
    formation_energy_per_atom: float = Field(
        description="Energy, or at a pressure enthalpy, against the elements (eV/atom)"
    )
    energy_above_hull: float = Field(
        description="Distance to the hull (eV/atom): of reference compounds where there are any"
    )
    is_stable: bool = Field(description="Whether that distance is 0")
    dynamic_stability: str | None = Field(None, description="Verdict of the phonons")
    known: bool | None = Field(
        None, description="Whether it matches a known phase of `known_source`; null: not compared"
    )
    method: str = Field(description="Methods that proposed it, the best rank of each")
    energy_source: str = Field(
        description="Engine of the energies, with the pressure where there is one"
    )
    pressure: float | None = Field(None, description="Pressure of crystal and hull (GPa)")
    hull_id: str = Field(description="The newest hull of its system")
    hull_created: datetime = Field(description="Date of the hull (UTC)")
    n_references: int | None = Field(
        None, description="Reference compounds of its elements on the hull"
    )
    systems_without_reference: list[str] = Field(
        default_factory=list,
        description="Binary and ternary systems of its elements with no reference compound",
    )
    known_source: str | None = Field(
        None, description="Sources that were searched for known phases, with dates"
    )
    superseded_by: str | None = Field(
        None, description="The material or the newer hull that has replaced it"
    )
    last_updated: datetime | None = Field(None, description="Last change (UTC)")


class CrystalPage(BaseModel):
    """One page of crystals."""

    rows: list[Crystal] = Field(description="The crystals")
    after: str | None = Field(None, description="Token of the next page; null at the end")
    count: int = Field(description="How many match")
    exact: bool = Field(
        description="Whether `count` is exact; otherwise there are at least so many"
    )


class StageProgress(BaseModel):
    """The tasks of one stage."""

    stage: Stage = Field(description="The stage")
    states: dict[str, int] = Field(description="Tasks by state")
    items: int = Field(0, description="Inputs of the finished tasks")
    seconds: float = Field(0.0, description="Time of the finished tasks, added up (s)")
    rate: float | None = Field(None, description="Inputs per second of one process")
    started: datetime | None = Field(None, description="Start of the first finished task (UTC)")
    ended: datetime | None = Field(None, description="End of the last finished task (UTC)")


class CampaignRow(BaseModel):
    """One campaign in a list."""

    campaign_id: str = Field(description="Identifier")
    name: str = Field(description="Name given by the user")
    state: CampaignState = Field(description="State")
    seed: int = Field(description="Seed of all random numbers")
    launcher: str = Field(description="local or fireworks")
    created: datetime = Field(description="First submission (UTC)")
    updated: datetime = Field(description="Last change (UTC)")
    error: str | None = Field(None, description="Why it failed")
    n_materials: int = Field(description="Crystals that it found, counted up to 1000")
    n_stable: int = Field(description="... that are on the hull, counted up to 1000")


class TaskFailure(BaseModel):
    """A task that failed."""

    task_key: str = Field(description="Identifier")
    stage: Stage = Field(description="The stage")
    error: str | None = Field(None, description="Error of the last attempt")


class CampaignDetail(BaseModel):
    """One campaign with its progress."""

    campaign_id: str = Field(description="Identifier")
    name: str = Field(description="Name given by the user")
    state: CampaignState = Field(description="State")
    seed: int = Field(description="Seed of all random numbers")
    launcher: str = Field(description="local or fireworks")
    created: datetime = Field(description="First submission (UTC)")
    updated: datetime = Field(description="Last change (UTC)")
    error: str | None = Field(None, description="Why it failed")
    config: dict[str, Any] = Field(description="The whole configuration")
    funnel: dict[str, FunnelStage] = Field(description="What each stage let through, so far")
    progress: list[StageProgress] = Field(description="Tasks of each stage")
    failures: list[TaskFailure] = Field(description="Tasks that failed")


class FlowNode(BaseModel):
    """Items in one state."""

    id: str = Field(description="Unique in the diagram")
    label: str = Field(description="What the items are")
    n: int = Field(description="How many")
    kind: Literal["start", "kept", "stopped", "good"] = Field(
        description="Where they come from, go on, ended, or are what a campaign looks for"
    )


class FlowLink(BaseModel):
    """Items that pass from one state to another."""

    source: str = Field(description="Node that they leave")
    target: str = Field(description="Node that they reach")
    n: int = Field(description="How many")


class FlowDiagram(BaseModel):
    """Nodes and the flows between them; empty before there is anything to draw."""

    nodes: list[FlowNode] = Field(description="The nodes")
    links: list[FlowLink] = Field(description="The flows")


class MethodFates(BaseModel):
    """What became of the structures of one method."""

    method: str = Field(
        description="The method; several that proposed the same structure are joined by a plus"
    )
    n: int = Field(description="Structures that it proposed and that were relaxed")
    ended: dict[str, int] = Field(description="Where they ended -> structures")


class CampaignFlow(BaseModel):
    """What flows where in a campaign, in the numbers of its funnel."""

    compositions: FlowDiagram = Field(description="From the samples to those with structures")
    structures: FlowDiagram = Field(description="From the proposed ones to the stable ones")
    methods: FlowDiagram = Field(description="From the methods to where their structures ended")
    fates: list[MethodFates] = Field(description="The same as a table")
    crystals: dict[str, int] = Field(
        description="Where structures ended -> crystals: several may have relaxed to one"
    )


class Prediction(BaseModel):
    """What the composition stages said of a formula, in one campaign."""

    candidate_id: str = Field(description="Identifier of the candidate")
    campaign_id: str = Field(description="The campaign")
    rank: int | None = Field(None, description="Rank in the campaign")
    energy: FormationEnergyDoc | None = Field(None, description="Predicted formation energy")
    validity: ValidityDoc | None = Field(None, description="Charge and electronegativity verdict")
    generation: dict[str, Any] = Field(default_factory=dict, description="How it was generated")


class Calculation(BaseModel):
    """One calculation of a crystal."""

    structure_id: str = Field(description="The structure")
    parent_id: str | None = Field(None, description="What it was made from")
    stage: str = Field(description="generated, relaxed or dft")
    role: str = Field(description="candidate, element, competing or imported")
    nsites: int = Field(description="Atoms in the cell")
    symmetry: SpaceGroupDoc | None = Field(None, description="Space group")
    origins: list[OriginDoc] = Field(default_factory=list, description="Methods that proposed it")
    relaxation: RelaxationDoc | None = Field(None, description="Engine, energy, how it ended")
    duplicate_of: str | None = Field(None, description="Lower-energy structure that it matches")
    volume_per_atom: float = Field(description="Volume (Angstrom^3/atom)")


class HullSummary(BaseModel):
    """One hull, without its entries."""

    hull_id: str = Field(description="Identifier")
    chemsys: str = Field(description="Chemical system")
    energy_source: str = Field(description="Engine of all energies")
    pressure: float = Field(0.0, description="Pressure of all entries (GPa)")
    version: int = Field(description="Version")
    n_entries: int = Field(description="Number of entries")
    n_references: int | None = Field(None, description="Reference compounds among the entries")
    systems_without_reference: list[str] = Field(
        default_factory=list,
        description="Binary and ternary systems of this one with no reference compound",
    )
    searched: list[ReferenceSource] = Field(
        default_factory=list, description="Sources that were searched for known phases"
    )
    created: datetime = Field(description="Date (UTC)")


class MaterialDetail(BaseModel):
    """All that is known about one crystal."""

    material: MaterialDoc = Field(description="The discovery")
    hull: HullSummary | None = Field(None, description="The hull that its stability refers to")
    calculations: list[Calculation] = Field(description="Energies by source")
    predictions: list[Prediction] = Field(description="What the composition model said")
    competitors: list[HullEntry] = Field(description="Phases that decide its place on the hull")
    polymorphs: list[Crystal] = Field(description="Other crystals of the same formula")


class PhononBands(BaseModel):
    """Phonons of one crystal, without the force constants."""

    verdict: str = Field(description="stable, marginal, unstable or not_converged")
    reason: str | None = Field(None, description="What decided")
    engine: str = Field(description="Source of the forces")
    tolerance: float = Field(description="Imaginary frequencies up to this are noise (THz)")
    min_frequency: float | None = Field(None, description="Lowest frequency (THz)")
    distances: list[float] = Field(description="Position on the path (nq,)")
    frequencies: list[list[float]] = Field(description="(nq, branches), THz, imaginary negative")
    qpoints: list[list[float]] = Field(description="(nq, 3), fractions of the reciprocal cell")
    ticks: list[float] = Field(description="Positions of the labels")
    labels: list[str] = Field(description="Names of the special points")
    reciprocal_lattice: list[list[float]] = Field(
        description="(3, 3), 1/Angstrom, rows are vectors, with 2 pi"
    )
    dos_frequencies: list[float] = Field(description="THz")
    dos_densities: list[float] = Field(description="States/THz per cell")


class PathFrame(BaseModel):
    """The crystal at one step of a relaxation."""

    step: int = Field(description="Number of the step")
    cell: list[list[float]] = Field(description="Lattice vectors as rows (Angstrom)")
    positions: list[list[float]] = Field(description="Cartesian positions (Angstrom), (n, 3)")


class RelaxationPath(BaseModel):
    """Each step of a relaxation."""

    energy_per_atom: list[float] = Field(description="eV/atom")
    fmax: list[float] = Field(description="Largest force (eV/Angstrom)")
    volume_per_atom: list[float] = Field(description="Angstrom^3/atom")
    symbols: list[str] = Field(default_factory=list, description="Elements of the atoms (n,)")
    frames: list[PathFrame] = Field(
        default_factory=list, description="Crystals on the way; none where they were not kept"
    )


class PredictedMaps(BaseModel):
    """What the network predicted and the search reached, atoms in an order of their own."""

    symbols: list[str] = Field(description="Elements of the atoms (n,)")
    contacts: bool = Field(description="Whether maps hold contacts (0 to 1), not Angstrom")
    predicted: list[list[float]] = Field(description="By the network (n, n)")
    reconstructed: list[list[float]] = Field(description="Of the crystal as rebuilt (n, n)")


class ContactMaps(BaseModel):
    """Distances between the atoms of the cell, over the nearest images."""

    symbols: list[str] = Field(description="Elements of the atoms (n,)")
    relaxed: list[list[float]] = Field(description="Angstrom, (n, n)")
    proposed: list[list[float]] | None = Field(
        None, description="Before the relaxation (n, n); null where the atoms do not correspond"
    )
    maps: PredictedMaps | None = Field(
        None, description="Maps that the crystal was rebuilt from; null for other methods"
    )


class Diffraction(BaseModel):
    """A simulated powder pattern."""

    wavelength: float = Field(description="Cu K-alpha (Angstrom)")
    x: list[float] = Field(description="2 theta (degrees)")
    y: list[float] = Field(description="Intensity, the highest is 100")
    hkls: list[list[list[int]]] = Field(description="Families of planes of each peak")
    d_hkls: list[float] = Field(description="Distances of the planes (Angstrom)")


class SystemRow(BaseModel):
    """One chemical system in a list."""

    chemsys: str = Field(description="Chemical system")
    n_entries: int = Field(description="Entries of its newest hull")
    created: datetime = Field(description="Date of the newest hull (UTC)")
    sources: list[str] = Field(description="Sources of energies")


class Candidate(BaseModel):
    """One composition that a campaign chose."""

    candidate_id: str = Field(description="Identifier")
    campaign_id: str = Field(description="The campaign")
    formula: str = Field(description="Reduced formula")
    rank: int | None = Field(None, description="Rank in the campaign")
    score: float | None = Field(None, description="What candidates are ranked by (eV/atom)")
    energy: FormationEnergyDoc | None = Field(None, description="Predicted formation energy")
    stage: Stage = Field(description="Stage reached")


class CandidatePage(BaseModel):
    """One page of candidates."""

    rows: list[Candidate] = Field(description="The candidates, the best first")
    after: str | None = Field(None, description="Token of the next page; null at the end")


class SystemDetail(BaseModel):
    """One chemical system."""

    chemsys: str = Field(description="Chemical system")
    hulls: list[HullSummary] = Field(description="The newest hull of each source")
    crystals: CrystalPage = Field(description="Crystals of exactly these elements")
    candidates: list[Candidate] = Field(description="Compositions that campaigns chose")


class Finding(BaseModel):
    """One check of the health of the installation."""

    check: str = Field(description="What was checked")
    state: str = Field(description="ok, warning or bad")
    finding: str = Field(description="What was found")
    fix: str = Field(description="What to do")


class JobCount(BaseModel):
    """Tasks in one state."""

    stage: Stage = Field(description="The stage")
    state: str = Field(description="The state")
    n: int = Field(description="Number of tasks")


class Health(BaseModel):
    """State of the installation."""

    findings: list[Finding] = Field(description="What was checked")
    jobs: list[JobCount] = Field(description="Tasks of all campaigns")
    documents: dict[str, int] = Field(description="Documents of each collection")
