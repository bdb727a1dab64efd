"""A small world of crystals whose symmetry and size follow from the composition."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from screening.checkpoints import Card
from screening.composition import CompositionArray
from screening.symmetry.train import train_symmetry
from screening.training.request import TrainRequest

CATIONS = ("Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Mn", "Fe", "Co", "Ni", "Zn", "Cd")
ANIONS = ("O", "S", "Se", "Te", "F", "Cl", "Br", "I", "N", "P", "As")
METALS = ("Ti", "Zr", "Hf", "V", "Nb", "Ta", "Mo", "W")


def radius(symbol):
    from pymatgen.core import Element

    return float(Element(symbol).atomic_radius)


def rocksalt(a, x):
    length = 2 * (radius(a) + radius(x)) + 0.5
    lattice = length / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    return Structure(lattice, [a, x], [[0, 0, 0], [0.5, 0.5, 0.5]])


def layered(m, x):
    a = 2 * radius(x) + 1.2
    sites = [[0, 0, 0], [1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]
    return Structure(Lattice.hexagonal(a, 1.8 * a), [m, x, x], sites)


def perovskite(a, m, x):
    lattice = Lattice.cubic(2 * (radius(m) + radius(x)) + 0.3)
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Structure(lattice, [a, m, x, x, x], sites)


def record(structure, group, number):
    return {
        "material_id": f"x-{number}",
        "formula": structure.composition.formula.replace(" ", ""),
        "n_sites": len(structure),
        "atomic_numbers": np.array(structure.atomic_numbers),
        "lattice": structure.lattice.matrix.ravel(),
        "frac_coords": structure.frac_coords.ravel(),
        "formation_energy_per_atom": -1.0,
        "e_above_hull": 0.0,
        "spacegroup_number": group,
    }


def crystals():
    made = [(rocksalt(a, x), 225) for a in CATIONS for x in ANIONS]
    made += [(layered(m, x), 164) for m in METALS for x in ANIONS]
    made += [(perovskite(a, m, x), 221) for a in CATIONS[:3] for m in METALS for x in ANIONS[:3]]
    return pd.DataFrame([record(s, group, i) for i, (s, group) in enumerate(made)])


SMALL = {
    "width": "48",
    "symmetry_width": "32",
    "folds": "2",
    "kernel_epochs": "3",
    "tree_rounds": "10",
    "blocks": "1",
    "symmetry_members": "1",
    "symmetry_epochs": "12",
    "size_epochs": "25",
    "batch_size": "32",
    "learning_rate": "0.005",
    "ema": "0.9",
    "test_fraction": "0.2",
}


@dataclass
class Trained:
    folder: Path
    card: Card
    data: Path
    table: pd.DataFrame
    request: TrainRequest

    def formulas(self):
        return CompositionArray.from_formulas(self.table.formula.tolist())


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("symmetry")
    table = crystals()
    table.to_parquet(folder / "crystals.parquet")
    request = TrainRequest(
        (folder / "crystals.parquet",), folder / "small", seed=3, options=dict(SMALL)
    )
    return Trained(folder / "small", train_symmetry(request), request.data[0], table, request)
