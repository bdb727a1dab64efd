"""A small chemistry with a known energy, and a model that was trained on it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from screening.checkpoints import Card
from screening.composition import CompositionArray
from screening.elements import atomic_number, column
from screening.energy.train import train_energy
from screening.training.request import TrainRequest

ELEMENTS = ("Li", "Na", "K", "Mg", "Ca", "Al", "Ti", "Fe", "N", "O", "S", "F", "Cl", "Br")


def ionic_energy(compositions):
    """Sum over pairs of elements: minus the fractions times the squared difference of X."""
    x = np.nan_to_num(column("electronegativity"))[compositions.numbers]
    fractions = compositions.fractions()
    difference = (x[:, :, None] - x[:, None, :]) ** 2
    return -np.einsum("ni,nj,nij->n", fractions, fractions, difference)


def random_compositions(n, seed):
    rng = np.random.default_rng(seed)
    numbers = np.array([atomic_number(symbol) for symbol in ELEMENTS])
    rows = [
        {int(z): int(rng.integers(1, 5)) for z in rng.choice(numbers, size=k, replace=False)}
        for k in rng.integers(2, 4, size=n)
    ]
    return CompositionArray.from_counts(rows).reduced()


def write_energies(path, compositions, shift=0.0, polymorphs=0.3, seed=0):
    """One file: the lowest energy of each formula, and higher polymorphs of some."""
    rng = np.random.default_rng(seed)
    oxygen = (compositions.fractions() * (compositions.numbers == 8)).sum(axis=1)
    energies = ionic_energy(compositions) + shift * oxygen
    formulas = np.array(compositions.formulas())
    again = rng.random(len(formulas)) < polymorphs
    table = pd.DataFrame(
        {
            "formula": np.concatenate([formulas[again], formulas]),
            "formation_energy_per_atom": np.concatenate(
                [energies[again] + rng.exponential(0.2, again.sum()), energies]
            ),
        }
    )
    table.to_parquet(path)
    return path


@dataclass
class Trained:
    folder: Path
    card: Card
    data: tuple[Path, Path]
    request: TrainRequest


SMALL = {
    "references": "new,old",
    "members": "2",
    "width": "48",
    "blocks": "1",
    "epochs": "12",
    "batch_size": "64",
    "learning_rate": "0.005",
    "calibration_fraction": "0.2",
    "ema": "0.9",
    "roost_members": "1",
    "roost_size": "16",
    "roost_layers": "2",
    "roost_heads": "2",
    "roost_hidden": "16",
    "roost_head": "32,16",
    "roost_epochs": "12",
    "roost_learning_rate": "0.005",
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("energy")
    some = random_compositions(1800, seed=1)
    data = (
        write_energies(folder / "new.parquet", some[:1200], shift=0.5, seed=1),
        write_energies(folder / "old.parquet", some[300:], seed=2),
    )
    request = TrainRequest(data=data, out=folder / "small", seed=7, options=dict(SMALL))
    return Trained(folder / "small", train_energy(request), data, request)
