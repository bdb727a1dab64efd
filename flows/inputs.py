"""The input files of a validation, for review: nothing is run."""

from __future__ import annotations

import csv
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flows.choice import estimate
from screening.phonon import plan_phonons

if TYPE_CHECKING:
    from pathlib import Path

    from makers.validation import ValidationMaker
    from screening.schemas import StructureDoc


def estimate_row(
    maker: ValidationMaker, document: StructureDoc, *, phonons: bool = True
) -> dict[str, Any]:
    """Describe what a structure will cost, in plain values."""
    cost = estimate(maker, document.to_structure(), phonons=phonons)
    return {
        "structure_id": document.structure_id,
        "formula": document.formula,
        "nsites": document.nsites,
        **asdict(cost.cell),
        "n_displacements": cost.n_displacements,
        "nsites_supercell": cost.nsites_supercell,
        "relax": cost.relax,
        "static": cost.static,
        "phonons": cost.phonons,
        "core_hours": cost.core_hours,
    }


def write_inputs(
    maker: ValidationMaker,
    candidates: list[StructureDoc],
    competing: list[StructureDoc],
    folder: Path,
) -> list[dict[str, Any]]:
    """Write INCAR, KPOINTS, POSCAR and POTCAR of each calculation, and ``estimate.csv``.

    Where POTCARs are missing, ``POTCAR.spec`` names them. What is written for later calculations
    (static, phonons) is for the structure as it is; after the relaxation it will be for the
    relaxed one, with smearing by its gap.

    Parameters
    ----------
    maker
        The settings.
    candidates, competing
        The structures; phonons are those of candidates.
    folder
        Made if needed; one folder per structure and calculation.

    Returns
    -------
    The rows of the estimate.

    Raises
    ------
    InputError
        If the code has no input files.
    """
    write = maker.dft().input_writer()
    rows = []
    for document in [*candidates, *competing]:
        with_phonons = document in candidates
        rows.append(estimate_row(maker, document, phonons=with_phonons))
        structure = document.to_structure()
        where = folder / f"{document.formula}_{document.structure_id}"
        plan = plan_phonons(structure, maker.phonon_maker().options())
        if isinstance(plan, str) or not (with_phonons and maker.phonons):
            write(structure, None, where)
        else:
            write(structure, plan, where)
    with (folder / "estimate.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
    return rows
