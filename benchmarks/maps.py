"""Fitness of crystals against a contact map, and the search of one composition."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.io.cif import CifParser

from benchmarks.harness import Report, race
from screening.crystal.distances import covalent_radii
from screening.crystal.space_groups import space_group
from screening.crystal.wyckoff_occupations import tables
from screening.elements import column, symbols
from screening.metrics.contacts import CONTACT_TOLERANCE
from screening.structure.alphacrystal.assignment import Assignment, MapTarget, Problem
from screening.structure.alphacrystal.data import inputs_of
from screening.structure.alphacrystal.fitness import contacts_of, score_all
from screening.structure.alphacrystal.geometry import distances_of_genes
from screening.structure.alphacrystal.labels import kinds_of
from screening.structure.alphacrystal.model import MapModel
from screening.structure.alphacrystal.reconstruct import draw_assignments
from screening.structure.alphacrystal.search import AlgorithmName, Search, find
from screening.structure.alphacrystal.search_problem import (
    crystal_of_genes,
    gene_count,
    make_problem,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from screening.crystal.crystals import Crystal

    Floats = NDArray[np.float64]

CRYSTALS = {
    "Fe4As4Se4, P2_1/c, 9 coordinates": (14, (5.7, 5.6, 5.8, 90.0, 112.0, 90.0),
                                         ((4, 26), (4, 33), (4, 34))),
    "V4O4F4, P4_12_12, 3 tied coordinates": (92, (4.6, 4.6, 9.4, 90.0, 90.0, 90.0),
                                        ((0, 23), (0, 8), (0, 9))),
}  # fmt: skip
"""Made-up crystals with 12 atoms: space group, cell, Wyckoff letters and elements of the orbits."""
FORMULA = {26: 4, 33: 4, 34: 4}
GROUPS = (2, 4, 14, 15, 19, 29, 33, 36, 62, 92)
EVALUATIONS = 100_000
VOLUME = 15.0
"""Angstrom^3/atom."""
LIMIT = 15.0
"""Seconds for a million evaluations: ten space groups."""
WANTED = 2000
_BATCH = 100
_ATOMS = "_atom_site_"


@dataclass(frozen=True)
class Case:
    """A crystal whose contact map is sought.

    Attributes
    ----------
    problem
        The search, in which equal atoms are not exchanged: the authors do not.
    numbers
        Atomic numbers, shape ``(n,)``.
    genes
        The points that are evaluated, shape ``(b, g)``; the first is the crystal itself.
    """

    problem: Problem
    numbers: NDArray[np.int64]
    genes: Floats

    def crystal(self, index: int) -> Crystal:
        """Describe a point."""
        return crystal_of_genes(self.problem, 0, self.genes[index], self.numbers)


def run(items: int, seed: int, repeats: int) -> Report:
    """Evaluate `items` points of two crystals, here and as the authors' code does it."""
    report = Report(
        "Fitness of 12 atoms on Wyckoff positions against a contact map (Dice coefficient times "
        "the share of bonds that are not too short), equal atoms not exchanged",
        "the authors' way: for each point a CIF file is read, changed and parsed by pymatgen, and "
        "pairs of sites are judged in Python",
    )
    rng = np.random.default_rng(seed)
    for name, (group, cell, occupation) in CRYSTALS.items():
        case = _case(group, np.array(cell), occupation, items, rng)
        with TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer = _authors(case, Path(folder) / "template.cif")
            row, mine, theirs = race(name, "evaluations/s", _ours(case), peer, repeats=repeats)
        report.rows.append(row)
        difference = np.abs(mine[: len(theirs)] - theirs).max()
        report.check(
            f"{name}: fitness", f"largest difference {difference:.1e}", passed=difference < 1e-9
        )
        report.check(
            f"{name}: ratio", f"{row.ratio.median:.0f} (at least {WANTED})",
            passed=row.ratio.median >= WANTED,
        )  # fmt: skip
    return report


def _case(
    group: int,
    cell: Floats,
    occupation: tuple[tuple[int, int], ...],
    items: int,
    rng: np.random.Generator,
) -> Case:
    counts: Counter[int] = Counter()
    for letter, element in occupation:
        position = space_group(group).positions[letter]
        counts[element] += position.multiplicity // space_group(group).n_centring
    numbers = np.repeat(list(counts), list(counts.values())).astype(np.int64)
    numbers = numbers[np.argsort(kinds_of(numbers), kind="stable")]
    blank = MapTarget(numbers, np.zeros((len(numbers),) * 2), contacts=True)
    assignment = Assignment(group, occupation, cell)
    problem = make_problem(blank, [assignment], exchange=False)
    genes = rng.random((max(items, _BATCH), gene_count(problem)))
    contacts = contacts_of(problem, distances_of_genes(tables(), problem, 0, genes[0]))
    return Case(problem._replace(target=contacts), numbers, genes)


def _ours(case: Case) -> Callable[[], Floats]:
    row = np.zeros(1, dtype=np.int64)
    return lambda: score_all(tables(), case.problem, row, case.genes[None])[0]


def _authors(case: Case, template: Path) -> Callable[[], Floats]:
    """Make the authors' evaluation of the first points, in their order of atoms."""
    template.write_text(_cif(case.crystal(0)), encoding="utf-8")
    n = min(len(case.genes), 25)
    target = _contacts(_parsed(template, case.crystal(0)))
    return lambda: np.array(
        [_fitness(_parsed(template, case.crystal(i)), target) for i in range(n)]
    )


def _parsed(template: Path, crystal: Crystal) -> tuple[list[str], Floats]:
    """Write coordinates into the text of the template and parse it: elements and distances."""
    lines = template.read_text(encoding="utf-8").splitlines()
    first = max(i for i, line in enumerate(lines) if line.startswith(_ATOMS)) + 1
    for place, point in enumerate(_representatives(crystal)):
        words = lines[first + place].split()
        lines[first + place] = " ".join([*words[:2], *map(repr, point.tolist()), words[-1]])
    structure = CifParser.from_str("\n".join(lines)).parse_structures(primitive=True)[0]
    return [site.specie.symbol for site in structure], structure.distance_matrix


def _contacts(parsed: tuple[list[str], Floats]) -> tuple[Floats, int, int]:
    """Contacts, and numbers of valid and of too short bonds, pair by pair."""
    elements, distances = parsed
    n = len(elements)
    found, valid, short = np.zeros((n, n)), 0, 0
    for i in range(n):
        for j in range(n):
            numbers = [symbols().index(elements[k]) for k in (i, j)]
            radii = sum(float(covalent_radii()[z]) for z in numbers)
            metals = all(column("is_metal")[z] == 1 for z in numbers)
            step = distances[i, j] - radii
            if i != j and not metals and abs(step) <= CONTACT_TOLERANCE:
                found[i, j] = 1
                valid += i < j
            short += bool(i < j and step < -CONTACT_TOLERANCE)
    return found, valid, short


def _fitness(parsed: tuple[list[str], Floats], target: tuple[Floats, int, int]) -> float:
    """Dice coefficient times the share of bonds that are not too short."""
    found, valid, short = _contacts(parsed)
    total = np.count_nonzero(found) + np.count_nonzero(target[0])
    dice = 2 * np.count_nonzero(found * target[0]) / total if total else 1.0
    return dice * (valid / (valid + short)) if valid + short else dice


def _representatives(crystal: Crystal) -> list[Floats]:
    """First position of each orbit."""
    positions = crystal.group.positions
    return [
        positions[letter].matrices[0] @ free + positions[letter].offsets[0]
        for letter, free in zip(crystal.letters.tolist(), crystal.parameters, strict=True)
    ]


def _cif(crystal: Crystal) -> str:
    """Write a CIF file with the operations of the group and one atom of each orbit."""
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = ["data_template"]
    lines += [f"_cell_{k} {v!r}" for k, v in zip(names, crystal.cell.tolist(), strict=True)]
    lines += [f"_symmetry_Int_Tables_number {crystal.number}", "loop_"]
    lines += ["_symmetry_equiv_pos_as_xyz"]
    group = crystal.group
    for rotation, shift in zip(group.rotations, group.translations, strict=True):
        terms = [
            "".join(f"{int(c):+d}*{axis}" for c, axis in zip(row, "xyz", strict=True) if c)
            + f"{t:+.6f}"
            for row, t in zip(rotation, shift, strict=True)
        ]
        lines.append("'" + ", ".join(terms).replace("1*", "") + "'")
    lines += ["loop_", "_atom_site_type_symbol", "_atom_site_label"]
    lines += ["_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z"]
    lines += ["_atom_site_occupancy"]
    for i, z in enumerate(crystal.species.tolist()):
        lines.append(f"{symbols()[z]} {symbols()[z]}{i} 0 0 0 1")
    return "\n".join(lines) + "\n"


def run_search(items: int, seed: int, repeats: int) -> Report:
    """Search one composition in `items` space groups, 100,000 evaluations each, one core."""
    groups = GROUPS[:items]
    report = Report(
        f"Fe4As4Se4 from its predicted maps in {len(groups)} space groups, at most {EVALUATIONS:,} "
        "evaluations each by the papers' search, a twentieth by ours (a step by slopes counts as "
        "two), the cell searched too; processor time of one core",
    )
    numbers = np.repeat(list(FORMULA), list(FORMULA.values())).astype(np.int64)
    numbers = numbers[np.argsort(kinds_of(numbers), kind="stable")]
    maps = MapModel.load().predict(inputs_of([numbers], [None], len(numbers)))
    distances = maps.distances[0].astype(np.float64)
    np.fill_diagonal(distances, 0)
    contacts = MapTarget(numbers, maps.contacts[0].astype(np.float64), contacts=True)
    ours = Search().algorithm
    runs = {
        "papers' search": (contacts, _Way("ga", 100, exchange=False)),
        f"{ours}, contacts and distances": (replace(contacts, expected=distances), _Way(ours, 25)),
        f"{ours}, distances": (MapTarget(numbers, distances, contacts=False), _Way(ours, 25)),
    }
    for name, (target, way) in runs.items():
        rng = np.random.default_rng(seed)
        _search(target, way, groups[:1], rng, 1000)  # code is compiled
        share = EVALUATIONS if not way.exchange else EVALUATIONS // 20
        found = [_search(target, way, groups, rng, share) for _ in range(repeats)]
        typical = 1e6 * float(np.median([seconds / used for seconds, used in found]))
        report.figures[f"{name}, evaluations"] = found[-1][1]
        report.figures[f"{name}, s per million"] = round(typical, 2)
        if not way.exchange:
            detail = f"{typical:.1f} s per million (at most {LIMIT:.1f})"
            report.check(name, detail, passed=typical <= LIMIT)
    return report


@dataclass(frozen=True)
class _Way:
    """An algorithm, its population, and whether equal atoms are exchanged (not in the papers)."""

    algorithm: AlgorithmName
    size: int
    exchange: bool = True


def _search(
    target: MapTarget,
    way: _Way,
    groups: tuple[int, ...],
    rng: np.random.Generator,
    evaluations: int,
) -> tuple[float, int]:
    """Seconds of the processor for one search, and its evaluations: a reached map ends it."""
    start, used = time.process_time(), 0
    for number in groups:
        assignments = draw_assignments(target, number, 10, rng)
        problem = make_problem(target, assignments, volume_per_atom=VOLUME, exchange=way.exchange)
        share = evaluations // len(assignments)
        search = Search(way.algorithm, share, way.size, halving=False)
        used += find(problem, search, rng).evaluations
    return time.process_time() - start, used
