"""The input files of a validation, for review: nothing is run."""

from __future__ import annotations

import csv
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from db_config.vasp import potcar_folder, read_titels
from flows.choice import estimate
from makers.vasp import FAMILY, phonon_maker, potcars, relax_maker, static_maker
from screening.errors import InputError
from screening.phonon import plan_phonons

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Structure

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
        If the code is not VASP.
    """
    if maker.code != "vasp":
        raise InputError(
            f"GPAW has no input files: --dry-run is for code: vasp, not {maker.code!r}"
        )
    rows = []
    for document in [*candidates, *competing]:
        mine = document in candidates
        rows.append(estimate_row(maker, document, phonons=mine))
        where = folder / f"{document.formula}_{document.structure_id}"
        structure = document.to_structure()
        options = maker.vasp_options()
        double = relax_maker(options)
        _write(structure, double.relax_maker1, where / "relax", maker)
        _write(structure, static_maker(options), where / "static", maker)
        plan = plan_phonons(structure, maker.phonon_maker().options())
        if mine and maker.phonons and not isinstance(plan, str):
            vasp = phonon_maker(options, displacement=maker.displacement, born=maker.born)
            _write(plan.primitive, vasp.bulk_relax_maker.relax_maker1, where / "tight", maker)
            for number, displaced in enumerate(plan.displaced, start=1):
                name = f"displacement-{number:03d}"
                _write(displaced, vasp.phonon_displacement_maker, where / name, maker)
    with (folder / "estimate.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
    return rows


def _write(structure: Structure, job: Any, folder: Path, maker: ValidationMaker) -> None:
    settings = maker.vasp_options().settings
    symbols = [potcars(settings)[element.symbol] for element in structure.composition]
    there = potcar_folder() is not None and None not in (
        read_titels(symbols, FAMILY[settings]).values()
    )
    inputs = job.input_set_generator.get_input_set(structure, potcar_spec=not there)
    inputs.write_input(folder)
