"""Which crystals go to DFT, and what that will cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymatgen.core import Composition

from makers.dft.code import DENSITY, PHONON_DENSITY
from screening.errors import InputError
from screening.phonon import plan_phonons
from screening.schemas import HullDoc, HullEntry, StructureDoc
from screening.validation import CostModel, Estimate, Policy, Selection, select
from screening.validation.cost import (
    estimate_run,
    is_magnetic,
    phonon_hours,
    relaxation_hours,
)
from screening.validation.selection import Contender
from stores.queries.criteria import any_of
from stores.queries.documents import subsystems
from stores.queries.lineage import get_document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymatgen.core import Structure

    from makers.validation import ValidationMaker
    from stores import Database


def estimate(maker: ValidationMaker, structure: Structure, *, phonons: bool = True) -> Estimate:
    """Estimate what one crystal will cost (see `screening.validation.cost`).

    Parameters
    ----------
    maker
        The settings.
    structure
        The crystal.
    phonons
        Whether its phonons are computed, too, where the maker does that.

    Raises
    ------
    InputError
        If an element has no POTCAR.
    """
    code = maker.dft()
    symbols, encut = code.potentials(), code.cutoff
    model = CostModel(gflops_per_core=maker.gflops_per_core)
    cell = estimate_run(structure, symbols, encut, DENSITY, spin=True)
    relax, static = relaxation_hours(cell, model)
    if not (phonons and maker.phonons):
        return Estimate(cell, relax, static)
    plan = plan_phonons(structure, maker.phonon_maker().options())
    if isinstance(plan, str):
        return Estimate(cell, relax, static)
    size = estimate_run(
        plan.displaced[0], symbols, encut, PHONON_DENSITY, spin=is_magnetic(structure)
    )
    number = len(plan.displaced)
    hours = phonon_hours(cell, size, number, model)
    return Estimate(cell, relax, static, hours, number, len(plan.displaced[0]))


def choose(
    database: Database,
    maker: ValidationMaker,
    hull_ids: Iterable[str],
    structure_ids: Iterable[str] | None = None,
) -> Selection:
    """Choose the crystals of a campaign for DFT, by the policy of its maker.

    Parameters
    ----------
    database
        The database; only read.
    maker
        The policy.
    hull_ids
        Hulls of the potential.
    structure_ids
        Relaxed structures that the campaign's own tasks have produced; None for any candidate.
    """
    own = None if structure_ids is None else set(structure_ids)
    contenders: dict[str, Contender] = {}
    costs: dict[str, float] = {}
    for hull in database.find(HullDoc, any_of("hull_id", sorted(hull_ids))):
        for entry in hull.entries:
            chosen = entry.role == "candidate" if own is None else own & {*entry.members}
            if chosen and entry.distance <= maker.max_above_hull:
                contenders[entry.entry_id] = _contender(database, maker, hull, entry, costs)
    policy = Policy(
        top=maker.top,
        budget=maker.budget,
        per_formula=maker.per_formula,
        per_prototype=maker.per_prototype,
        per_system=maker.per_system,
    )
    return select(contenders.values(), policy)


def competing_phases(hull: HullDoc, entry: HullEntry) -> list[str]:
    """List what an entry competes with: the stable phases of its system, elements included."""
    inside = set(subsystems("-".join(entry.composition)))
    return [
        other.entry_id
        for other in hull.entries
        if other.entry_id != entry.entry_id
        and other.energy_above_hull == 0.0
        and other.outlier is None
        and "-".join(sorted(other.composition)) in inside
    ]


def _contender(
    database: Database,
    maker: ValidationMaker,
    hull: HullDoc,
    entry: HullEntry,
    costs: dict[str, float],
) -> Contender:
    document = _structure(database, entry.entry_id)
    group = document.symmetry.number if document.symmetry else 0
    anonymous = Composition(document.formula).anonymized_formula
    competing = competing_phases(hull, entry) if maker.competing else []
    for name in competing:
        if name not in costs:
            other = _structure(database, name).to_structure()
            costs[name] = estimate(maker, other, phonons=False).core_hours
    return Contender(
        structure_id=entry.entry_id,
        formula=document.formula,
        chemsys=document.chemsys,
        prototype=f"{anonymous}-{group}-{document.nsites}",
        energy_above_hull=entry.distance,
        core_hours=estimate(maker, document.to_structure()).core_hours,
        competing={name: costs[name] for name in competing},
    )


def _structure(database: Database, structure_id: str) -> StructureDoc:
    found = database.get(StructureDoc, structure_id, blobs=False)
    if found is None:
        raise InputError(f"there is no structure {structure_id!r}")
    return found


def chosen_by_hand(database: Database, identifiers: Iterable[str]) -> list[StructureDoc]:
    """Find structures by the identifiers of structures or materials.

    Raises
    ------
    InputError
        If there is no such document, or it is not a structure that can be computed.
    """
    found = []
    for identifier in identifiers:
        name, row = get_document(database, identifier)
        if name not in {"materials", "structures"}:
            raise InputError(f"{identifier!r} is in {name!r}: give a material or a structure")
        found.append(_structure(database, row["structure_id"]))
    return found
