"""Convex hulls of chemical systems, each from one source of energies and at one pressure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from screening.elements import atomic_number, column
from screening.engines.base import GPA_PER_EV_A3
from screening.errors import InputError
from screening.hull.coverage import n_references, systems_without_reference
from screening.hull.entry import PhaseEntry
from screening.hull.facets import LowerHull, fractions
from screening.hull.plausible import implausible
from screening.identity import make_id
from screening.schemas.hull import HullDoc, HullEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from screening.schemas.structure import StructureDoc

ON_HULL = 1e-8
"""Distances below this are 0 (eV/atom): rounding."""


@dataclass(frozen=True)
class HullOptions:
    """How a hull is built.

    Attributes
    ----------
    outlier_margin
        An entry this far below every known compound of such elements (eV/atom, see
        `screening.hull.plausible`) is not trusted: it stays in the document, with the reason and
        its (negative) distance, but the hull is that of the others.
    """

    outlier_margin: float = 1.0


def build_hull(
    chemsys: str,
    entries: Sequence[PhaseEntry | Sequence[StructureDoc]],
    energy_source: str,
    options: HullOptions | None = None,
    *,
    version: int = 1,
) -> HullDoc:
    """Build the convex hull of a chemical system.

    The result depends neither on the order of the entries nor on ties: of equal phases the one
    with the first identifier is on the hull, and the others are at distance 0 too.

    Parameters
    ----------
    chemsys
        Element symbols, joined by hyphens, in any order.
    entries
        All phases of the system and its subsystems, every element among them; a group of
        documents that are the same crystal (`screening.relax.group_duplicates`) is one phase.
    energy_source
        The one source that all energies must have.
    options
        How; by default `HullOptions()`.
    version
        Number of this hull among those of the same system and source.

    Raises
    ------
    InputError
        If an element has no entry, an entry is of another system or source, or two entries have
        the same identifier.
    """
    options = options or HullOptions()
    elements = parse_chemsys(chemsys)
    phases = [e if isinstance(e, PhaseEntry) else PhaseEntry.from_structures(e) for e in entries]
    _check(phases, elements, energy_source)
    pressure = phases[0].pressure
    references = _references(phases, elements)
    formation = formation_energies(phases, references)
    outliers = _outliers(phases, references, options.outlier_margin)
    trusted = [e for e, outlier in zip(phases, outliers, strict=True) if outlier is None]
    hull = LowerHull.build(trusted, elements)
    placed = [
        entry.model_copy(update={"outlier": outlier})
        for entry, outlier in zip(_place(hull, phases, formation), outliers, strict=True)
    ]
    order = {e.entry_id: (e.formula, e.ranking_energy, e.entry_id) for e in phases}
    placed.sort(key=lambda e: order[e.entry_id])
    content = sorted((e.entry_id, round(e.ranking_energy, 6)) for e in phases)
    system = "-".join(elements)
    return HullDoc(
        hull_id=make_id("hull", system, energy_source, content, options.outlier_margin),
        chemsys=system,
        energy_source=energy_source,
        pressure=pressure,
        version=version,
        n_entries=len(placed),
        entries=placed,
        n_references=n_references(placed, elements),
        systems_without_reference=systems_without_reference(placed, elements),
    )


def energies_above(hull: HullDoc, entries: Sequence[PhaseEntry]) -> list[HullEntry]:
    """Place new phases against a hull as it is; the hull does not change.

    A phase that would change it has a negative `energy_above_hull`: how far it is below.

    Parameters
    ----------
    hull
        The hull.
    entries
        Phases of its system or subsystems, with energies from its source.

    Raises
    ------
    InputError
        If an entry is of another system or source.
    """
    elements = tuple(hull.chemsys.split("-"))
    for entry in entries:
        _check_one(entry, elements, hull.energy_source, hull.pressure)
    stable = [
        PhaseEntry(
            e.entry_id,
            e.composition,
            e.energy_per_atom,
            hull.energy_source,
            e.role,
            pressure=hull.pressure,
            enthalpy_per_atom=e.enthalpy_per_atom,
        )
        for e in hull.entries
        if e.energy_above_hull == 0.0 and e.outlier is None
    ]
    formation = formation_energies(entries, _references(stable, elements))
    return _place(LowerHull.build(stable, elements), entries, formation)


def formation_energies(
    entries: Sequence[PhaseEntry],
    references: dict[str, PhaseEntry],
    value: Callable[[PhaseEntry], float] = attrgetter("ranking_energy"),
) -> list[float]:
    """Compute formation energies (eV/atom; at a pressure: enthalpies) against the elements."""
    shares = fractions(entries, list(references))
    own = np.array([value(entry) for entry in entries])
    elemental = np.array([value(entry) for entry in references.values()])
    formation: list[float] = (own - shares @ elemental).tolist()
    return formation


def _references(entries: Sequence[PhaseEntry], elements: tuple[str, ...]) -> dict[str, PhaseEntry]:
    """Find the lowest phase of each element."""
    return {
        element: min(
            (e for e in entries if e.elements == {element}), key=lambda e: e.ranking_energy
        )
        for element in elements
    }


def _outliers(
    entries: Sequence[PhaseEntry], references: dict[str, PhaseEntry], margin: float
) -> list[str | None]:
    """Say which formation energies cannot be right.

    The bound is one of ambient pressure. At a pressure the elements are compressed, which takes at
    most the pressure times the volume that they lose; so much lower may compounds be.
    """
    energies = formation_energies(entries, references, attrgetter("energy_per_atom"))
    work = np.array([_compression_work(name, entry) for name, entry in references.items()])
    allowed = margin + fractions(entries, list(references)) @ work
    return [
        implausible(energy, entry.elements, limit)
        for entry, energy, limit in zip(entries, energies, allowed.tolist(), strict=True)
    ]


def _compression_work(symbol: str, entry: PhaseEntry) -> float:
    """Most energy (eV/atom) that an element has taken up since it was at no pressure."""
    if entry.pressure <= 0:
        return 0.0
    free = entry.pressure * float(column("magpie_GSvolume_pa")[atomic_number(symbol)])
    return max(0.0, free / GPA_PER_EV_A3 - (entry.ranking_energy - entry.energy_per_atom))


def _place(
    hull: LowerHull, entries: Sequence[PhaseEntry], formation: Sequence[float]
) -> list[HullEntry]:
    """Describe phases by their place against a hull."""
    distances, decompositions = hull.place(entries)
    return [
        HullEntry(
            entry_id=entry.entry_id,
            formula=entry.formula,
            composition=entry.composition,
            energy_per_atom=entry.energy_per_atom,
            enthalpy_per_atom=entry.enthalpy_per_atom,
            formation_energy_per_atom=energy,
            energy_above_hull=0.0 if abs(distance) < ON_HULL else float(distance),
            decomposition=decomposition,
            role=entry.role,
            members=list(entry.members),
            known_as=list(entry.known),
        )
        for entry, energy, distance, decomposition in zip(
            entries, formation, distances, decompositions, strict=True
        )
    ]


def parse_chemsys(chemsys: str) -> tuple[str, ...]:
    """Split ``O-Li`` into its symbols, in alphabetical order.

    Raises
    ------
    InputError
        If a symbol is unknown or comes twice.
    """
    found = [symbol.strip() for symbol in chemsys.split("-")]
    for symbol in found:
        atomic_number(symbol)
    if len(set(found)) != len(found):
        raise InputError(f"{chemsys=} names an element twice")
    return tuple(sorted(found))


def _check(entries: Sequence[PhaseEntry], elements: tuple[str, ...], source: str) -> None:
    for entry in entries:
        _check_one(entry, elements, source, entries[0].pressure)
    ids = Counter(entry.entry_id for entry in entries)
    twice = sorted(name for name, count in ids.items() if count > 1)
    if twice:
        raise InputError(f"entry_id {twice[0]!r} comes {ids[twice[0]]} times: pass each phase once")
    pure = {next(iter(e.elements)) for e in entries if len(e.elements) == 1}
    missing = [element for element in elements if element not in pure]
    if missing:
        raise InputError(
            f"the hull {'-'.join(elements)} has no elemental reference for {missing}: relax "
            "screening.hull.elemental_structures with the same engine and add them"
        )


def _check_one(entry: PhaseEntry, elements: tuple[str, ...], source: str, pressure: float) -> None:
    if entry.pressure < 0:
        raise InputError(
            f"entry {entry.entry_id!r} is at {entry.pressure:g} GPa: under tension every crystal "
            "is metastable, so that there is no hull"
        )
    if entry.pressure != pressure:
        raise InputError(
            f"entry {entry.entry_id!r} is at {entry.pressure:g} GPa, the hull at {pressure:g} GPa: "
            "pressures are never mixed on one hull"
        )
    if entry.energy_source != source:
        raise InputError(
            f"entry {entry.entry_id!r} has energies from {entry.energy_source!r}, the hull from "
            f"{source!r}: sources are never mixed on one hull"
        )
    if not entry.elements <= set(elements):
        raise InputError(
            f"entry {entry.entry_id!r} ({entry.formula}) is not of the system {'-'.join(elements)}"
        )
