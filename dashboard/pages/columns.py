"""The table of discoveries: its columns, and its filter as an address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from stores.queries.listings import DiscoveryQuery

ColumnName = Literal[
    "formula", "chemsys", "space_group", "crystal_system", "atoms", "density", "e_form", "e_hull",
    "references", "phonons", "known", "method", "source", "pressure", "superseded", "updated", "id",
]  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    title
        Its heading.
    numeric
        Whether it is set to the right.
    sort
        Name to sort by, if it can be.
    help
        What it means.
    """

    title: str
    numeric: bool = False
    sort: str | None = None
    help: str = ""


COLUMNS: dict[str, Column] = {
    "formula": Column("Formula", sort="formula"),
    "chemsys": Column("System"),
    "space_group": Column("Space group", sort="space_group"),
    "crystal_system": Column("Crystal system"),
    "atoms": Column("Atoms", numeric=True, sort="atoms", help="Atoms in the cell"),
    "density": Column("Density", numeric=True, sort="density", help="g/cm³"),
    "e_form": Column(
        "E form",
        numeric=True,
        sort="e_form",
        help="Formation energy, at a pressure enthalpy (marked H), eV/atom",
    ),
    "e_hull": Column(
        "E hull",
        numeric=True,
        sort="e_hull",
        help="Above the newest hull of the system, meV/atom; at a pressure of enthalpies",
    ),
    "references": Column(
        "No reference in",
        help="Systems with no compound among the references of the hull: there the distance may be "
        "too small",
    ),
    "phonons": Column("Phonons", help="Dynamic stability"),
    "known": Column("Known", help="Matches a known phase of the sources named below the table"),
    "method": Column("Found by", help="Methods that proposed it, with their best ranks"),
    "source": Column("Energies by", help="Engine, with the pressure where there is one"),
    "pressure": Column("Pressure", numeric=True, help="GPa"),
    "superseded": Column("Superseded by", help="Crystal or newer hull that has replaced it"),
    "updated": Column("Updated", sort="updated"),
    "id": Column("Identifier"),
}
DEFAULT_COLUMNS = (
    "formula", "space_group", "atoms", "e_form", "e_hull", "references", "source", "phonons",
    "known", "method",
)  # fmt: skip


class PageQuery(DiscoveryQuery):
    """The filter of the page, with its columns."""

    columns: list[ColumnName] = Field([], max_length=len(COLUMNS), description="Columns")

    def discoveries(self) -> DiscoveryQuery:
        """Give the part that the API knows."""
        return DiscoveryQuery(**self.model_dump(exclude={"columns"}))

    def asked(self) -> dict[str, Any]:
        """Give what differs from the defaults, as parameters of an address; never the page."""
        return self.model_dump(exclude_defaults=True, exclude={"after"})
