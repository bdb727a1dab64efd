"""Random symmetric crystals against pyxtal's."""

from __future__ import annotations

import itertools
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import Report, race, require
from benchmarks.inputs import matgan
from screening.crystal.distances import MIN_CONTACT, closest_contact, covalent_radii
from screening.elements import symbols
from screening.structure import Target, get_generator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymatgen.core import Structure

MAX_ATOMS = 20
BATCH = 64
"""Crystals of one composition that are asked for at once."""
PYXTAL_ELEMENTS = 96
"""Elements in pyxtal's table of distances."""
ROUNDING = 1e-6


def run(items: int, seed: int, repeats: int) -> Report:
    """Make one valid crystal of each composition, in space groups drawn from all 230."""
    pyxtal = require("pyxtal").pyxtal
    incompatible = require("pyxtal.msg").Comp_CompatibilityError
    report = Report(
        f"Random crystals of up to {MAX_ATOMS} atoms in the primitive cell, distances at least "
        f"{MIN_CONTACT} of the sum of the covalent radii; space group and formula units are drawn "
        "until one crystal is valid",
        "pyxtal.from_random",
        packages=("pyxtal",),
    )
    targets = [
        Target(formula, max_atoms=MAX_ATOMS)
        for formula in matgan(items, seed, max_atoms=MAX_ATOMS // 2).formulas()
    ]
    generator = get_generator("random")
    numbers = itertools.count(seed)

    def ours() -> list[Structure]:
        number = next(numbers)
        made = (generator.generate(target, 1, number) for target in targets)
        return [proposal.structure for proposals in made for proposal in proposals]

    tolerances = _tolerances()
    rng = np.random.default_rng(seed)

    def one(target: Target) -> Structure:
        species = [symbols()[z] for z in target.composition]
        for group, units in _draws(target, rng):
            crystal = pyxtal()
            try:
                crystal.from_random(
                    3,
                    group,
                    species,
                    [count * units for count in target.composition.values()],
                    conventional=False,
                    max_count=1,  # give up early, and draw another space group
                    tm=tolerances,
                    random_state=rng,
                )
            except (incompatible, RuntimeError):
                continue
            return crystal.to_pymatgen()
        raise AssertionError("unreachable: draws never end")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one(targets[0])
        row, mine, theirs = race(
            f"{items} compositions",
            "valid crystals/s",
            ours,
            lambda: [one(target) for target in targets],
            repeats=repeats,
        )
    report.rows.append(row)
    _batches(report, targets, range(seed, seed + repeats))
    _compare(report, len(targets), mine, theirs)
    return report


def _batches(report: Report, targets: list[Target], seeds: range) -> None:
    """Make many crystals of each composition at once; the peer has no such mode."""
    generator = get_generator("random")
    rates = []
    for number in seeds:
        start = time.process_time()
        made = [p for target in targets for p in generator.generate(target, BATCH, number)]
        rates.append(len(made) / (time.process_time() - start))
    report.figures[f"ours, {BATCH} of each at once, valid crystals per second of the processor"] = (
        float(np.median(rates))
    )
    shortest = min(_contacts([proposal.structure for proposal in made]))
    report.check(
        "shortest distance in batches",
        f"{shortest:.3f} of the sum of the radii (at least {MIN_CONTACT})",
        passed=shortest >= MIN_CONTACT - ROUNDING,
    )


def _draws(target: Target, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Draw space groups and formula units without end, as `RandomGenerator` does."""
    while True:
        yield int(rng.integers(1, 231)), int(rng.choice(target.allowed_units))


def _tolerances() -> Any:
    """Give pyxtal the shortest distances of this project."""
    radii = covalent_radii()[1 : PYXTAL_ELEMENTS + 1]
    matrix = MIN_CONTACT * (radii[:, None] + radii[None])
    return require("pyxtal.tolerance").Tol_matrix.from_matrix(matrix)


def _contacts(structures: list[Structure]) -> list[float]:
    """Shortest distance of each crystal in units of the sum of the covalent radii."""
    radii = covalent_radii()
    return [
        closest_contact(s.lattice.matrix, s.frac_coords, radii[[site.specie.Z for site in s]])
        for s in structures
    ]


def _compare(report: Report, wanted: int, ours: list[Structure], theirs: list[Structure]) -> None:
    """Check our distances; say how dense the crystals are."""
    for who, structures in (("ours", ours), ("peer", theirs)):
        volumes = [structure.volume / len(structure) for structure in structures]
        groups = {structure.get_space_group_info()[1] for structure in structures}
        report.figures |= {
            f"{who}, shortest distance / sum of radii": min(_contacts(structures)),
            f"{who}, median volume, Angstrom^3/atom": float(np.median(volumes)),
            f"{who}, different space groups": len(groups),
        }
    shortest = min(_contacts(ours))
    report.check(
        "shortest distance",
        f"{shortest:.3f} of the sum of the radii (at least {MIN_CONTACT})",
        passed=shortest >= MIN_CONTACT - ROUNDING,
    )
    report.check(
        "compositions with a crystal", f"{len(ours)} of {wanted}", passed=len(ours) == wanted
    )
