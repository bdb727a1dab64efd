"""What an engine says of drawn crystals: their pressure, and how far they are from a minimum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from screening.crystal.crystals import structure_of
from screening.engines import Crystal, engine_id, make_engine
from screening.engines.threads import one_thread
from screening.progress import report
from screening.relax import RelaxOptions, relax_structures
from screening.structure.cdvae.data import COLUMNS, Batch, cells_of
from screening.structure.cdvae.graph import nearest_image
from screening.training.data import canonical_formulas, read_table, unseen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.crystal.crystals import Cell
    from screening.structure.cdvae.model import CdvaeModel
    from screening.structure.cdvae.sampling import SamplingOptions


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


@torch.no_grad()
def compression(model: CdvaeModel, path: Path) -> dict[str, Any]:
    """Compare learned relative volumes under pressure with those of crystals relaxed there.

    The latent vector is that of the crystal at the lowest pressure.

    Parameters
    ----------
    model
        The model.
    path
        File of ``screening train pressure-data``; rows of seen formulas are left out.

    Returns
    -------
    By pressure (GPa) the number of crystals, their mean V/V0 as relaxed and as learned, and the
    mean error.

    Raises
    ------
    InputError
        If the file cannot be used.
    """
    table = read_table(path, (*COLUMNS, "pressure", "source"))
    formulas = canonical_formulas(table["formula"].tolist())
    table = table[unseen(formulas, model.seen_formulas)]
    pairs: dict[float, list[tuple[float, float]]] = {}
    for _, rows in table.groupby(["formula", "source"]):
        ordered = rows.sort_values("pressure")
        cells = cells_of(ordered)
        if len(cells[0][2]) > model.max_atoms:
            continue
        learned = _learned_volumes(model, cells[0], ordered["pressure"].tolist())
        for k, pressure in enumerate(ordered["pressure"].tolist()[1:], start=1):
            relaxed = volume(cells[k]) / volume(cells[0])
            pairs.setdefault(pressure, []).append((relaxed, learned[k] / learned[0]))
    found = {}
    for pressure, values in sorted(pairs.items()):
        relaxed, guessed = np.array(values).T
        found[f"{pressure:g}"] = {
            "n": len(values),
            "relaxed": float(relaxed.mean()),
            "learned": float(guessed.mean()),
            "mae": float(np.abs(guessed - relaxed).mean()),
        }
    return found


def _learned_volumes(model: CdvaeModel, cell: Cell, pressures: list[float]) -> list[float]:
    """Volumes of the predicted lattices at pressures, with the z of the crystal at the first."""
    network = model.network
    first = Batch.of_cells([cell], pressures[:1])
    z, _ = network.encode(first, network.conditions(first))
    batch = Batch.of_cells([cell] * len(pressures), pressures)
    joint = network.join(z.expand(len(batch), -1), network.conditions(batch))
    volumes: list[float] = torch.linalg.det(network.predict_lattice(joint, batch)[1]).tolist()
    return volumes


def volume(cell: Cell) -> float:
    """Volume of the cell (Angstrom^3)."""
    return float(abs(np.linalg.det(cell[0])))
