"""Inputs of the benchmarks, all made by this project from a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.composition import CompositionArray
from screening.generation import make_generator

if TYPE_CHECKING:
    from pymatgen.core import Structure

CHEMISTRY = ("Li", "Na", "Mg", "Al", "Ti", "Mn", "Fe", "P", "S", "O", "F")
"""Elements whose balanced compositions are enumerated."""


def matgan(n: int, seed: int, *, max_atoms: int | None = None) -> CompositionArray:
    """Sample `n` different compositions from the bundled MatGAN."""
    generator = make_generator(
        "matgan", seed=seed, batch_size=2 * n + 200, n_samples=10**7, max_atoms=max_atoms
    )
    found = CompositionArray.from_counts([])
    number = 0
    while len(found) < n:
        found = CompositionArray.concatenate([found, generator.batch(number)]).unique()
        number += 1
    return found[:n]


def mixed_compositions(n: int, seed: int) -> CompositionArray:
    """Mix samples of MatGAN and enumerated balanced compositions, half and half, shuffled."""
    sampled = matgan(n - n // 2, seed)
    listed = make_generator("enumeration", chemsys=CHEMISTRY, max_atoms=12, batch_size=10**6)
    rng = np.random.default_rng(seed)
    parts = [listed.batch(number) for number in range(listed.n_batches())]
    balanced = CompositionArray.concatenate(parts)
    chosen = balanced[rng.choice(len(balanced), n // 2, replace=n // 2 > len(balanced))]
    both = CompositionArray.concatenate([sampled, chosen])
    return both[rng.permutation(len(both))]


def crystals(n: int, seed: int, *, max_atoms: int = 10) -> tuple[list[str], list[Structure]]:
    """Make `n` crystals of sampled compositions: known prototypes and random ones in turns.

    Returns
    -------
    The method of each, and the crystals.
    """
    from screening.structure import Target, get_generator

    order = ("prototypes", "random")
    methods: list[str] = []
    structures: list[Structure] = []
    for formula in matgan(4 * n, seed, max_atoms=max_atoms // 2).formulas():
        if len(structures) == n:
            break
        method = order[len(structures) % len(order)]
        target = Target(formula, max_atoms=max_atoms)
        proposals = get_generator(method).generate(target, 1, seed)
        methods += [method] * len(proposals)
        structures += [proposal.structure for proposal in proposals]
    return methods, structures
