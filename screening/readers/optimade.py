"""Structures of OPTIMADE providers, checked against what was asked.

Andersen et al. 2021, doi:10.1038/s41597-021-00974-z.
"""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

import numpy as np

from screening.errors import InputError
from screening.progress import report
from screening.readers import limits
from screening.readers.crystal import RawCrystal, ReadStructure, read_one

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from requests import Response

STAGE = "import"
TIMEOUT = 60
"""Seconds that a provider may be silent."""
PAGE = 100
FIELDS = (
    "lattice_vectors",
    "cartesian_site_positions",
    "species_at_sites",
    "species",
    "structure_features",
    "nperiodic_dimensions",
    "dimension_types",
)
"""What is asked of a provider."""
BUSY = frozenset({408, 425, 429, 502, 503, 504})
"""Answers that ask to come back later."""
TRIES = 6
FIRST_WAIT, LONGEST_WAIT = 1.0, 120.0
"""Seconds before the next try: doubled each time, unless the provider says it (Retry-After)."""
LARGEST_PAGE = 64 * 2**20
"""Bytes of one page."""
LARGEST_ANSWER = 1_000_000
"""Structures that are taken from one provider."""
BARREN = 3
"""Pages in succession without a new structure after which a provider is taken to go in circles."""


def from_optimade(url: str, elements: Sequence[str]) -> Iterator[ReadStructure]:
    """Fetch a chemical system and its subsystems from a provider, page by page.

    Parameters
    ----------
    url
        Base URL of the provider, with or without the version.
    elements
        Symbols of the chemical system.

    Yields
    ------
    Each structure once; what was not asked for is refused with its reason.

    Raises
    ------
    InputError
        If the provider does not answer as OPTIMADE does, or its pages have no end.
    """
    base = url.rstrip("/")
    if not re.search(r"/v\d+(\.\d+)*$", base):
        base = f"{base}/v1"
    query = urlencode(
        {
            "filter": "elements HAS ONLY " + ",".join(f'"{symbol}"' for symbol in elements),
            "page_limit": PAGE,
            "response_fields": ",".join(FIELDS),
        }
    )
    following: str | None = f"{base}/structures?{query}"
    seen, identifiers, barren = set[str](), set[str](), 0
    while following and following not in seen:
        page = _get_json(following, n_read=len(identifiers))
        seen.add(following)
        new = [item for item in page["data"] if _identifier(item) not in identifiers]
        identifiers |= {_identifier(item) for item in page["data"]}
        for item in new:
            yield _asked_for(resource_of(item), elements)
        barren = 0 if new else barren + 1
        if barren >= BARREN or len(identifiers) > LARGEST_ANSWER:
            raise InputError(
                f"{_place(base)} has pages without end: the last {barren} brought nothing new"
                if barren >= BARREN
                else f"{_place(base)} has more than {LARGEST_ANSWER} structures of this system"
            )
        report(STAGE, len(identifiers), _total(page), urlsplit(base).netloc)
        following = _next(page, following)


def _identifier(item: Any) -> str:
    """Name a resource; two without a name are different ones."""
    name = item.get("id") if isinstance(item, dict) else None
    return str(name) if name is not None else f"#{id(item)}"


def _total(page: dict[str, Any]) -> int | None:
    """Take what the provider says of the number of structures that fit the filter."""
    meta = page.get("meta")
    n = meta.get("data_returned") if isinstance(meta, dict) else None
    return n if isinstance(n, int) and n > 0 else None


def _next(page: dict[str, Any], current: str) -> str | None:
    """Address of the next page, on the same server; None after the last one.

    Raises
    ------
    InputError
        If it is on another server.
    """
    links = page.get("links")
    link = links.get("next") if isinstance(links, dict) else None
    link = link.get("href") if isinstance(link, dict) else link
    if not link or not isinstance(link, str):
        return None
    following = urljoin(current, link)
    here, target = urlsplit(current), urlsplit(following)
    if target.scheme not in {"http", "https"} or target.hostname != here.hostname:
        raise InputError(
            f"{_place(current)} sends to another server for its next page "
            f"({limits.excerpt(_place(following))}): give that one's address as --url"
        )
    return following


def _place(url: str) -> str:
    """Address without the question."""
    return url.split("?", maxsplit=1)[0]


def _get_json(url: str, n_read: int) -> dict[str, Any]:
    """Fetch one page; its `data` is a list. A busy provider is asked again, as it says."""
    for attempt in range(1, TRIES + 1):
        is_last = attempt == TRIES
        try:
            return _page(url)
        except _BusyError as busy:
            if is_last:
                raise InputError(f"{busy}, {TRIES} times") from None
            wait = busy.wait if busy.wait is not None else FIRST_WAIT * 2 ** (attempt - 1)
        except InputError:
            raise
        except OSError as error:  # requests' errors are OSErrors
            reason = limits.excerpt(str(error), 200)
            if is_last or not n_read:
                raise InputError(f"{_place(url)} does not answer: {reason}") from None
            wait = FIRST_WAIT * 2 ** (attempt - 1)
        wait = min(wait, LONGEST_WAIT)
        report(STAGE, n_read, None, f"busy: again in {wait:.0f} s")
        time.sleep(wait)
    raise AssertionError


class _BusyError(Exception):
    """The provider asks to come back, after `wait` seconds if it says so."""

    def __init__(self, message: str, wait: float | None) -> None:
        super().__init__(message)
        self.wait = wait


def _page(url: str) -> dict[str, Any]:
    import requests

    address = _place(url)
    with requests.get(url, timeout=TIMEOUT, stream=True) as response:
        content = b""
        for piece in response.iter_content(2**20):
            content += piece
            if len(content) > LARGEST_PAGE:
                raise InputError(f"{address} sends a page of more than {LARGEST_PAGE} bytes")
        try:
            page = json.loads(content)
        except (ValueError, RecursionError):
            page = None
        message = f"{address} answers {response.status_code}: {_detail(page, response)}"
        if response.status_code in BUSY:
            raise _BusyError(message, _retry_after(response))
        if not response.ok:
            raise InputError(message)
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        raise InputError(f"{address} does not answer as OPTIMADE: there is no list 'data'")
    return page


def _retry_after(response: Response) -> float | None:
    """Seconds of the header Retry-After, a number or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
        return max(0.0, (date - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _detail(page: Any, response: Response) -> str:
    """Say what the provider says about an error."""
    errors = page.get("errors") if isinstance(page, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    text = first.get("detail") or first.get("title") if isinstance(first, dict) else None
    return limits.excerpt(str(text or response.reason), 200)


def _asked_for(item: ReadStructure, elements: Sequence[str]) -> ReadStructure:
    """Refuse what the filter should have kept back."""
    if item.structure is None:
        return item
    foreign = {site.specie.symbol for site in item.structure} - set(elements)
    if not foreign:
        return item
    reason = f"holds {', '.join(sorted(foreign))}: {'-'.join(elements)} was asked for"
    return ReadStructure(item.label, reason=reason)


def resource_of(item: Any, label: str | None = None) -> ReadStructure:
    """Turn an OPTIMADE resource of type structures into a structure.

    Parameters
    ----------
    item
        The resource, as JSON gives it.
    label
        How it is called; left out: by its identifier.
    """
    if not isinstance(item, dict) or not isinstance(item.get("attributes"), dict):
        return ReadStructure(label or "structure", reason="is not an OPTIMADE structure")
    label, attributes = label or limits.excerpt(str(item.get("id"))), item["attributes"]
    reason = _unfit(attributes)
    if reason:
        return ReadStructure(label, reason=reason)
    return read_one(label, partial(_from_attributes, attributes))


def _unfit(attributes: dict[str, Any]) -> str | None:
    """Say why the attributes describe no complete crystal in three dimensions."""
    features = attributes.get("structure_features") or []
    if features:
        return f"has {', '.join(sorted(map(str, features)))}"
    dimensions = attributes.get("dimension_types")
    is_flat = isinstance(dimensions, list) and dimensions != [1, 1, 1]
    if is_flat or attributes.get("nperiodic_dimensions", 3) not in {3, None}:
        return "is not periodic in three directions"
    missing = [name for name in FIELDS[:3] if not attributes.get(name)]
    return f"has no {', '.join(missing)}" if missing else None


def _from_attributes(attributes: dict[str, Any]) -> RawCrystal:
    species = {item["name"]: item for item in attributes.get("species") or []}
    names = [
        _shares(species[name]) if name in species else {str(name): 1.0}
        for name in attributes["species_at_sites"]
    ]
    lattice = np.asarray(attributes["lattice_vectors"], dtype=float)
    positions = np.asarray(attributes["cartesian_site_positions"], dtype=float)
    if positions.shape != (len(names), 3):
        raise ValueError(f"has {len(positions)} positions for {len(names)} sites")
    if lattice.shape != (3, 3) or not np.isfinite(lattice).all():
        raise ValueError("has numbers that are not finite")
    return RawCrystal.of(lattice, names, positions @ np.linalg.inv(lattice))


def _shares(species: dict[str, Any]) -> dict[str, float]:
    """Read the elements of a species and their shares.

    Raises
    ------
    ValueError
        If it has attached atoms without positions, or vacancies.
    """
    if any(species.get("nattached") or []):
        attached = ", ".join(map(str, species.get("attached") or ["atoms"]))
        raise ValueError(f"has {limits.excerpt(attached)} attached to its sites, without positions")
    shares = species.get("concentration") or [1.0]
    occupancies: dict[str, float] = {}
    for symbol, share in zip(species["chemical_symbols"], shares, strict=True):
        if symbol == "vacancy":
            raise ValueError("has partly occupied sites (vacancies)")
        occupancies[str(symbol)] = occupancies.get(str(symbol), 0.0) + float(share)
    return occupancies
