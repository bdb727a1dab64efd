"""How often the right crystal is decoded: ``screening evaluate transformer``."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from pymatgen.core import Structure

from screening.balance import accepted, balance_codes
from screening.checkpoints.io import file_sha256
from screening.composition import CompositionArray
from screening.crystal.crystals import primitive_cell, standardise, structure_of
from screening.crystal.distances import closest_contact
from screening.crystal.isopointal import canonical_label, label_name
from screening.crystal.limits import DEFAULT_MAX_ATOMS
from screening.elements import symbols
from screening.errors import InputError
from screening.metrics.intervals import bootstrap_interval
from screening.metrics.matching import TOLERANCES, Matches
from screening.progress import report
from screening.prototypes.bank import Bank
from screening.prototypes.build import cells_of_table
from screening.structure.pool import Once, build_pool
from screening.structure.prototypes import PrototypeGenerator
from screening.structure.request import Target
from screening.structure.transformer.decode import group_chances
from screening.structure.transformer.generator import TransformerGenerator
from screening.structure.transformer.model import TransformerModel
from screening.training.data import STRUCTURE_COLUMNS, canonical_formulas, read_table, unseen
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    import pandas as pd

    from screening.crystal.crystals import Crystal
    from screening.structure.request import Proposal, StructureGenerator
    from screening.training.request import EvaluateRequest

LEAST_DISTANCE = 0.5
"""Crystals with closer atoms (Angstrom) are not valid (Xie et al. 2022, CDVAE)."""


class TransformerEvaluation(BaseModel):
    """Options of ``screening evaluate transformer``."""

    model_config = ConfigDict(extra="forbid")

    count_known: bool = Field(True, description="Whether the atoms in the primitive cell are given")
    pool: bool = Field(False, description="Whether a pool with the prototypes is measured too")
    bank: str = Field("prototypes", description="Bank of the prototypes, less what is measured")
    energies: bool = Field(False, description="Whether the prototypes are ranked with energies")


@dataclass(frozen=True)
class _Task:
    """Crystals that are measured: their rows, themselves, and what is asked for."""

    table: pd.DataFrame
    references: list[Structure]
    targets: list[Target]

    @classmethod
    def of(cls, table: pd.DataFrame, options: TransformerEvaluation) -> Self:
        """Unpack the rows of a structure table."""
        cells = [cell for cell in cells_of_table(table)[0] if not isinstance(cell, str)]
        references = [structure_of(cell) for cell in cells]
        return cls(table, references, [_target(one, options) for one in references])


@dataclass
class _Measured:
    """Proposals of all targets, and what it took to make them."""

    structures: list[list[Structure]] = field(default_factory=list)
    families: list[list[str]] = field(default_factory=list)
    decoded: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    possible: list[float] = field(default_factory=list)
    unique: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def evaluate_transformer(request: EvaluateRequest) -> dict[str, Any]:
    """Measure crystals of formulas that the model was not trained on.

    ``match`` and its neighbours are as in ``screening evaluate structures``. Of all that
    is decoded, ``valid_distance`` is the share in which no atoms are closer than 0.5 Angstrom,
    ``possible`` the share without atoms closer than the generator allows,
    and ``unique`` the share of the possible ones that differ from those before. ``novel`` is the
    share of proposals whose prototype family (space group and Wyckoff letters by class) is not in
    the bank. ``valid_charge`` is a property of the targets: SMACT's rules on their formulas. With
    the option ``pool``, ``only_transformer`` counts the targets that the prototypes alone miss, and
    ``n_ranked`` those whose formula the prototypes' ranking was fitted on.

    Raises
    ------
    InputError
        If the options cannot be used, or nothing is left to measure.
    """
    if request.top_k < 1:
        raise InputError(f"top_k={request.top_k} must be at least 1")
    options = parse_options(TransformerEvaluation, request.options)
    model = TransformerModel.load(request.checkpoint or "transformer")
    task = _Task.of(_rows_of(request, model), options)
    generator = TransformerGenerator(model)
    measured = _measure(generator, task.targets, request.top_k)
    matches = Matches.of(task.references, measured.structures, request.top_k)
    formulas = task.table["formula"].tolist()
    bank = Bank.load(options.bank).without(sorted(set(formulas)))
    charges = accepted(balance_codes(CompositionArray.from_formulas(formulas)))
    prototypes = PrototypeGenerator(bank, energies=options.energies)
    rmse, closest = matches.rmse(), matches.closest()
    result = {
        "match": matches.rates(),
        "match_interval": matches.intervals(request.seed),
        "rmse": rmse["loose"],
        "rmse_strict": rmse["strict"],
        "rmse_closest": closest["loose"],
        "space_group": _group_accuracy(model, task),
        **_shares(measured, request.seed),
        "valid_charge": float(charges.mean()),
        "novel": _novelty(measured.families, bank),
        "n": len(task.references),
        "n_without_proposal": sum(not own for own in measured.structures),
        "pool": _pool(task, prototypes, generator, request) if options.pool else {},
        "count_known": options.count_known,
        "tolerances": {name: list(values) for name, values in TOLERANCES.items()},
        "data_sha256": file_sha256(request.data),
        "checkpoint": {"name": model.ref.name, "sha256": model.ref.sha256},
        "seed": request.seed,
        "top_k": request.top_k,
    }
    plain: dict[str, Any] = plain_metrics(result)
    return plain


def _rows_of(request: EvaluateRequest, model: TransformerModel) -> pd.DataFrame:
    """Choose the rows that are measured, in the order of ``screening evaluate structures``."""
    table = read_table(request.data, STRUCTURE_COLUMNS).reset_index(drop=True)
    table = table.assign(formula=canonical_formulas(table["formula"].tolist()))
    fresh = unseen(table["formula"].tolist(), model.seen_formulas)
    fresh &= table["n_sites"].to_numpy() <= model.max_atoms
    order = np.random.default_rng(request.seed).permutation(len(table))
    test = table.iloc[order[fresh[order]][: request.sample]]
    if not len(test):
        raise InputError(f"{request.data}: the model has seen every usable formula of it")
    return test


def _counts(structure: Structure) -> dict[int, int]:
    return dict(sorted(Counter(site.specie.Z for site in structure).items()))


def _target(reference: Structure, options: TransformerEvaluation) -> Target:
    formula = "".join(f"{symbols()[z]}{count}" for z, count in _counts(reference).items())
    if options.count_known:
        return Target.of_cell(formula)
    return Target(formula, max_atoms=max(DEFAULT_MAX_ATOMS, len(reference)))


def _measure(generator: TransformerGenerator, targets: list[Target], top_k: int) -> _Measured:
    measured = _Measured()
    generator.draw(targets[0], 1, seed=0)  # compiles, and reads tables: once for all targets
    for index, target in enumerate(targets):
        start = time.perf_counter()
        drawn = generator.draw(target, top_k, seed=0)
        proposals = generator.propose(drawn, top_k)
        measured.seconds.append(time.perf_counter() - start)
        measured.structures.append([proposal.structure for proposal in proposals])
        measured.families.append([_family(proposal) for proposal in proposals])
        decoded = max(len(drawn.sampled), 1)
        possible = sum(one.possible for one in drawn.sampled)
        measured.decoded.append(float(decoded))
        measured.valid.append(sum(_is_valid(one.crystal) for one in drawn.sampled) / decoded)
        measured.possible.append(possible / decoded)
        measured.unique.append(len(drawn.distinct) / max(possible, 1))
        measured.calls += [float(one.calls) for one in drawn.sampled]
        report("decoding", index + 1, len(targets))
    return measured


def _shares(measured: _Measured, seed: int) -> dict[str, Any]:
    """Means over targets, those of shares with intervals."""
    found: dict[str, Any] = {
        "valid_distance": float(np.mean(measured.valid)),
        "possible": float(np.mean(measured.possible)),
        "possible_interval": list(bootstrap_interval(np.array(measured.possible), seed=seed)),
        "unique": float(np.mean(measured.unique)),
        "proposals": float(np.mean([len(own) for own in measured.structures])),
        "decoded": float(np.mean(measured.decoded)),
        "network_calls": float(np.mean(measured.calls)),
        "seconds_per_target": float(np.mean(measured.seconds)),
        "seconds_per_target_most": float(np.max(measured.seconds)),
    }
    return found


def _is_valid(crystal: Crystal) -> bool:
    """Tell whether no atoms are closer than `LEAST_DISTANCE`, images included."""
    lattice, points, numbers = primitive_cell(crystal)
    if not np.isfinite(lattice).all():
        return False
    halves = np.full(len(numbers), LEAST_DISTANCE / 2)
    return closest_contact(lattice, points, halves, 2.0) > 1.0


def _group_accuracy(model: TransformerModel, task: _Task) -> dict[str, float]:
    """Share of targets whose space group is among the likeliest of the composition."""
    chances = group_chances(model.network, [_counts(one) for one in task.references])
    numbers = task.table["spacegroup_number"].tolist()
    ranks = np.array(
        [(row > row[number - 1]).sum() for row, number in zip(chances, numbers, strict=True)]
    )
    return {str(k): float((ranks < k).mean()) for k in (1, 5, 20)}


def _family(proposal: Proposal) -> str:
    structure = proposal.structure
    numbers = np.array([site.specie.Z for site in structure])
    crystal = standardise((structure.lattice.matrix, structure.frac_coords, numbers))
    return crystal if isinstance(crystal, str) else _name(crystal)


def _name(crystal: Crystal) -> str:
    return label_name(canonical_label(crystal)[0])


def _novelty(families: list[list[str]], bank: Bank) -> float:
    known = {_name(bank.crystal(prototype)) for prototype in range(bank.n_prototypes)}
    return float(np.mean([name not in known for own in families for name in own]))


def _pool(
    task: _Task,
    prototypes: PrototypeGenerator,
    generator: TransformerGenerator,
    request: EvaluateRequest,
) -> dict[str, Any]:
    """Compare the prototypes alone with the pool of both, as many structures of each."""
    k, matches = request.top_k, {}
    generators: dict[str, StructureGenerator] = {
        "prototypes": Once(prototypes),
        "transformer": Once(generator),
    }
    for names in (("prototypes",), ("prototypes", "transformer")):
        pools = []
        for index, target in enumerate(task.targets):
            pool = build_pool(target, dict.fromkeys(names, k), 0, generators=generators)
            pools.append([Structure.from_dict(document.structure) for document in pool])
            report(f"pool of {len(names)}", index + 1, len(task.targets))
        matches[len(names)] = Matches.of(task.references, pools, k * len(names))
    alone, both = matches[1], matches[2]
    ranked = prototypes.ranker.seen_formulas
    found = both.hits("loose", 2 * k) & ~alone.hits("loose", k)
    return {
        "prototypes": alone.rates(),
        "prototypes_interval": alone.intervals(request.seed),
        "both": both.rates(),
        "both_interval": both.intervals(request.seed),
        "only_transformer": int(found.sum()),
        "energies": prototypes.engine is not None,
        "n_ranked": int((~unseen(task.table["formula"].tolist(), ranked)).sum()),
    }
