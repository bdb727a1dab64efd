"""Crystals as files that say what they are: identifier, energies, pressure, hull and its ground."""

from __future__ import annotations

import json
from io import StringIO
from typing import TYPE_CHECKING, Any

from dashboard.cif import cif_text, right_handed
from screening.hull.wording import known_statement, reference_ground, superseded_statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymatgen.core import Structure

FORMATS = ("cif", "poscar", "extxyz", "json")


def facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what a file says of its crystal.

    Parameters
    ----------
    row
        Document of `materials` or `structures`, as a dictionary.

    Returns
    -------
    dict
        Texts and numbers by the names of the documents' fields; energies in eV/atom, pressure in
        GPa. Nothing that the document does not have.
    """
    relaxation = row.get("relaxation") or {}
    values: dict[str, Any] = {
        "material_id": row.get("material_id"),
        "structure_id": row.get("structure_id"),
        "energy_source": row.get("energy_source") or relaxation.get("engine"),
        "pressure": row.get("pressure", relaxation.get("pressure")),
    }
    energies = ("energy_per_atom", "enthalpy_per_atom")
    values |= {name: row.get(name, relaxation.get(name)) for name in energies}
    if not values["pressure"]:
        values["enthalpy_per_atom"] = None  # the energy once more
    if row.get("hull_id"):
        values |= {
            "formation_energy_per_atom": row["formation_energy_per_atom"],
            "energy_above_hull": row["energy_above_hull"],
            "hull_id": row["hull_id"],
            "hull_created": f"{row['hull_created']:%Y-%m-%dT%H:%M:%SZ}",
            "references": reference_ground(
                row.get("n_references"), row.get("systems_without_reference") or []
            ),
            "known": known_statement(row.get("known"), row.get("known_source")),
            "standing": superseded_statement(row.get("superseded_by")) or None,
            "dynamic_stability": row.get("dynamic_stability"),
        }
    return {name: value for name, value in values.items() if value is not None}


def labels(values: Mapping[str, Any]) -> dict[str, str]:
    """Write facts with their units; at a pressure, enthalpies are called enthalpies."""
    pressed = bool(values.get("pressure"))
    units = {name: " eV/atom" for name in values if name.endswith(("_per_atom", "_above_hull"))}
    units["pressure"] = " GPa"
    other = {
        "formation_energy_per_atom": "formation_enthalpy_per_atom",
        "energy_above_hull": "enthalpy_above_hull",
    }
    return {
        other.get(name, name) if pressed else name: _number(value) + units.get(name, "")
        for name, value in values.items()
    }


def _number(value: Any) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def crystal_text(structure: Structure, row: Mapping[str, Any], file_format: str) -> str:
    """Write a crystal with its facts.

    A CIF has them as comments, a POSCAR in its first line, extxyz in its second; pymatgen's JSON
    has them as properties of the structure.

    Parameters
    ----------
    structure
        The crystal, in the cell that is written (a CIF has the conventional one).
    row
        Its document, as a dictionary.
    file_format
        One of `FORMATS`.
    """
    values = facts(row)
    if file_format == "cif":
        comments = "".join(f"# {name}: {text}\n" for name, text in labels(values).items())
        return comments + cif_text(structure)
    if file_format == "poscar":
        return _poscar(structure, values)
    if file_format == "json":
        named = structure.copy(properties={**(structure.properties or {}), **values})
        return json.dumps(named.as_dict(), default=str)
    from ase.io import write

    buffer = StringIO()
    atoms = structure.to_ase_atoms()
    atoms.info = dict(values)
    write(buffer, atoms, format="extxyz")
    return buffer.getvalue()


def _poscar(structure: Structure, values: Mapping[str, Any]) -> str:
    """Write a POSCAR in right-handed axes: pymatgen would write the mirror image of others."""
    from pymatgen.io.vasp import Poscar

    comment = "; ".join(f"{name}: {text}" for name, text in labels(values).items())
    crystal = right_handed(structure).get_sorted_structure()
    poscar = Poscar(crystal, comment=f"{crystal.formula}; {comment}")
    text: str = poscar.get_str(significant_figures=10)
    return text
