"""The answers of the API; the pages are made of the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dashboard.api.models import (
    CampaignDetail,
    CampaignRow,
    Candidate,
    CandidatePage,
    ContactMaps,
    Crystal,
    CrystalPage,
    Diffraction,
    Health,
    HullSummary,
    MaterialDetail,
    PathFrame,
    PhononBands,
    PredictedMaps,
    RelaxationPath,
    SystemDetail,
    SystemRow,
)
from screening.elements import symbols as element_symbols
from screening.errors import InputError
from screening.schemas import TaskRecord
from stores.doctor import examine_quickly
from stores.queries import campaigns, documents, lineage, listings, material_detail
from stores.queries.listings import CandidateQuery, DiscoveryQuery

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from screening.schemas import MaterialDoc
    from stores import Database

A = TypeVar("A")
MAX_CONTACT_SITES = 60
"""Cells with more atoms get no contact map: nobody could read it."""
MAX_XRD_SITES = 200
"""Cells with more atoms get no simulated pattern: it would keep others waiting."""


def list_campaigns(database: Database) -> list[CampaignRow]:
    """List all campaigns, the last one first."""
    return [CampaignRow.model_validate(row) for row in _known(campaigns.campaigns(database))]


def _known(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out fields that the answer does not have."""
    fields = CampaignRow.model_fields
    return [{name: row[name] for name in fields if name in row} for row in rows]


def get_campaign(database: Database, campaign_id: str) -> CampaignDetail:
    """Tell what is known about one campaign (its identifier or name)."""
    campaign = documents.find_campaign(database, campaign_id)
    return CampaignDetail.model_validate(
        {
            **campaign.model_dump(exclude={"funnel"}),
            "funnel": documents.campaign_funnel(database, campaign.campaign_id),
            "progress": campaigns.stage_rates(database, campaign.campaign_id),
            "failures": documents.failed_tasks(database, campaign.campaign_id),
        }
    )


def list_candidates(database: Database, query: CandidateQuery) -> CandidatePage:
    """List one page of compositions that campaigns chose."""
    page = listings.candidates(database, query)
    return CandidatePage.model_validate({"rows": page.rows, "after": page.after})


def ranked_by_hull(page: CandidatePage) -> bool:
    """Whether compositions are ranked by their distance to the predicted hull, not by energy."""
    return any(
        abs(row.score - row.energy.formation_energy_per_atom) > 1e-6
        for row in page.rows
        if row.score is not None and row.energy is not None
    )


def list_materials(database: Database, query: DiscoveryQuery) -> CrystalPage:
    """List one page of crystals."""
    page = listings.discoveries(database, query)
    count, exact = listings.count_up_to(database, query)
    if not exact:
        count = max(count, len(page.rows))
    rows = [Crystal.model_validate(row) for row in page.rows]
    return CrystalPage(rows=rows, after=page.after, count=count, exact=exact)


def get_material(database: Database, material: MaterialDoc) -> MaterialDetail:
    """Tell what is known about one crystal."""
    hull, entries = material_detail.place_on_hull(database, material)
    return MaterialDetail.model_validate(
        {
            "material": material,
            "hull": hull,
            "calculations": material_detail.computed_energies(database, material),
            "predictions": material_detail.predictions(database, material),
            "competitors": entries,
            "polymorphs": material_detail.polymorphs(database, material),
        }
    )


def get_phonons(database: Database, material: MaterialDoc) -> PhononBands:
    """Read bands and DOS.

    Raises
    ------
    InputError
        If no phonons were computed.
    """
    from pymatgen.core import Structure

    phonon = material_detail.get_phonon(database, material.phonon_of or material.structure_id)
    if phonon is None or not phonon.bands:
        raise InputError(f"no phonon bands were computed of {material.material_id!r}")
    cell = Structure.from_dict(phonon.primitive or material.structure)
    bands, dos = phonon.bands, phonon.dos or {"frequencies": [], "densities": []}
    return PhononBands(
        verdict=phonon.verdict.value,
        reason=phonon.reason,
        engine=phonon.engine,
        tolerance=phonon.tolerance,
        min_frequency=phonon.min_frequency,
        **{name: _plain(bands[name]) for name in ("distances", "frequencies", "qpoints", "ticks")},
        labels=list(bands["labels"]),
        reciprocal_lattice=_plain(cell.lattice.reciprocal_lattice.matrix),
        dos_frequencies=_plain(dos["frequencies"]),
        dos_densities=_plain(dos["densities"]),
    )


def _plain(array: Any) -> Any:
    return np.asarray(array, dtype=float).round(6).tolist()


def get_relaxation(database: Database, material: MaterialDoc) -> RelaxationPath:
    """Read energy, force and volume of each step.

    Raises
    ------
    InputError
        If the steps were not kept.
    """
    path = material_detail.relaxation_path(database, material.structure_id)
    if path is None:
        raise InputError(f"the steps of the relaxation of {material.material_id!r} were not kept")
    n = path["nsites"]
    frames = [
        PathFrame(step=step, cell=_plain(matrix), positions=_plain(positions))
        for step, matrix, positions in zip(
            *(path.get(name, []) for name in ("step", "cell", "positions")), strict=True
        )
    ]
    return RelaxationPath(
        energy_per_atom=_plain(np.asarray(path["energy"]) / n),
        fmax=_plain(path["fmax"]),
        volume_per_atom=_plain(np.asarray(path["volume"]) / n),
        symbols=[site.specie.symbol for site in cell(material, "own")] if frames else [],
        frames=frames,
    )


def or_none(answer: Callable[[Database, MaterialDoc], A], *of: Any) -> A | None:
    """Give an answer about a crystal, or None where there is none."""
    try:
        return answer(*of)
    except InputError:
        return None


def get_contacts(database: Database, material: MaterialDoc) -> ContactMaps:
    """Measure the distances between the atoms, in the structure as proposed and as relaxed.

    Raises
    ------
    InputError
        If the cell has more than `MAX_CONTACT_SITES` atoms.
    """
    if material.nsites > MAX_CONTACT_SITES:
        raise InputError(f"{material.nsites} atoms are too many for a contact map")
    final = cell(material, "own")
    symbols = [site.specie.symbol for site in final]
    proposed = material_detail.parent_structure(database, material.structure_id)
    same = proposed is not None and [site.specie.symbol for site in proposed] == symbols
    return ContactMaps(
        symbols=symbols,
        relaxed=_plain(final.distance_matrix),
        proposed=_plain(proposed.distance_matrix) if proposed is not None and same else None,
        maps=_predicted_maps(material),
    )


def _predicted_maps(material: MaterialDoc) -> PredictedMaps | None:
    """Find the maps that the crystal was rebuilt from, if it was."""
    for origin in material.origins:
        found = origin.parameters
        if {"atoms", "predicted_map", "reconstructed_map"} <= set(found):
            return PredictedMaps(
                symbols=[element_symbols()[z] for z in found["atoms"]],
                contacts=origin.method == "contact-map",
                predicted=found["predicted_map"],
                reconstructed=found["reconstructed_map"],
            )
    return None


def get_diffraction(material: MaterialDoc) -> Diffraction:
    """Simulate the powder pattern for Cu K-alpha, 10 to 90 degrees (pymatgen).

    Raises
    ------
    InputError
        If the cell has more than `MAX_XRD_SITES` atoms.
    """
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    if material.nsites > MAX_XRD_SITES:
        raise InputError(
            f"{material.nsites} atoms are too many for a pattern here: download the CIF file"
        )
    calculator = XRDCalculator("CuKa")
    pattern = calculator.get_pattern(cell(material, "conventional"), two_theta_range=(10, 90))
    return Diffraction(
        wavelength=float(calculator.wavelength),
        x=_plain(pattern.x),
        y=_plain(pattern.y),
        hkls=[[list(plane["hkl"]) for plane in family] for family in pattern.hkls],
        d_hkls=_plain(pattern.d_hkls),
    )


def cell(material: MaterialDoc, kind: str) -> Structure:
    """Build the structure in its own or its conventional cell.

    Where spglib finds no symmetry, the conventional cell is the own one.
    """
    from pymatgen.core import Structure
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    structure = Structure.from_dict(material.structure)
    if kind == "own" or material.symmetry is None:
        return structure
    analyzer = SpacegroupAnalyzer(structure, symprec=material.symmetry.symprec)
    return analyzer.get_conventional_standard_structure()


def get_document(database: Database, identifier: str) -> dict[str, Any]:
    """Read any document by its identifier, or an unambiguous beginning of it.

    Raises
    ------
    InputError
        If there is none, or more than one.
    """
    found: dict[str, Any] = _json(lineage.get_document(database, identifier)[1])
    return found


def _json(value: Any) -> Any:
    """Turn a document into what JSON has; numbers that are none become null."""
    if isinstance(value, dict):
        return {name: _json(item) for name, item in value.items() if name != "_id"}
    if isinstance(value, (list, np.ndarray)):
        return [
            _json(item) for item in (value.tolist() if isinstance(value, np.ndarray) else value)
        ]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def get_task(database: Database, task_key: str) -> TaskRecord:
    """Read a task of the ledger.

    Raises
    ------
    InputError
        If there is none.
    """
    task = database.get(TaskRecord, task_key)
    if task is None:
        raise InputError(f"there is no task {task_key!r}")
    return task


def list_systems(database: Database) -> list[SystemRow]:
    """List the chemical systems that have a hull."""
    return [SystemRow.model_validate(row) for row in material_detail.chemical_systems(database)]


def get_system(database: Database, chemsys: str) -> SystemDetail:
    """Tell what is known about one chemical system."""
    name = listings.chemical_system(chemsys)
    hulls = [
        HullSummary.model_validate(hull.model_dump(include=set(HullSummary.model_fields)))
        for hull in material_detail.newest_hulls(database, name)
    ]
    query = DiscoveryQuery(chemsys=name, limit=material_detail.SYSTEM_ROWS)
    rows = material_detail.system_candidates(database, name)
    return SystemDetail(
        chemsys=name,
        hulls=hulls,
        crystals=list_materials(database, query),
        candidates=[Candidate.model_validate(row) for row in rows],
    )


def get_health(database: Database) -> Health:
    """Check the installation and count what there is."""
    return Health.model_validate(
        {
            "findings": examine_quickly(database),
            "jobs": campaigns.job_states(database),
            "documents": campaigns.collection_sizes(database),
        }
    )
