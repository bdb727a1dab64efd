"""One composition to ranked crystals, without a campaign file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from db_config import get_settings
from flows.campaign import CampaignMaker
from flows.launch import run_campaign
from makers.base import BANK
from makers.candidates import CandidatesMaker
from makers.generation import GenerationMaker
from makers.structure import StructureMaker
from makers.validity import ValidityMaker
from screening.checkpoints import set_checkpoint_folder
from screening.composition import n_atoms, parse_formula, pretty_formula
from screening.errors import InputError
from screening.evaluation.stability.background import background_of
from screening.references import reference_table
from screening.relax import group_duplicates
from screening.schemas import (
    CampaignKind,
    MaterialDoc,
    PhononDoc,
    SpaceGroupDoc,
    StabilityDoc,
    Stage,
    StructureDoc,
    StructureRole,
)
from screening.schemas.structure import found_by
from screening.stability import climb, stability_documents, stability_model
from screening.structure.pool import fused_votes
from stores.membership import produced_by
from stores.queries.criteria import any_of
from stores.standing import verdicts_of_newest_hulls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening.schemas import LadderDoc
    from stores import Database


def prediction_campaign(
    formula: str,
    *,
    methods: dict[str, int] | None = None,
    top: int = 20,
    until: Literal["structure", "relax", "hull", "phonon"] = "hull",
    seed: int = 0,
    max_atoms: int = 20,
    bank: str = BANK,
    pressure: float = 0.0,
    engine: str = "chgnet",
) -> CampaignMaker:
    """Describe the campaign of one composition; its verdicts are written down, not enforced.

    Parameters
    ----------
    formula
        The composition, as it is or as a multiple.
    methods
        Structure generators and how many structures each proposes; the defaults if left out.
    top
        Structures that are kept.
    until
        Last stage.
    seed
        Seed.
    max_atoms
        Maximum number of atoms in a cell.
    bank
        Prototype bank, by the name of its checkpoint: prototypes and known phases come from it.
    pressure
        Pressure of the relaxations and the hull (GPa).
    engine
        Energy engine: ``chgnet``, or any ASE calculator (``module:callable``).

    Raises
    ------
    InputError
        If the formula is wrong or too large.
    """
    parse_formula(formula)
    reduced = pretty_formula(formula)
    if n_atoms(reduced) > max_atoms:
        raise InputError(
            f"{formula!r} has {n_atoms(reduced)} atoms per formula unit: structures of up to "
            f"{max_atoms} atoms are predicted (--max-atoms)"
        )
    structure = StructureMaker(top=top, max_atoms=max_atoms)
    if methods is not None:
        structure.methods = methods
    return CampaignMaker(
        name=f"predict-{reduced}-{pressure:g}GPa" if pressure else f"predict-{reduced}",
        seed=seed,
        until=until,
        engine=engine,
        pressure=pressure,
        bank=bank,
        generation=GenerationMaker(
            method="formulas",
            formulas=[reduced],
            min_elements=1,
            max_elements=8,
            max_atoms=max(max_atoms, n_atoms(reduced)),
        ),
        validity=ValidityMaker(enforce=False),
        candidates=CandidatesMaker(top=1, rank_by="formation_energy"),
        structure=structure,
    )


def predict(
    database: Database, campaign: CampaignMaker, *, others: bool = False
) -> list[dict[str, Any]]:
    """Run the campaign of one composition and list its crystals, the best first.

    Parameters
    ----------
    database
        The database.
    campaign
        What `prediction_campaign` gives.
    others
        List crystals of this composition that other runs have relaxed with the same engine, too.

    Returns
    -------
    Rows with structure_id, space group, energies (eV/atom), `found_by` (methods with their best
    ranks) and `origins` (every proposal that led to it: method, version, rank, score, seed,
    template, parameters); relaxed ones by energy (at a pressure: enthalpy), without duplicates;
    otherwise the pool in its order. `energy_above_hull` is the crystal's own distance to the newest
    hull of its system; `hull_id`, `n_references`, `systems_without_reference`, `known` and
    `known_source` say what it rests on.
    Energies that differ by no more than `distortion_energy` of the relaxation are equal: the
    crystal with more votes of the methods is then the first.
    """
    run_campaign(campaign, CampaignKind.PREDICTION)
    methods = None if others else campaign.structure.methods
    if not campaign.last_stage.reaches(Stage.RELAX):
        return [_row([doc], methods) for doc in _pool(database, campaign.campaign_id)]

    documents = list(
        database.find(StructureDoc, _relaxed(database, campaign, others=others), blobs=False)
    )
    groups = _ties_by_votes(group_duplicates(documents), campaign.relax.distortion_energy)
    verdicts = verdicts_of_newest_hulls(database, [group[0] for group in groups])
    rows = [_row(group, methods) for group in groups]
    for row in rows:
        row.update(verdicts.get(row["structure_id"], {"energy_above_hull": None}))
    return rows[: campaign.structure.top]


def ladder_of(database: Database, formula: str) -> LadderDoc | None:
    """Climb the ladder of a composition with the newest probability in the database.

    Returns
    -------
    None where no campaign has judged the composition.
    """
    query = {"formula": pretty_formula(formula)}
    newest = {"provenance.ended": -1}
    stability = next(database.find(StabilityDoc, query, sort=newest, limit=1), None)
    if stability is None:
        return None
    name = stability.structure_id
    material = None
    for field in ("structure_id", "found_as") if name else ():
        material = material or next(database.find(MaterialDoc, {field: name}, limit=1), None)
    phonon = None
    if material is not None and material.phonon_of is not None:
        phonon = database.get(PhononDoc, material.phonon_of)
    return climb(stability, material, phonon)


def _relaxed(database: Database, campaign: CampaignMaker, *, others: bool) -> dict[str, Any]:
    """Build the query of the relaxed structures: this run's own, or all of the composition."""
    if not others:
        relaxed = produced_by(database, campaign.campaign_id, Stage.RELAX)
        return {**any_of("structure_id", relaxed), "state": "ok"}
    return {
        "formula": (campaign.generation.formula_list() or [""])[0],
        "roles": StructureRole.CANDIDATE.value,
        "stage": "relaxed",
        "relaxation.engine": campaign.relax.engine_name(),
        "relaxation.pressure": campaign.relax.target_pressure,
        "state": "ok",
    }


def _ties_by_votes(groups: list[list[StructureDoc]], resolution: float) -> list[list[StructureDoc]]:
    """Sort groups of equal energy, within a resolution (eV/atom), by the votes of the methods."""
    energies = [_ranking_energy(group) for group in groups]
    ties: list[float] = []
    for energy in energies:
        ties.append(ties[-1] if ties and energy - ties[-1] <= resolution else energy)
    votes = [fused_votes(origin for doc in group for origin in doc.origins) for group in groups]
    order = sorted(range(len(groups)), key=lambda i: (ties[i], -votes[i], energies[i]))
    return [groups[i] for i in order]


def _ranking_energy(group: list[StructureDoc]) -> float:
    """Energy of the first crystal of a group, at a pressure its enthalpy (eV/atom)."""
    relaxation = group[0].relaxation
    assert relaxation is not None
    assert relaxation.ranking_energy is not None
    return relaxation.ranking_energy


def _pool(database: Database, campaign_id: str) -> list[StructureDoc]:
    """List the generated structures of a campaign in the order of the pool."""
    names = produced_by(database, campaign_id, Stage.STRUCTURE)
    return database.get_many(StructureDoc, names, blobs=False)


def _row(group: list[StructureDoc], methods: Mapping[str, int] | None) -> dict[str, Any]:
    """Describe one crystal, with the proposals of these methods or of all."""
    document = group[0]
    proposals = [
        (member.structure_id, origin)
        for member in group
        for origin in member.origins
        if origin.role == StructureRole.CANDIDATE
        and (methods is None or origin.rank <= methods.get(origin.method, 0))
    ]
    symmetry, relaxation = document.symmetry, document.relaxation
    return {
        "structure_id": document.structure_id,
        "formula": document.formula,
        "space_group": _space_group(symmetry),
        "nsites": document.nsites,
        "volume_per_atom": document.volume_per_atom,
        "pressure": relaxation.pressure if relaxation else None,
        "energy_per_atom": relaxation.energy_per_atom if relaxation else None,
        "enthalpy_per_atom": relaxation.enthalpy_per_atom if relaxation else None,
        "state": relaxation.state.value if relaxation else "generated",
        "found_by": found_by(origin for _, origin in proposals),
        "origins": [{"structure_id": name, **origin.model_dump()} for name, origin in proposals],
    }


def _space_group(symmetry: SpaceGroupDoc | None) -> str | None:
    """Name a space group, and the one at another tolerance where it differs."""
    if symmetry is None:
        return None
    name = f"{symmetry.symbol} ({symmetry.number})"
    if symmetry.other_symbol is None:
        return name
    other = f"{symmetry.other_symbol} ({symmetry.other_number})"
    return f"{name}; {other} at {symmetry.other_symprec:g} A"


def by_method(rows: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Count, for each method, the crystals that it found and those that it alone found."""
    found: dict[str, tuple[int, int]] = {}
    for row in rows:
        methods = {origin["method"] for origin in row["origins"]}
        for method in methods:
            n, alone = found.get(method, (0, 0))
            found[method] = (n + 1, alone + (len(methods) == 1))
    return dict(sorted(found.items()))


def from_composition(formulas: list[str], prevalence: float | None) -> list[StabilityDoc]:
    """Judge compositions by themselves, without structures and without the database.

    Parameters
    ----------
    formulas
        n formulas.
    prevalence
        Expected share of stable ones; None for that of the training set.
    """
    set_checkpoint_folder(get_settings().checkpoint_dir)
    table = reference_table()
    background = background_of(formulas, table=table)
    return stability_documents(
        stability_model(), background, [None] * len(formulas), table, prevalence
    )
