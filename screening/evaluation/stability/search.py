"""What the pipeline finds for formulas that it has never seen, one JSON line each.

Structures are proposed by a bank and a ranking without the formula, relaxed as campaigns relax
them, and the composition model gives its formation energy. Everything is kept raw, so that features
of later models are computed without another search.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.composition import CompositionArray, n_atoms, parse_formula
from screening.energy.model import EnergyModel
from screening.engines.descent.options import RelaxOptions
from screening.identity import derive_seed
from screening.progress import report
from screening.prototypes.bank import Bank
from screening.prototypes.ranker import Ranker
from screening.relax import relax_structures
from screening.structure import Target, build_pool
from screening.structure.prototypes import PrototypeGenerator
from screening.symmetry import SymmetryModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pymatgen.core import Structure

    from screening.relax import RelaxResult
    from screening.schemas import OriginDoc, StructureDoc

FORMULAS_PER_BANK = 256
"""Formulas that are left out of one copy of the bank together."""


@dataclass(frozen=True)
class SearchOptions:
    """How formulas are searched; part of every record.

    Attributes
    ----------
    proposals
        Structures that the prototypes propose, all of which are relaxed.
    engine
        Potential of the relaxations.
    max_steps
        Maximum number of evaluations of one structure.
    max_atoms
        Maximum number of atoms in a cell; formulas with more get no structure.
    formulas_per_batch
        Formulas whose structures are relaxed together.
    """

    proposals: int = 6
    engine: str = "chgnet"
    max_steps: int = 150
    max_atoms: int = 20
    formulas_per_batch: int = 8


class FormulaSearch:
    """Searches formulas with models that have not seen them.

    Parameters
    ----------
    options
        How the formulas are searched.
    bank
        Prototype bank, by the name of its checkpoint.
    """

    def __init__(self, options: SearchOptions, bank: str = "prototypes") -> None:
        self.options = options
        self.bank = Bank.load(bank)
        self.ranker = Ranker.load()
        self._symmetry = SymmetryModel.load()
        self._energy = EnergyModel.load()

    def records(self, formulas: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Search formulas, and yield one plain record for each, in order."""
        for first in range(0, len(formulas), FORMULAS_PER_BANK):
            chunk = formulas[first : first + FORMULAS_PER_BANK]
            bank = self.bank.without(chunk)
            generator = PrototypeGenerator(bank, self.ranker)
            size = self.options.formulas_per_batch
            for start in range(0, len(chunk), size):
                yield from self._batch(chunk[start : start + size], generator)

    def _batch(
        self, formulas: Sequence[str], generator: PrototypeGenerator
    ) -> list[dict[str, Any]]:
        compositions = CompositionArray.from_formulas(list(formulas))
        guesses = self._symmetry.predict(compositions)
        records, pools = [], []
        for formula, guess in zip(formulas, guesses, strict=True):
            start = time.perf_counter()
            pool = []
            if n_atoms(formula) <= self.options.max_atoms:
                target = Target(formula, symmetry=guess, max_atoms=self.options.max_atoms)
                pool = build_pool(
                    target,
                    {"prototypes": self.options.proposals},
                    derive_seed(0, formula),
                    generators={"prototypes": generator},
                )
            pools.append(pool)
            records.append(
                {
                    "formula": formula,
                    "n_atoms": n_atoms(formula),
                    "options": asdict(self.options),
                    "n_same_stoichiometry": _n_same_stoichiometry(generator.bank, formula),
                    "space_groups": [[g.number, g.probability] for g in guess.space_groups],
                    "volume_per_atom": guess.volume_per_atom,
                    "seconds_search": time.perf_counter() - start,
                }
            )
        start = time.perf_counter()
        documents = [document for pool in pools for document in pool]
        results = iter(self._relax([document.to_structure() for document in documents]))
        seconds = (time.perf_counter() - start) / max(len(documents), 1)
        for record, pool in zip(records, pools, strict=True):
            record["structures"] = [_structure_row(doc, next(results)) for doc in pool]
            record["seconds_relax"] = seconds * len(pool)
        for record, row in zip(records, self._energies(compositions), strict=True):
            record["composition_energy"] = row
        return records

    def _relax(self, structures: list[Structure]) -> list[RelaxResult]:
        options = RelaxOptions(
            max_steps=self.options.max_steps,
            fix_symmetry=True,
            batch_size=32,
            keep_trajectory=False,
        )
        return relax_structures(structures, options, engine=self.options.engine)

    def _energies(self, compositions: CompositionArray) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [{} for _ in range(len(compositions))]
        for reference in self._energy.references:
            prediction = self._energy.predict(compositions, reference=reference)
            for k, row in enumerate(rows):
                values = (prediction.mean, prediction.std, prediction.lower90, prediction.upper90)
                row[reference] = [float(value[k]) for value in values]
        kinds = self._energy.by_ensemble(compositions)
        for k, row in enumerate(rows):
            for kind, (mean, spread) in kinds.items():
                row[kind] = [*mean[k].tolist(), *spread[k].tolist()]
        return rows


def _n_same_stoichiometry(bank: Bank, formula: str) -> tuple[int, int]:
    """Count the prototypes and the decorations with the stoichiometry of a formula."""
    counts = np.array(sorted(parse_formula(formula).values()))
    family = bank.lookup.family(tuple((counts // np.gcd.reduce(counts)).tolist()))
    return (len(family.prototypes), len(family.decorations)) if family else (0, 0)


def _structure_row(document: StructureDoc, result: RelaxResult) -> dict[str, Any]:
    """Describe one proposal and its relaxation, plain."""
    relaxed, relaxation = result.structure, result.relaxation
    initial = document.to_structure()
    row: dict[str, Any] = {
        "nsites": document.nsites,
        "space_group": document.symmetry.number if document.symmetry else None,
        "origins": [_origin_row(origin) for origin in document.origins],
        "engine": relaxation.engine,
        "state": relaxation.state.value,
        "reason": relaxation.reason,
        "energy": relaxation.energy_per_atom,
        "initial_energy": relaxation.initial_energy_per_atom,
        "steps": relaxation.steps,
        "fmax": relaxation.fmax,
        "max_stress": relaxation.max_stress,
        "volume_change": relaxation.volume_change,
        "initial_lattice": initial.lattice.matrix.round(5).tolist(),
        "initial_coords": initial.frac_coords.round(5).tolist(),
        "numbers": [site.specie.Z for site in initial],
    }
    if relaxed is not None:
        row["lattice"] = relaxed.lattice.matrix.round(6).tolist()
        row["frac_coords"] = relaxed.frac_coords.round(6).tolist()
    return row


def _origin_row(origin: OriginDoc) -> dict[str, Any]:
    keys = ("space_group", "nearest", "known", "recoloured", "shared", "likelihood")
    return {
        "method": origin.method,
        "rank": origin.rank,
        "score": origin.score,
        "template": origin.template,
        **{key: origin.parameters.get(key) for key in keys},
    }


def search_formulas(formulas: Sequence[str], path: Path, search: FormulaSearch) -> int:
    """Search the formulas that a file does not have yet, and append their records to it.

    Parameters
    ----------
    formulas
        Canonical formulas, in the order in which they are searched.
    path
        File of JSON lines; a last line that was cut off is dropped.
    search
        How the formulas are searched.

    Returns
    -------
    Number of formulas that the file has.
    """
    done = {record["formula"] for record in read_records(path)}
    remaining = [formula for formula in formulas if formula not in done]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for k, record in enumerate(search.records(remaining), start=1):
            file.write(json.dumps(record) + "\n")
            file.flush()
            report("stability", len(done) + k, len(formulas), record["formula"])
    return len(done) + len(remaining)


def read_records(path: Path) -> list[dict[str, Any]]:
    """Read the complete lines of a file of records; cut off what follows the last one."""
    if not path.is_file():
        return []
    text = path.read_bytes()
    complete = text[: text.rfind(b"\n") + 1]
    if len(complete) < len(text):
        path.write_bytes(complete)
    return [json.loads(line) for line in complete.splitlines()]
