"""How many crystals must be drawn until a known phase is among them, as in Table IV of the paper.

Everything is relaxed at the pressure of the phase, the phase itself, too, and compared after that.
Random symmetric crystals with the same number of atoms are the rivals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from screening.composition import CompositionArray
from screening.crystal.crystals import structure_of
from screening.errors import InputError
from screening.metrics.matching import rms_distance
from screening.progress import report
from screening.readers.files import read_structures
from screening.relax import RelaxOptions, relax_structures
from screening.structure.random.generator import RandomGenerator
from screening.structure.request import Target
from screening.training.data import unseen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pymatgen.core import Structure

    from screening.structure.cdvae.model import CdvaeModel
    from screening.structure.cdvae.sampling import SamplingOptions

PAPER = {
    "li-ci16": {"drawn": 566.0, "search": 50.0},
    "b-alpha": {"drawn": 74.0, "search": 392.3},
    "b-alpha-ga": {"drawn": 58.0, "search": 78.0},
    "sio2-quartz": {"drawn": 62.8, "search": 189.0},
    "sio2-rutile": {"drawn": 5.0, "search": 90.0},
    "sio2-cacl2": {"drawn": 10.2, "search": 61.0},
    "sio2-alpha-pbo2": {"drawn": 21.6, "search": 74.7},
    "sio2-pyrite": {"drawn": 28.8, "search": 66.0},
}
"""Table IV: samples until the phase was found, by Cond-CDVAE-4M and by CALYPSO, of 1,000."""
_NAME = re.compile(r"(?P<name>.+)_(?P<pressure>\d+(\.\d+)?)GPa")
_PART = 32


@dataclass(frozen=True)
class Phase:
    """A known crystal and the pressure (GPa) at which it is looked for."""

    name: str
    pressure: float
    structure: Structure

    @classmethod
    def read(cls, folder: Path) -> list[Self]:
        """Read the files ``NAME_PRESSUREGPa.cif`` of a folder, such as ``li-ci16_50GPa.cif``.

        Raises
        ------
        InputError
            If there is none, or a name or a file cannot be used.
        """
        found = []
        for path in sorted(folder.glob("*.cif")):
            parts = _NAME.fullmatch(path.stem)
            if parts is None:
                raise InputError(f"{path}: call it NAME_PRESSUREGPa.cif, as in quartz_0GPa.cif")
            item = next(read_structures(path))
            if item.structure is None:
                raise InputError(f"{path}: {item.reason}")
            structure = item.structure.get_primitive_structure()
            found.append(cls(parts["name"], float(parts["pressure"]), structure))
        if not found:
            raise InputError(f"{folder}: no file NAME_PRESSUREGPa.cif")
        return found


def find_phases(
    model: CdvaeModel,
    phases: Sequence[Phase],
    *,
    tries: int,
    sampling: SamplingOptions,
    engine: str,
    seed: int,
) -> dict[str, Any]:
    """Draw crystals of each phase's cell at its pressure, relax them, and count the phase.

    Phases with more atoms than the model knows are left out.

    Returns
    -------
    By phase ``atoms``, ``pressure`` (GPa), ``seen`` (whether the model was trained on its formula),
    the ``paper``'s numbers, and for ``drawn`` and ``random`` the number of ``tries``, the ``found``
    ones that match strictly, and ``first``, the place of the first of them.
    """
    result: dict[str, Any] = {}
    for phase in phases:
        n_atoms = len(phase.structure)
        if n_atoms > model.max_atoms:
            continue
        options = RelaxOptions(pressure=phase.pressure, fix_symmetry=True, keep_trajectory=False)
        (known,) = relax_structures([phase.structure], options, engine=engine)
        if known.structure is None:
            raise InputError(f"{phase.name} does not relax at {phase.pressure:g} GPa")
        formula = phase.structure.composition.reduced_formula
        canonical = CompositionArray.from_formulas([formula]).reduced().formulas()
        streams = {
            "drawn": _drawn(model, phase, tries, sampling, seed),
            "random": _random(phase, tries, seed),
        }
        result[phase.name] = {
            "atoms": n_atoms,
            "pressure": phase.pressure,
            "seen": not bool(unseen(canonical, model.seen_formulas)[0]),
            "paper": PAPER.get(phase.name),
        } | {
            name: _count(f"{phase.name}: {name}", structures, known.structure, options, engine)
            for name, structures in streams.items()
        }
    return result


def _drawn(
    model: CdvaeModel, phase: Phase, tries: int, sampling: SamplingOptions, seed: int
) -> list[Structure]:
    numbers = [np.array(phase.structure.atomic_numbers, dtype=np.int64)] * tries
    made = model.generate(numbers, [phase.pressure] * tries, sampling, seed)
    return [structure_of(cell) for cell in made]


def _random(phase: Phase, tries: int, seed: int) -> list[Structure]:
    formula = phase.structure.composition.formula.replace(" ", "")
    target = Target.of_cell(formula, max_atoms=max(20, len(phase.structure)))
    return [item.structure for item in RandomGenerator().generate(target, tries, seed)]


def _count(
    label: str,
    structures: Sequence[Structure],
    known: Structure,
    options: RelaxOptions,
    engine: str,
) -> dict[str, Any]:
    """Relax crystals part by part and compare them with the phase."""
    found: list[int] = []
    for start in range(0, len(structures), _PART):
        part = structures[start : start + _PART]
        for place, item in enumerate(relax_structures(part, options, engine=engine), start + 1):
            after = item.structure
            if after is not None and np.isfinite(rms_distance(known, after, "strict")):
                found.append(place)
        report(label, min(start + _PART, len(structures)), len(structures))
    return {"tries": len(structures), "found": len(found), "first": found[0] if found else None}
