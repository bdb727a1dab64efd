"""Formulas that no generator has seen, and generators that have not seen them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from screening.checkpoints import checkpoint_ref, read_card
from screening.checkpoints.io import CARD
from screening.crystal.crystals import structure_of
from screening.elements import symbols
from screening.errors import InputError
from screening.evaluation.generators.options import KNOWN, NO_SYMMETRY, POOL
from screening.prototypes.bank_file import write_bank
from screening.prototypes.build import cells_of_table
from screening.prototypes.train import train_bank
from screening.structure import (
    CHECKPOINTS,
    Bank,
    Proposal,
    Target,
    build_pool,
    get_generator,
)
from screening.training.data import STRUCTURE_COLUMNS, canonical_formulas, read_table, unseen
from screening.training.request import TrainRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.evaluation.generators.options import GeneratorsEvaluation
    from screening.structure import StructureGenerator
    from screening.training.request import EvaluateRequest

BANKED = frozenset({"contact-map", "distance-matrix", "prototypes", "random"})
"""Methods that take a bank."""


@dataclass(frozen=True)
class Subject:
    """One formula.

    Attributes
    ----------
    formula
        Canonical formula.
    crystals
        Its known crystals, the lowest energy above the hull first.
    target
        What the generators are asked for.
    """

    formula: str
    crystals: tuple[Structure, ...]
    target: Target

    @classmethod
    def of(cls, table: pd.DataFrame, target: Target | None = None) -> Self:
        """Take the rows of one formula; without a target, for cells of the size of the first."""
        cells = cells_of_table(table.sort_values("e_above_hull", kind="stable"))[0]
        crystals = tuple(structure_of(cell) for cell in cells if not isinstance(cell, str))
        counts = Counter(site.specie.Z for site in crystals[0])
        cell = "".join(f"{symbols()[z]}{count}" for z, count in sorted(counts.items()))
        return cls(str(table["formula"].iloc[0]), crystals, target or Target.of_cell(cell))


class KnownCrystals:
    """Proposes the known crystals of the subjects.

    Parameters
    ----------
    subjects
        The subjects.
    """

    name = KNOWN
    version = "1"

    def __init__(self, subjects: Iterable[Subject]) -> None:
        self._crystals = {subject.target: subject.crystals for subject in subjects}

    def generate(self, target: Target, n: int, seed: int = 0) -> list[Proposal]:  # noqa: ARG002 - the protocol has it
        """Give the first `n` of them."""
        return [Proposal(structure) for structure in self._crystals[target][:n]]


class Pooled:
    """Proposes what the pool of several methods ranks first.

    Parameters
    ----------
    generators
        The methods.
    each
        Structures of each method.
    """

    name = POOL
    version = "2"

    def __init__(self, generators: Mapping[str, StructureGenerator], each: int) -> None:
        self._generators, self._each = dict(generators), each

    def generate(self, target: Target, n: int, seed: int = 0) -> list[Proposal]:
        """Give the first `n` of the pool, with their ranks as scores."""
        methods = dict.fromkeys(self._generators, self._each)
        pool = build_pool(target, methods, seed, top=n, generators=self._generators)
        return [
            Proposal(document.to_structure(), score=-float(rank))
            for rank, document in enumerate(pool, start=1)
        ]


def structure_table(data: Path) -> pd.DataFrame:
    """Read a structure table, formulas in their canonical form."""
    table = read_table(data, STRUCTURE_COLUMNS).reset_index(drop=True)
    return table.assign(formula=canonical_formulas(table["formula"].tolist()))


def trained_on(methods: Iterable[str]) -> dict[str, NDArray[np.uint32]]:
    """Fingerprints of the formulas that models of these methods were trained on, by method."""
    found = {}
    for method in methods:
        if method == NO_SYMMETRY:
            continue
        generator = get_generator(method)
        for part in ("model", "ranker"):
            if hasattr(generator, part):
                found[method] = getattr(generator, part).seen_formulas
    return found


def fresh_formulas(table: pd.DataFrame, options: GeneratorsEvaluation) -> list[str]:
    """List the formulas that none of the models has seen."""
    formulas = table["formula"].unique().tolist()
    fresh = np.ones(len(formulas), dtype=bool)
    for seen in trained_on(options.chosen()).values():
        fresh &= unseen(formulas, seen)
    return [formula for formula, new in zip(formulas, fresh.tolist(), strict=True) if new]


def choose_subjects(
    table: pd.DataFrame, fresh: list[str], request: EvaluateRequest, options: GeneratorsEvaluation
) -> list[Subject]:
    """Draw formulas, each with its known ground state; a larger sample begins with a smaller one.

    Raises
    ------
    InputError
        If there is none.
    """
    lowest = table[table["formula"].isin(fresh)].sort_values("e_above_hull", kind="stable")
    lowest = lowest.drop_duplicates("formula").sort_index()
    lowest = lowest[lowest["n_sites"] <= options.atoms]
    order = np.random.default_rng(request.seed).permutation(len(lowest))
    rows = lowest.iloc[order[: request.sample]]
    if rows.empty:
        raise InputError(
            f"{request.data}: the models have seen every formula of at most {options.atoms} atoms; "
            "raise atoms (--set atoms=20), use fewer methods, or give other data"
        )
    return [Subject.of(rows.iloc[[place]]) for place in range(len(rows))]


def subject_of_map(table: pd.DataFrame, options: GeneratorsEvaluation) -> Subject:
    """Take the formula that is mapped with all its known crystals, in cells of any size.

    Raises
    ------
    InputError
        If the data have no crystal of the formula.
    """
    formula = canonical_formulas([str(options.map)])[0]
    rows = table[table["formula"] == formula]
    if rows.empty:
        raise InputError(f"map={options.map!r}: the data have no crystal of {formula}")
    return Subject.of(rows, Target(formula, max_atoms=options.atoms))


def reduce_bank(checkpoint: str, formulas: Iterable[str], path: Path) -> None:
    """Write the bank of a checkpoint without some formulas, unless it is there."""
    if not (path / CARD).is_file():
        write_bank(Bank.load(checkpoint).without(formulas), path, read_card(checkpoint))


def train_rest(
    table: pd.DataFrame, formulas: Iterable[str], path: Path, *, seed: int, epochs: int
) -> None:
    """Train a bank on a table without some formulas, unless it is there."""
    if (path / CARD).is_file():
        return
    path.mkdir(parents=True, exist_ok=True)
    rest = path.with_suffix(".parquet")
    table[~table["formula"].isin(set(formulas))].to_parquet(rest)
    options = {"epochs": str(epochs)}
    train_bank(TrainRequest((rest,), path, seed=seed, resume=True, options=options))
    rest.unlink()


def make_generator(method: str, bank: str, options: GeneratorsEvaluation) -> StructureGenerator:
    """Make a generator that uses the given bank; methods without one are as they are."""
    if method == NO_SYMMETRY:
        return get_generator("random", bank=bank, space_groups=(1,))
    if method not in BANKED:
        return get_generator(method)
    more = {"energies": options.energies} if method == "prototypes" else {}
    return get_generator(method, bank=bank, **more)


def pooled(generators: Mapping[str, StructureGenerator], each: int) -> Pooled:
    """Make the pool of all methods, without the rival that is none."""
    rivals = {KNOWN, NO_SYMMETRY}
    return Pooled({k: made for k, made in generators.items() if k not in rivals}, each)


def identity(
    method: str, generators: Mapping[str, StructureGenerator], each: int
) -> list[str | int | None]:
    """Say what a method's structures depend on, beside bank and target."""
    if method == POOL:
        names = [name for name in generators if name not in {KNOWN, NO_SYMMETRY, POOL}]
        parts = [part for name in names for part in identity(name, generators, each)]
        return [method, generators[method].version, each, *parts]
    names = [CHECKPOINTS[method]] if method in CHECKPOINTS else []
    names += ["ranker"] if method == "prototypes" else []
    return [method, generators[method].version, *(checkpoint_ref(name).sha256 for name in names)]
