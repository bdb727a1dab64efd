"""Computed entries of the Materials Project, for hulls of DFT energies with its settings.

A file of entries comes from ``MPRester(key).get_entries_in_chemsys("Li-Mn-S")`` and
``monty.serialization.dumpfn``. Their energies are corrected again here, so that the scheme is the
one that our own calculations get.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flows.imports import ImportReport
from screening.errors import InputError
from screening.readers.crystal import because
from screening.readers.entries import read_entry
from screening.readers.json_files import items_of
from screening.readers.limits import excerpt, read_text
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

    from screening.readers.entries import ReadEntry
    from stores import Database

RUN_TYPES = ("GGA", "GGA+U", "PBE", "PBE+U")
"""What MaterialsProject2020Compatibility mixes; r2SCAN energies are another source."""


def read_entries(path: Path) -> list[ReadEntry]:
    """Read ComputedStructureEntries from a JSON file, each by itself.

    Raises
    ------
    InputError
        If the file cannot be read, or holds nothing that can be used.
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"cannot read entries from {path}: {because(error)}") from None
    entries = [read_entry(row, name) for name, row in items_of(content)]
    if not any(entry.structure for entry in entries):
        first = f"; the first, {entries[0].label}: {entries[0].reason}" if entries else ""
        raise InputError(
            f"{path} must hold pymatgen's ComputedStructureEntries "
            f"(MPRester.get_entries_in_chemsys){first}"
        )
    return entries


def import_entries(database: Database, entries: Iterable[ReadEntry], source: str) -> ImportReport:
    """Write entries as phases that were relaxed by DFT with the Materials Project's settings.

    Of two entries of one structure, the one with the lower corrected energy is written.

    Parameters
    ----------
    database
        The database.
    entries
        What `read_entries` yields; unusable ones are reported, not raised.
    source
        Where they come from, kept on each.
    """
    report = ImportReport()
    lowest: dict[str, StructureDoc] = {}
    for entry in entries:
        origin = OriginDoc(method=source, version="1", rank=1, template=entry.label)
        document, reason = _document(entry, origin)
        if document is None:
            report.rejected.append((entry.label, reason))
            continue
        better, worse = _by_energy(document, lowest.get(document.structure_id))
        lowest[document.structure_id] = better
        if worse is not None:
            reason = f"is the structure of {_name(better)}, whose energy is not higher"
            report.rejected.append((_name(worse), reason))
        report.chemsys.add(document.chemsys)
    database.upsert(list(lowest.values()))
    report.n_imported = len(lowest)
    return report


def _by_energy(
    new: StructureDoc, old: StructureDoc | None
) -> tuple[StructureDoc, StructureDoc | None]:
    """Order two documents of one structure by their energies; of equal ones, by their names."""
    if old is None:
        return new, None
    pair = sorted((new, old), key=lambda document: (_energy(document), _name(document)))
    return pair[0], pair[1]


def _energy(document: StructureDoc) -> float:
    relaxation = document.relaxation
    return relaxation.energy_per_atom if relaxation and relaxation.energy_per_atom else 0.0


def _name(document: StructureDoc) -> str:
    return document.origins[0].template or document.structure_id


def _document(entry: ReadEntry, origin: OriginDoc) -> tuple[StructureDoc | None, str]:
    structure = entry.structure
    if structure is None:
        return None, entry.reason or "is unreadable"
    if entry.run_type not in RUN_TYPES:
        return None, f"is {excerpt(entry.run_type)}, not one of {', '.join(RUN_TYPES)}"
    corrected = mp2020(
        structure,
        entry.energy,
        run_type=entry.run_type,
        potcars=entry.potcars,
        hubbards=entry.hubbards,
        data=entry.data,
    )
    if corrected.refused:
        return None, corrected.refused
    n_atoms = len(structure)
    energy = entry.energy / n_atoms + sum(corrected.per_atom.values())
    document = StructureDoc.from_structure(
        structure,
        stage=StructureStage.DFT,
        role=StructureRole.IMPORTED,
        symmetry=SpaceGroupDoc.from_structure(structure, SYMPREC),
        origins=[origin],
        relaxation=RelaxationDoc(
            engine=MP_SOURCE,
            state=RelaxState.CONVERGED,
            energy=energy * n_atoms,
            energy_per_atom=energy,
        ),
    )
    return document, ""
