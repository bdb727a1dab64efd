"""What an engine says of drawn crystals: their pressure, and how far they are from a minimum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from screening.engines import Crystal, engine_id, make_engine
from screening.engines.threads import one_thread
from screening.progress import report
from screening.relax import RelaxOptions, relax_structures
from screening.structure.cdvae.graph import nearest_image
from screening.structure.crystals import structure_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.structure.cdvae.model import CdvaeModel
    from screening.structure.cdvae.sampling import SamplingOptions
    from screening.structure.crystals import Cell


def pressures(
    model: CdvaeModel,
    numbers: list[NDArray[np.int64]],
    targets: Sequence[float],
    *,
    sampling: SamplingOptions,
    engine: str,
    seed: int,
) -> dict[str, Any] | None:
    """Draw a crystal of each composition for each pressure, and measure pressure and volume.

    Returns
    -------
    ``by_target``: quartiles of the pressure that the engine finds (GPa), and the volume per atom
    (Angstrom^3). The same seed gives the same random numbers at each pressure. None if there is
    nothing to draw.
    """
    if not numbers or not targets:
        return None
    source, found = make_engine(engine), {}
    for target in targets:
        made = model.generate(numbers, [target] * len(numbers), sampling, seed)
        crystals = [Crystal.from_structure(structure_of(cell)) for cell in made]
        with one_thread():
            results = source.evaluate(crystals)
        stresses = np.array([-np.trace(item.stress) / 3 for item in results])
        finite = stresses[np.isfinite(stresses)]
        found[f"{target:g}"] = {
            "n": len(finite),
            "quartiles": np.quantile(finite, [0.25, 0.5, 0.75]).tolist() if len(finite) else None,
            "mean_volume_per_atom": float(np.mean([volume(cell) / len(cell[2]) for cell in made])),
        }
        report("pressures", len(found), len(targets))
    return {"engine": engine_id(engine), "by_target": found}


def relaxations(structures: Sequence[Structure], engine: str) -> dict[str, Any]:
    """Relax crystals: share that converges, evaluations, and distance to the minimum.

    Returns
    -------
    ``converged`` (share), ``steps`` (mean of those that converged), and quartiles of ``rmsd``
    (Angstrom), with its mean: root mean square over the atoms of the shortest way from the drawn
    to the relaxed fractional coordinates, in the drawn cell, as the paper has it.
    """
    results = relax_structures(structures, RelaxOptions(keep_trajectory=False), engine=engine)
    converged = [item.relaxation.state == "converged" for item in results]
    steps = [item.relaxation.steps for item in results if item.relaxation.state == "converged"]
    moved = [
        distance(before, item.structure)
        for before, item in zip(structures, results, strict=True)
        if item.structure is not None and item.relaxation.state == "converged"
    ]
    return {
        "n": len(structures),
        "converged": float(np.mean(converged)),
        "steps": float(np.mean(steps)) if steps else None,
        "rmsd": float(np.mean(moved)) if moved else None,
        "rmsd_quartiles": np.quantile(moved, [0.25, 0.5, 0.75]).tolist() if moved else None,
    }


def distance(before: Structure, after: Structure) -> float:
    """Root mean square of the shortest ways of the atoms, in the cell before (Angstrom)."""
    gone = torch.from_numpy(after.frac_coords - before.frac_coords)
    lattice = torch.from_numpy(np.array(before.lattice.matrix)).expand(len(before), 3, 3)
    return float(nearest_image(gone, lattice).square().sum(dim=1).mean().sqrt())


def volume(cell: Cell) -> float:
    """Volume of the cell (Angstrom^3)."""
    return float(abs(np.linalg.det(cell[0])))
