"""Competing phases from elsewhere: files, the Materials Project, OPTIMADE providers.

Only structures are taken over. Their energies come from another source and would not fit on one
hull with ours, so the campaigns relax them like their own candidates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from screening.elements import atomic_number
from screening.errors import InputError, UserInterruptError
from screening.progress import report as tell
from screening.readers.files import read_structures
from screening.readers.materials_project import from_materials_project
from screening.readers.optimade import STAGE, from_optimade
from screening.schemas import OriginDoc, SpaceGroupDoc, StructureDoc, StructureRole, StructureStage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from screening.readers.files import ReadStructure
    from stores import Database

SYMPREC = 0.01


@dataclass
class ImportReport:
    """What an import did.

    Attributes
    ----------
    n_imported
        Different structures written.
    rejected
        Label and reason of the others.
    chemsys
        Chemical systems of the imported ones.
    notes
        Label, and what was read otherwise than it is written.
    """

    n_imported: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)
    chemsys: set[str] = field(default_factory=set)
    notes: list[tuple[str, str]] = field(default_factory=list)


def import_structures(
    database: Database, structures: Iterable[ReadStructure], source: str
) -> ImportReport:
    """Write structures as competing phases; one that is there already becomes one, too.

    Parameters
    ----------
    database
        The database.
    structures
        What a reader yields; unusable ones are reported, not raised.
    source
        Where they come from, kept on each.

    Raises
    ------
    ScreeningError
        If the source fails on the way, or the user interrupts; the message says what is in.
    """
    report = ImportReport()
    try:
        _write(database, structures, source, report)
    except KeyboardInterrupt:
        raise UserInterruptError(f"interrupted: {_so_far(report)}") from None
    except InputError as error:
        if not report.n_imported:
            raise
        raise InputError(f"{error}; {_so_far(report)}") from None
    return report


def _so_far(report: ImportReport) -> str:
    return (
        f"{report.n_imported} structures are in the database; the same command again adds the "
        "others and doubles nothing"
    )


def _write(
    database: Database, structures: Iterable[ReadStructure], source: str, report: ImportReport
) -> None:
    """Write what a reader yields, one by one, so that nothing is lost if the source fails."""
    written: set[str] = set()
    for number, item in enumerate(structures, start=1):
        tell(STAGE, number, None, item.label.rpartition("/")[2])
        if item.structure is None:
            report.rejected.append((item.label, item.reason or "unreadable"))
            continue
        document = StructureDoc.from_structure(
            item.structure,
            stage=StructureStage.GENERATED,
            role=StructureRole.IMPORTED,
            symmetry=SpaceGroupDoc.from_structure(item.structure, SYMPREC),
            origins=[OriginDoc(method=source, version="1", rank=1, template=item.label)],
        )
        database.upsert([document])
        written.add(document.structure_id)
        report.n_imported = len(written)
        report.chemsys.add(document.chemsys)
        report.notes.extend((item.label, note) for note in item.notes)


def elements_of(chemsys: str) -> list[str]:
    """Symbols of a chemical system, checked."""
    elements = chemsys.split("-")
    for symbol in elements:
        atomic_number(symbol)
    return elements


LICENCES = {"mp": "CC BY 4.0", "optimade": "as the provider states", "files": "not stated"}
"""What is known of the licence of each kind of source."""


@dataclass(frozen=True)
class Source:
    """Structures from elsewhere.

    Attributes
    ----------
    structures
        What the reader yields.
    name
        Short name: a file's, a provider's address, or "materials-project".
    kind
        "files", "optimade" or "mp".
    passed_over
        Files of a folder that are of no known type; complete once `structures` is read.
    """

    structures: Iterator[ReadStructure]
    name: str
    kind: str
    passed_over: list[Path] = field(default_factory=list)


def open_source(source: str, *, chemsys: str | None = None, url: str | None = None) -> Source:
    """Choose the reader of a source.

    Parameters
    ----------
    source
        'mp', 'optimade', or the path of a file or folder.
    chemsys
        Chemical system, for 'mp' and 'optimade'.
    url
        Base URL of the OPTIMADE provider.

    Raises
    ------
    InputError
        If an option is missing, or an element is unknown.
    """
    if source in {"mp", "optimade"} and not chemsys:
        raise InputError(f"{source!r} needs --chemsys, such as --chemsys Li-Mn-S")
    elements = elements_of(chemsys or "") if source in {"mp", "optimade"} else []
    if source == "mp":
        return Source(from_materials_project(elements), "materials-project", source)
    if source == "optimade":
        if not url:
            raise InputError("'optimade' needs --url, the base URL of a provider")
        return Source(from_optimade(url, elements), url, source)
    path, passed_over = Path(source), list[Path]()
    return Source(read_structures(path, passed_over), path.resolve().name, "files", passed_over)
