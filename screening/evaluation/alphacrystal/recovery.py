"""How well crystals come back from their own maps, with cell and space group known.

A contact map is not enough for positions: many crystals have the same contacts. Expected distances,
from the pair table or from the network, choose among them (`MapTarget.expected`), or the energies
of a potential, as in AlphaCrystal, where a graph network picked the structure of a formula.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.crystal.crystals import Crystal, primitive_cell, standardise, structure_of
from screening.crystal.distances import covalent_radii
from screening.crystal.wyckoff_occupations import tables
from screening.engines.descent import RelaxOptions
from screening.engines.single_points import settle
from screening.metrics.contacts import CONTACT_TOLERANCE, covalent_contacts, dice
from screening.metrics.intervals import bootstrap_interval
from screening.metrics.matching import rms_distance
from screening.progress import report
from screening.prototypes.build import cells_of_table
from screening.structure.alphacrystal.alignment import align
from screening.structure.alphacrystal.assignment import Assignment, MapTarget
from screening.structure.alphacrystal.data import ordered_cell
from screening.structure.alphacrystal.fitness import score_all
from screening.structure.alphacrystal.labels import kinds_of
from screening.structure.alphacrystal.reconstruct import reconstruct
from screening.structure.alphacrystal.search import Search
from screening.structure.alphacrystal.search_problem import gene_count, make_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from screening.crystal.crystals import Cell
    from screening.engines import Engine
    from screening.structure.alphacrystal.model import Maps
    from screening.structure.alphacrystal.reconstruct import Reconstruction

Floats = NDArray[np.float64]

STARTS = 24
SEARCH = Search(evaluations=4000, size=24, assignments=200, first=True)
LIKE_TABLE_2 = 10
_TRIES, _SETTLED, _WORSE = 4, 48, 0.02
"""Searches whose crystals are relaxed; how many of these, and how much less fit than the best."""
_RELAX = RelaxOptions(max_steps=100, relax_cell=False, fix_symmetry=True)
_TIMED = 20_000
_DRAWN = 6
_MANY = 6
"""Atoms and free coordinates of crystals like those of AlphaCrystal's Table 2: at least so many,
and a quarter of it.
"""


@dataclass(frozen=True)
class Subject:
    """A crystal that is rebuilt.

    Attributes
    ----------
    name
        Reduced formula.
    crystal
        The crystal.
    row
        Its place among the measured crystals.
    """

    name: str
    crystal: Crystal
    row: int

    @property
    def n_free(self) -> int:
        """Free coordinates."""
        positions = self.crystal.group.positions
        return sum(int(positions[i].free.sum()) for i in self.crystal.letters.tolist())


def choose(table: pd.DataFrame, n: int, seed: int) -> list[Subject]:
    """Draw crystals of at least 3 atoms; those like Table 2 first, as many as it has.

    Like Table 2: at least 6 atoms and 2 free coordinates, all of different formulas.
    """
    order = np.random.default_rng(seed).permutation(np.flatnonzero(table["n_sites"] >= 3))
    first: list[Subject] = []
    rest: list[Subject] = []
    for row in order.tolist():
        if len(first) >= min(n, LIKE_TABLE_2) and len(first) + len(rest) >= n:
            break
        cell = cells_of_table(table.iloc[[row]])[0][0]
        crystal = cell if isinstance(cell, str) else standardise(cell)
        if isinstance(crystal, str):
            continue
        subject = Subject(table["formula"].iloc[row], crystal, row)
        like = crystal.n_atoms >= _MANY and subject.n_free >= _MANY // 3
        (first if like and len(first) < LIKE_TABLE_2 else rest).append(subject)
    return [*first, *rest][:n]


def measure_recovery(
    subjects: list[Subject],
    hints: Mapping[str, Maps],
    search: Search,
    seed: int,
    engine: Engine | None = None,
) -> dict[str, Any]:
    """Rebuild crystals from their contacts, alone or with expected distances, and distances.

    Wyckoff positions are not given: they are drawn as for an unknown crystal.

    Parameters
    ----------
    subjects
        The crystals (`choose`).
    hints
        Predictions whose distances choose among crystals with the true contacts, by name.
    search
        How crystals are searched for.
    seed
        Seed of the searches.
    engine
        Potential in which crystals with the true contacts are relaxed, in the true cell, to take
        the one that is lowest in energy.

    Returns
    -------
    For ``contacts``, ``relaxed`` (contacts, then the potential), ``contacts_NAME`` of each hint,
    and ``distances``: ``dice`` of the contacts
    that were reached, with interval; ``match``, the share that StructureMatcher takes for the same
    crystal (loose); ``rms``, the median distance of those in Angstrom, and ``rms_like_table_2``
    that of the first ten, where a crystal without a match counts as infinitely far (None: most have
    no match); ``rows``, each crystal. ``n_special``: crystals without a free coordinate.
    ``evaluations_per_second``: fitness of contacts on one core.
    """
    result: dict[str, Any] = {"n": len(subjects), "algorithm": search.algorithm}
    relaxed = ["relaxed"] if engine else []
    ways = ["contacts", *relaxed, *(f"contacts_{name}" for name in hints), "distances"]
    for way in ways:
        start = time.process_time()
        rows = []
        for i, subject in enumerate(subjects):
            target = own_target(subject.crystal, contacts=way != "distances")
            hint = hints.get(way.removeprefix("contacts_"))
            if hint is not None:
                target = replace(target, expected=expected_distances(target, hint, subject.row))
            rng = np.random.default_rng((seed, i))
            rows.append(_recover(subject, target, search, rng, engine if way in relaxed else None))
            report(f"rebuilding: {way}", i + 1, len(subjects))
        result[way] = _figures(rows, seed) | {
            "seconds_per_crystal": (time.process_time() - start) / max(len(subjects), 1)
        }
    result["n_special"] = sum(not subject.n_free for subject in subjects)
    result["evaluations_per_second"] = _speed(subjects, np.random.default_rng(seed))
    return result


def own_target(crystal: Crystal, *, contacts: bool) -> MapTarget:
    """Give the true map of a crystal."""
    numbers, distances = ordered_cell(primitive_cell(crystal))
    values = covalent_contacts(distances, numbers).astype(np.float64) if contacts else distances
    return MapTarget(numbers, values, contacts)


def expected_distances(target: MapTarget, hint: Maps, row: int) -> Floats:
    """Fit predicted distances to true contacts: equal atoms in their order, lengths within limits.

    Parameters
    ----------
    target
        True contacts.
    hint
        Predictions of all measured crystals.
    row
        Which of them.

    Returns
    -------
    Angstrom, shape ``(n, n)``.
    """
    n = len(target.numbers)
    contacts = hint.contacts[row, :n, :n].astype(np.float64)
    np.fill_diagonal(contacts, 0)
    order = align(np.ascontiguousarray(target.matrix), contacts, kinds_of(target.numbers), STARTS)
    distances = hint.distances[row, :n, :n].astype(np.float64)[order][:, order]
    radii = covalent_radii()[target.numbers]
    low = radii[:, None] + radii - CONTACT_TOLERANCE
    high = low + 2 * CONTACT_TOLERANCE
    inside = np.where(target.matrix >= 0.5, np.clip(distances, low, high), distances)
    np.fill_diagonal(inside, 0)
    return inside


def _recover(
    subject: Subject,
    target: MapTarget,
    search: Search,
    rng: np.random.Generator,
    engine: Engine | None,
) -> dict[str, Any]:
    """Rebuild one crystal; `rms` in Angstrom, NaN without a match."""
    crystal = subject.crystal
    row = {
        "formula": subject.name,
        "space_group": crystal.number,
        "atoms": crystal.n_atoms,
        "sites": len(crystal.letters),
        "variables": subject.n_free,
        "dice": 0.0,
        "rms": float("nan"),
    }
    tries = _TRIES if engine else 1
    search = replace(search, first=search.first and engine is None)
    found = [
        item
        for _ in range(tries)
        for item in reconstruct(target, [crystal.number], rng, search=search, cell=crystal.cell)
    ]
    if found:
        cell = _lowest(found, engine) if engine else primitive_cell(found[0].crystal)
        true = own_target(crystal, contacts=True).matrix
        numbers, distances = ordered_cell(cell)
        rebuilt = covalent_contacts(distances, numbers).astype(np.float64)
        order = align(true, rebuilt, kinds_of(target.numbers), STARTS)
        reference = structure_of(primitive_cell(crystal))
        length = crystal.volume_per_atom ** (1 / 3)
        row["dice"] = float(dice(true, rebuilt[order][:, order]))
        row["rms"] = length * rms_distance(reference, structure_of(cell), "loose")
    return row


def _lowest(found: list[Reconstruction], engine: Engine) -> Cell:
    """Relax the positions of the best few, and take the crystal of the lowest energy."""
    best = max(item.score for item in found)
    fit = sorted(found, key=lambda item: -item.score)
    kept = [item for item in fit if item.score >= best - _WORSE][:_SETTLED]
    cells, energies = settle([primitive_cell(item.crystal) for item in kept], engine, _RELAX)
    return cells[int(np.nan_to_num(energies, nan=np.inf).argmin())]


def _figures(rows: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    reached, rms = np.array([[row["dice"], row["rms"]] for row in rows]).reshape(-1, 2).T
    matched = rms[np.isfinite(rms)]
    first = np.where(np.isfinite(rms), rms, np.inf)[:LIKE_TABLE_2]
    return {
        "dice": float(reached.mean()),
        "dice_interval": list(bootstrap_interval(reached, seed=seed)),
        "match": len(matched) / max(len(rms), 1),
        "rms": float(np.median(matched)) if len(matched) else None,
        "rms_like_table_2": finite(np.median(first)),
        "rows": [row | {"rms": finite(row["rms"])} for row in rows],
    }


def finite(value: float) -> float | None:
    """Give what JSON can hold: None for what is not finite."""
    return float(value) if np.isfinite(value) else None


def _speed(subjects: list[Subject], rng: np.random.Generator) -> float:
    """Count evaluations of the fitness per second, on the largest crystal."""
    largest = max((subject.crystal for subject in subjects), key=lambda crystal: crystal.n_atoms)
    target = own_target(largest, contacts=True)
    occupation = tuple(zip(largest.letters.tolist(), largest.species.tolist(), strict=True))
    problem = make_problem(target, [Assignment(largest.number, occupation, largest.cell)])
    genes = rng.random((1, _TIMED, gene_count(problem)))
    row = np.zeros(1, dtype=np.int64)
    score_all(tables(), problem, row, genes[:, :1])
    start = time.process_time()
    score_all(tables(), problem, row, genes)
    return _TIMED / (time.process_time() - start)


def plotted_maps(
    table: pd.DataFrame, predictions: Mapping[str, Maps], seed: int
) -> list[dict[str, Any]]:
    """Numbers of a figure: true and predicted contacts, and those of the crystal rebuilt from them.

    The crystal is searched with the true cell and space group, from the predicted contacts and
    distances.
    """
    name = "model" if "model" in predictions else "composition"
    maps = predictions[name]
    drawn = []
    for i, subject in enumerate(choose(table, _DRAWN, seed)):
        n = subject.crystal.n_atoms
        true = own_target(subject.crystal, contacts=True)
        contacts, distances = (
            values[subject.row, :n, :n].astype(np.float64)
            for values in (maps.contacts, maps.distances)
        )
        for values in (contacts, distances):
            np.fill_diagonal(values, 0)
        order = align(contacts, true.matrix, kinds_of(true.numbers), STARTS)
        wanted = replace(true, matrix=contacts, expected=distances)
        rng = np.random.default_rng((seed, i))
        crystal = subject.crystal
        best = reconstruct(wanted, [crystal.number], rng, search=SEARCH, cell=crystal.cell)
        rebuilt = own_target(best[0].crystal, contacts=True).matrix if best else np.zeros((n, n))
        own = align(contacts, rebuilt, kinds_of(true.numbers), STARTS)
        drawn.append(
            {
                "formula": subject.name,
                "atoms": true.numbers.tolist(),
                "true": true.matrix[order][:, order].tolist(),
                "predicted": contacts.round(3).tolist(),
                "reconstructed": rebuilt[own][:, own].tolist(),
            }
        )
    return drawn
