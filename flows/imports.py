"""Competing phases from elsewhere: files, the Materials Project, OPTIMADE providers.

Only structures are taken over. Their energies come from another source and would not fit on one
hull with ours, so the campaigns relax them like their own candidates.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin

from screening.elements import atomic_number
from screening.errors import EngineError, InputError
from screening.readers.files import ReadStructure, read_one, read_structures
from screening.schemas import OriginDoc, SpaceGroupDoc, StructureDoc, StructureRole, StructureStage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pymatgen.core import Structure

    from stores import Database

TIMEOUT = 60
PAGE = 100
SYMPREC = 0.01
FIELDS = (
    "lattice_vectors",
    "cartesian_site_positions",
    "species_at_sites",
    "species",
    "structure_features",
    "nperiodic_dimensions",
)
"""What is asked of an OPTIMADE provider."""


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
    """

    n_imported: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)
    chemsys: set[str] = field(default_factory=set)


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
    """
    report = ImportReport()
    written: set[str] = set()
    for item in structures:
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
    return report


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
    """

    structures: Iterator[ReadStructure]
    name: str
    kind: str


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
        If an option is missing.
    """
    if source in {"mp", "optimade"} and not chemsys:
        raise InputError(f"{source!r} needs --chemsys, such as --chemsys Li-Mn-S")
    if source == "mp":
        return Source(from_materials_project(chemsys or ""), "materials-project", source)
    if source == "optimade":
        if not url:
            raise InputError("'optimade' needs --url, the base URL of a provider")
        return Source(from_optimade(url, chemsys or ""), url, source)
    path = Path(source)
    return Source(from_files(path), path.resolve().name, "files")


def from_files(path: Path) -> Iterator[ReadStructure]:
    """Read structures from files; see `read_structures`."""
    return read_structures(path)


def from_materials_project(chemsys: str) -> Iterator[ReadStructure]:
    """Fetch a chemical system and its subsystems from the Materials Project.

    Raises
    ------
    InputError
        If an element is unknown, or there is no key in MP_API_KEY (or PMG_MAPI_KEY).
    EngineError
        If the package mp-api is not installed, or the Materials Project does not answer.
    """
    elements = elements_of(chemsys)
    key = os.environ.get("MP_API_KEY") or os.environ.get("PMG_MAPI_KEY")
    if not key:
        raise InputError("set MP_API_KEY to your key (materialsproject.org, dashboard)")
    try:
        from mp_api.client import MPRester  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise EngineError("the package mp-api is missing: pip install mp-api") from None
    try:
        with MPRester(key, mute_progress_bars=True) as rester:
            entries = list(rester.get_entries_in_chemsys(elements))
    except Exception as error:  # noqa: BLE001 - the client raises many kinds
        reason = " ".join(str(error).replace(key, "***").split())[:200]
        raise EngineError(f"the Materials Project does not answer: {reason}") from None
    for entry in entries:
        yield read_one(str(entry.entry_id), partial(getattr, entry, "structure"))


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
        If an element is unknown, or the provider does not answer as OPTIMADE does
        (doi:10.1038/s41597-021-00974-z).
    """
    elements = ",".join(f'"{symbol}"' for symbol in elements_of(chemsys))
    base = url.rstrip("/")
    if not re.search(r"/v\d+(\.\d+)*$", base):
        base = f"{base}/v1"
    query = urlencode(
        {
            "filter": f"elements HAS ONLY {elements}",
            "page_limit": PAGE,
            "response_fields": ",".join(FIELDS),
        }
    )
    following: str | None = f"{base}/structures?{query}"
    seen: set[str] = set()
    while following and following not in seen:
        seen.add(following)
        page = _get_json(following)
        for item in page["data"]:
            yield _from_resource(item)
        link = (page.get("links") or {}).get("next")
        link = link.get("href") if isinstance(link, dict) else link
        following = urljoin(following, link) if link else None


def _get_json(url: str) -> dict[str, Any]:
    """Fetch one page; its `data` is a list."""
    import requests

    place = url.split("?", maxsplit=1)[0]
    try:
        response = requests.get(url, timeout=TIMEOUT)
    except requests.RequestException as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{place} does not answer: {reason}") from None
    try:
        page = response.json()
    except ValueError:
        page = None
    if not response.ok:
        raise InputError(f"{place} answers {response.status_code}: {_detail(page, response)}")
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        raise InputError(f"{place} does not answer as OPTIMADE: there is no list 'data'")
    return page


def _detail(page: Any, response: Any) -> str:
    """Say what the provider says about an error."""
    found = page.get("errors") if isinstance(page, dict) else None
    first = found[0] if isinstance(found, list) and found else None
    text = first.get("detail") or first.get("title") if isinstance(first, dict) else None
    return " ".join(str(text or response.reason).split())[:200]


def _from_resource(item: Any) -> ReadStructure:
    """Turn an OPTIMADE structure into pymatgen's."""
    if not isinstance(item, dict) or not isinstance(item.get("attributes"), dict):
        return ReadStructure("structure", reason="is not an OPTIMADE structure")
    label, attributes = str(item.get("id")), item["attributes"]
    features = sorted(map(str, attributes.get("structure_features") or []))
    if features:
        return ReadStructure(label, reason=f"has {', '.join(features)}")
    if attributes.get("nperiodic_dimensions", 3) not in {3, None}:
        return ReadStructure(label, reason="is not periodic in three directions")
    missing = [name for name in FIELDS[:3] if not attributes.get(name)]
    if missing:
        return ReadStructure(label, reason=f"has no {', '.join(missing)}")
    return read_one(label, partial(_from_attributes, attributes))


def _from_attributes(attributes: dict[str, Any]) -> Structure:
    from pymatgen.core import Structure

    species = {item["name"]: item for item in attributes.get("species") or []}
    names = [
        _element(species[name]) if name in species else name
        for name in attributes["species_at_sites"]
    ]
    lattice = attributes["lattice_vectors"]
    positions = attributes["cartesian_site_positions"]
    return Structure(lattice, names, positions, coords_are_cartesian=True)


def _element(species: dict[str, Any]) -> dict[str, float]:
    """Read the elements of a species and their shares, as pymatgen takes them."""
    shares = species.get("concentration") or [1.0]
    return {
        symbol: share
        for symbol, share in zip(species["chemical_symbols"], shares, strict=True)
        if symbol != "vacancy"
    }
