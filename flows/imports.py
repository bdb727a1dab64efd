"""Competing phases from elsewhere: files, the Materials Project, OPTIMADE providers.

Only structures are taken over. Their energies come from another source and would not fit on one
hull with ours, so the campaigns relax them like their own candidates.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from screening.errors import EngineError, InputError
from screening.readers import ReadStructure, read_structures
from screening.schemas import OriginDoc, SpaceGroupDoc, StructureDoc, StructureRole, StructureStage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from stores import Database

TIMEOUT = 60
PAGE = 100
SYMPREC = 0.01


@dataclass
class ImportReport:
    """What an import did.

    Attributes
    ----------
    n_imported
        Structures written.
    rejected
        Label and reason of the others.
    chemsys
        Chemical systems of the imported ones.
    """

    n_imported: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)
    chemsys: set[str] = field(default_factory=set)


def import_structures(
    database: Database, structures: Iterable[ReadStructure], source: str
) -> ImportReport:
    """Write structures as competing phases.

    Parameters
    ----------
    database
        The database.
    structures
        What a reader yields; unusable ones are reported, not raised.
    source
        Where they come from, kept on each.
    """
    report = ImportReport()
    for rank, item in enumerate(structures, start=1):
        if item.structure is None:
            report.rejected.append((item.label, item.reason or "unreadable"))
            continue
        document = StructureDoc.from_structure(
            item.structure,
            stage=StructureStage.GENERATED,
            role=StructureRole.IMPORTED,
            symmetry=SpaceGroupDoc.from_structure(item.structure, SYMPREC),
            origins=[OriginDoc(method=source, version="1", rank=rank, template=item.label)],
        )
        database.upsert([document])
        report.n_imported += 1
        report.chemsys.add(document.chemsys)
    return report


def from_files(path: Path) -> Iterator[ReadStructure]:
    """Read structures from files; see `read_structures`."""
    return read_structures(path)


def from_materials_project(chemsys: str) -> Iterator[ReadStructure]:
    """Fetch a chemical system and its subsystems from the Materials Project.

    Raises
    ------
    InputError
        If there is no key in MP_API_KEY (or PMG_MAPI_KEY).
    EngineError
        If the package mp-api is not installed.
    """
    key = os.environ.get("MP_API_KEY") or os.environ.get("PMG_MAPI_KEY")
    if not key:
        raise InputError("set MP_API_KEY to your key (materialsproject.org, dashboard)")
    try:
        from mp_api.client import MPRester  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise EngineError("the package mp-api is missing: pip install mp-api") from None
    elements = chemsys.split("-")
    with MPRester(key, mute_progress_bars=True) as rester:
        for entry in rester.get_entries_in_chemsys(elements):
            yield ReadStructure(str(entry.entry_id), entry.structure)


def from_optimade(url: str, chemsys: str) -> Iterator[ReadStructure]:
    """Fetch a chemical system and its subsystems from an OPTIMADE provider, page by page.

    Parameters
    ----------
    url
        Base URL of the provider, with or without the version.
    chemsys
        Chemical system.

    Raises
    ------
    InputError
        If the provider does not answer as OPTIMADE does.
    """
    elements = ",".join(f'"{symbol}"' for symbol in chemsys.split("-"))
    base = url.rstrip("/")
    base = base if base.rsplit("/", 1)[-1].startswith("v") else f"{base}/v1"
    query = urlencode({"filter": f"elements HAS ONLY {elements}", "page_limit": PAGE})
    following: str | None = f"{base}/structures?{query}"
    while following:
        page = _get_json(following)
        for item in page.get("data", []):
            yield _from_resource(item)
        link = (page.get("links") or {}).get("next")
        following = link.get("href") if isinstance(link, dict) else link


def _get_json(url: str) -> dict[str, Any]:
    import requests

    try:
        response = requests.get(url, timeout=TIMEOUT)
        response.raise_for_status()
        page: dict[str, Any] = response.json()
    except (requests.RequestException, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{url.split('?', maxsplit=1)[0]} does not answer as OPTIMADE: {reason}"
        ) from None
    return page


def _from_resource(item: dict[str, Any]) -> ReadStructure:
    """Turn an OPTIMADE structure into pymatgen's."""
    from pymatgen.core import Structure

    label, attributes = str(item.get("id")), item.get("attributes", {})
    features = set(attributes.get("structure_features") or [])
    if features & {"disorder", "unknown_positions"}:
        return ReadStructure(label, reason=f"has {', '.join(sorted(features))}")
    try:
        structure = Structure(
            attributes["lattice_vectors"],
            [site.rstrip("0123456789") for site in attributes["species_at_sites"]],
            attributes["cartesian_site_positions"],
            coords_are_cartesian=True,
        )
    except (KeyError, TypeError, ValueError) as error:
        return ReadStructure(label, reason=f"is incomplete: {error}")
    return ReadStructure(label, structure)
