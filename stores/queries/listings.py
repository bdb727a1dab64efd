"""What the web pages and the JSON API list, as typed questions.

Every question is a model with named, bounded fields: nothing that comes from outside is ever an
operator of MongoDB.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pymongo.errors import ExecutionTimeout

from screening.composition import pretty_formula
from screening.elements import symbols
from screening.errors import InputError
from screening.hull.standing import STABLE
from stores.filters import parse_filter
from stores.queries.documents import CURRENT, MATERIAL_FIELDS, Page, find, subsystems

if TYPE_CHECKING:
    from stores.database import Database

MAX_ROWS = 500
"""Rows of one page."""
COUNT_LIMIT = 1000
COUNT_MS = 30
"""Matches are counted up to so many, and for so long: a list comes at once."""
FIND_MS = 10_000
"""Nobody waits longer for a page."""
MAX_WITHIN = 10
"""Elements whose subsystems are listed: 2 ** 10 chemical systems."""
SORT_FIELDS = {
    "formula": "formula_pretty",
    "space_group": "symmetry.number",
    "atoms": "nsites",
    "e_form": "formation_energy_per_atom",
    "e_hull": "energy_above_hull",
    "density": "density",
    "updated": "last_updated",
}
"""Names in addresses -> fields that a listing can be ordered by; each has an index."""
SortKey = Literal[
    "formula", "-formula", "space_group", "-space_group", "atoms", "-atoms", "e_form", "-e_form",
    "e_hull", "-e_hull", "density", "-density", "updated", "-updated",
]  # fmt: skip
CrystalSystem = Literal[
    "triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic"
]
Name = Annotated[str, Field(max_length=120)]
Energy = Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)]
REFERENCES: dict[str, dict[str, Any]] = {
    "complete": {"systems_without_reference": [], "n_references": {"$ne": None}},
    "incomplete": {"systems_without_reference.0": {"$exists": True}},
}
"""Whether a hull has a reference compound in each system of a material."""
_KNOWN = frozenset(symbols()[1:])


def _symbols(value: Any) -> Any:
    """Read symbols from one text or several: ``Li,Mn`` and ``elements=Li&elements=Mn``."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)):
        return value
    given = [part.strip() for text in texts for part in str(text).split(",") if part.strip()]
    unknown = [symbol for symbol in given if symbol not in _KNOWN]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not an element: give symbols such as Li or Mn")
    return list(dict.fromkeys(given))


Symbols = Annotated[list[str], BeforeValidator(_symbols), Field(max_length=118)]


class Question(BaseModel):
    """Base of the questions: unknown names are errors, empty ones are as if not given."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=MAX_ROWS, description="Rows of the page")
    after: str | None = Field(
        None, max_length=600, description="Token of the page, as the page before gave it"
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: Any) -> Any:
        """Drop what a form sends for a field that nobody filled in."""
        if not isinstance(values, dict):
            return values
        return {
            name: value
            for name, value in values.items()
            if name not in cls.model_fields or value not in ("", [""])
        }


class DiscoveryQuery(Question):
    """Which crystals, in which order."""

    elements: Symbols = Field([], description="Elements, as symbols")
    match: Literal["all", "any", "only"] = Field(
        "all",
        description="Crystals with all of the elements, with any, or with no others than these",
    )
    without: Symbols = Field([], description="Elements that may not be there")
    chemsys: Name | None = Field(None, description="Chemical system, such as Li-Mn-S")
    formula: Name | None = Field(None, description="Formula, in any order of the elements")
    nelements_min: int | None = Field(None, ge=1, le=118, description="Least number of elements")
    nelements_max: int | None = Field(None, ge=1, le=118, description="Most elements")
    e_form_min: Energy | None = Field(None, description="Least formation energy (eV/atom)")
    e_form_max: Energy | None = Field(None, description="Largest formation energy (eV/atom)")
    e_hull_min: Energy | None = Field(None, description="Least energy above the hull (eV/atom)")
    e_hull_max: Energy | None = Field(None, description="Largest energy above the hull (eV/atom)")
    atoms_min: int | None = Field(None, ge=1, le=10_000, description="Least atoms in the cell")
    atoms_max: int | None = Field(None, ge=1, le=10_000, description="Most atoms in the cell")
    space_group: int | None = Field(None, ge=1, le=230, description="Number of the space group")
    crystal_system: CrystalSystem | None = Field(None, description="Crystal system")
    stable: bool | None = Field(None, description="Whether it is on the hull")
    phonons: Literal["stable", "marginal", "unstable", "not_converged", "none"] | None = Field(
        None, description="Verdict of the phonons; none: not computed"
    )
    known: bool | None = Field(
        None, description="Whether it matches a known phase of the searched sources"
    )
    pressure: float | None = Field(
        None, ge=0, le=1e6, allow_inf_nan=False, description="Pressure (GPa); 0 for none"
    )
    source: Name | None = Field(
        None, description="Source of the energies, such as chgnet-0.3.0 at 10 GPa"
    )
    references: Literal["complete", "incomplete"] | None = Field(
        None, description="Whether each system of its elements has a reference compound on the hull"
    )
    superseded: bool = Field(
        False, description="Also list crystals that another crystal or a newer hull has replaced"
    )
    method: Name | None = Field(None, description="One of the methods that proposed it")
    campaign: Name | None = Field(None, description="Campaign that found it (campaign_id)")
    q: str | None = Field(
        None, max_length=1000, description="Further filter, in the OPTIMADE grammar"
    )
    sort: SortKey = Field("e_hull", description="Order; a leading - for descending")

    def criteria(self) -> dict[str, Any]:
        """Build the MongoDB query of everything but `q`."""
        clauses = [
            *self._elements(),
            *_between("nelements", self.nelements_min, self.nelements_max),
            *_between("formation_energy_per_atom", self.e_form_min, self.e_form_max),
            *_between("energy_above_hull", self.e_hull_min, self.e_hull_max),
            *_between("nsites", self.atoms_min, self.atoms_max),
        ]
        equal = {
            "symmetry.number": self.space_group,
            "symmetry.crystal_system": self.crystal_system,
            "is_stable": self.stable,
            "campaign_ids": self.campaign,
            "energy_source": self.source,
            "known": self.known,
        }
        clauses += [{field: value} for field, value in equal.items() if value is not None]
        if self.method:
            clauses.append({"method": {"$regex": f"(^|, ){re.escape(self.method)}( #|$)"}})
        if self.stable:
            clauses.append({"energy_above_hull": {"$lte": STABLE}})  # bounds on every index
        if self.pressure is not None:
            clauses.append(
                {"pressure": self.pressure or {"$in": [0.0, None]}}
            )  # None: documents of old
        if self.references is not None:
            clauses.append(REFERENCES[self.references])
        if not self.superseded:
            clauses.append(CURRENT)
        if self.phonons:
            clauses.append({"dynamic_stability": None if self.phonons == "none" else self.phonons})
        return {"$and": clauses} if clauses else {}

    def _elements(self) -> list[dict[str, Any]]:
        clauses: list[dict[str, Any]] = []
        if self.elements and self.match == "only":
            if len(self.elements) > MAX_WITHIN:
                raise InputError(f"match=only takes up to {MAX_WITHIN} elements: name fewer")
            clauses.append({"chemsys": {"$in": subsystems("-".join(self.elements))}})
        elif self.elements:
            operator = "$all" if self.match == "all" else "$in"
            clauses.append({"elements": {operator: self.elements}})
            # the same once more, as an index of another field can tell it
            some = [[el] for el in self.elements] if self.match == "all" else [self.elements]
            clauses += [{"chemsys": _has_any(symbols)} for symbols in some]
        if self.without:
            clauses.append({"chemsys": {"$not": _has_any(self.without)}})
        if self.chemsys:
            clauses.append({"chemsys": chemical_system(self.chemsys)})
        if self.formula:
            clauses.append({"formula_pretty": pretty_formula(self.formula)})
        return clauses


def _has_any(symbols: list[str]) -> dict[str, str]:
    """Match chemical systems with any of these elements (known symbols, so only letters)."""
    return {"$regex": f"(^|-)({'|'.join(symbols)})(-|$)"}


def _between(field: str, low: float | None, high: float | None) -> list[dict[str, Any]]:
    bounds = {"$gte": low, "$lte": high}
    given = {operator: value for operator, value in bounds.items() if value is not None}
    return [{field: given}] if given else []


def chemical_system(text: str) -> str:
    """Order the elements of a chemical system by the alphabet.

    Raises
    ------
    InputError
        If one is not an element.
    """
    given = [symbol.strip() for symbol in text.split("-")]
    unknown = [symbol for symbol in given if symbol not in _KNOWN]
    if unknown:
        raise InputError(f"{unknown[0]!r} is not an element: write the system as Li-Mn-S")
    return "-".join(sorted(set(given)))


def discoveries(database: Database, query: DiscoveryQuery) -> Page:
    """List the crystals that match, one page of them.

    Raises
    ------
    InputError
        If an element, the filter or the token of the page is wrong.
    """
    column = SORT_FIELDS[query.sort.removeprefix("-")]
    return find(
        database,
        query.q or "",
        fields=[*MATERIAL_FIELDS, "density", "chemsys", "last_updated"],
        sort=f"-{column}" if query.sort.startswith("-") else column,
        limit=query.limit,
        after=query.after,
        criteria=query.criteria(),
        max_time_ms=FIND_MS,
    )


def count_up_to(
    database: Database, query: DiscoveryQuery, limit: int = COUNT_LIMIT
) -> tuple[int, bool]:
    """Count matches, but no longer than a reader would wait.

    Returns
    -------
    The number, and whether it is exact; otherwise there are at least so many.
    """
    clauses = [clause for clause in (parse_filter(query.q or ""), query.criteria()) if clause]
    match = {"$and": clauses} if clauses else {}
    try:
        number = database.raw("materials").count_documents(
            match, limit=limit + 1, maxTimeMS=COUNT_MS
        )
    except ExecutionTimeout:
        return 0, False
    return min(number, limit), number <= limit


class CandidateQuery(Question):
    """Which compositions, the best first."""

    campaign: Name | None = Field(None, description="Campaign (campaign_id)")
    chemsys: Name | None = Field(None, description="Chemical system, such as Li-Mn-S")
    formula: Name | None = Field(None, description="Formula, in any order of the elements")
    sort: Literal["rank", "-rank", "e_form", "-e_form", "id"] = Field(
        "rank", description="Order: rank in the campaign, predicted formation energy, identifier"
    )


CANDIDATE_FIELDS = ("candidate_id", "campaign_id", "formula", "rank", "score", "energy", "stage")
_CANDIDATE_SORT = {
    "rank": "rank",
    "e_form": "energy.formation_energy_per_atom",
    "id": "candidate_id",
}


def candidates(database: Database, query: CandidateQuery) -> Page:
    """List the compositions that match, one page of them.

    Raises
    ------
    InputError
        If an element, the formula or the token of the page is wrong.
    """
    criteria: dict[str, Any] = {}
    if query.campaign:
        criteria["campaign_id"] = query.campaign
    if query.chemsys:
        criteria["chemsys"] = chemical_system(query.chemsys)
    if query.formula:
        criteria["formula"] = pretty_formula(query.formula)
    column = _CANDIDATE_SORT[query.sort.removeprefix("-")]
    return find(
        database,
        collection="candidates",
        fields=CANDIDATE_FIELDS,
        sort=f"-{column}" if query.sort.startswith("-") else column,
        limit=query.limit,
        after=query.after,
        criteria=criteria,
        max_time_ms=FIND_MS,
    )


def energy_sources(database: Database) -> list[str]:
    """List the sources of energies that materials have."""
    with database.guard():
        sources: list[str] = database.raw("materials").distinct("energy_source", maxTimeMS=FIND_MS)
    return sorted(sources)
