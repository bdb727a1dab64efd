"""Computed entries of the Materials Project, for hulls of DFT energies with its settings.

A file of entries comes from ``MPRester(key).get_entries_in_chemsys("Li-Mn-S")`` and
``monty.serialization.dumpfn``. Their energies are corrected again here, so that the scheme is the
one that our own calculations get.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from flows.imports import ImportReport
from screening.errors import InputError
from screening.schemas import (
    OriginDoc,
    RelaxationDoc,
    RelaxState,
    SpaceGroupDoc,
    StructureDoc,
    StructureRole,
    StructureStage,
)
from screening.validation import mp2020
from screening.validation.codes.vasp import MP_SOURCE, SYMPREC

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from stores import Database

RUN_TYPES = ("GGA", "GGA+U", "PBE", "PBE+U")
"""What MaterialsProject2020Compatibility mixes; r2SCAN energies are another source."""


def read_entries(path: Path) -> list[Any]:
    """Read ComputedStructureEntries from a JSON file.

    Raises
    ------
    InputError
        If it holds anything else.
    """
    import json

    from pymatgen.entries.computed_entries import ComputedStructureEntry

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"cannot read entries from {path}: {error}") from None
    rows = content if isinstance(content, list) else [content]
    try:
        return [ComputedStructureEntry.from_dict(row) for row in rows]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} must hold a list of pymatgen's ComputedStructureEntry "
            f"(MPRester.get_entries_in_chemsys): {type(error).__name__} {error}"
        ) from None


def import_entries(database: Database, entries: Iterable[Any], source: str) -> ImportReport:
    """Write entries as phases that were relaxed by DFT with the Materials Project's settings.

    Parameters
    ----------
    database
        The database.
    entries
        ComputedStructureEntries; unusable ones are reported, not raised.
    source
        Where they come from, kept on each.
    """
    report = ImportReport()
    documents = []
    for entry in entries:
        label = str(entry.entry_id)
        document, reason = _document(
            entry, OriginDoc(method=source, version="1", rank=1, template=label)
        )
        if document is None:
            report.rejected.append((label, reason))
            continue
        documents.append(document)
        report.chemsys.add(document.chemsys)
    database.upsert(documents)
    report.n_imported = len({document.structure_id for document in documents})
    return report


def _document(entry: Any, origin: OriginDoc) -> tuple[StructureDoc | None, str]:
    run_type = str(entry.parameters.get("run_type") or "GGA")
    if run_type not in RUN_TYPES:
        return None, f"is {run_type}, not one of {', '.join(RUN_TYPES)}"
    if not entry.structure.is_ordered:
        return None, "is disordered"
    if not isfinite(entry.uncorrected_energy):
        return None, f"has the energy {entry.uncorrected_energy}"
    found = mp2020(
        entry.structure,
        entry.uncorrected_energy,
        run_type=run_type,
        potcars=_potcars(entry.parameters),
        hubbards=entry.parameters.get("hubbards") or {},
    )
    if found.refused:
        return None, found.refused
    n_atoms = len(entry.structure)
    energy = entry.uncorrected_energy / n_atoms + sum(found.per_atom.values())
    document = StructureDoc.from_structure(
        entry.structure,
        stage=StructureStage.DFT,
        role=StructureRole.IMPORTED,
        symmetry=SpaceGroupDoc.from_structure(entry.structure, SYMPREC),
        origins=[origin],
        relaxation=RelaxationDoc(
            engine=MP_SOURCE,
            state=RelaxState.CONVERGED,
            energy=energy * n_atoms,
            energy_per_atom=energy,
        ),
    )
    return document, ""


def _potcars(parameters: dict[str, Any]) -> list[dict[str, str | None]]:
    """Take the POTCARs, as titles, out of what entries have."""
    if parameters.get("potcar_spec"):
        return [
            {"titel": one.get("titel"), "hash": one.get("hash")}
            for one in parameters["potcar_spec"]
        ]
    symbols = parameters.get("potcar_symbols") or []
    return [{"titel": str(symbol), "hash": None} for symbol in symbols]
