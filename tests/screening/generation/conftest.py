"""Small generators, trained in seconds on formulas that the tests make."""

import numpy as np
import pandas as pd
import pytest
import torch

from screening.composition import CompositionArray
from screening.elements import atomic_number
from screening.generation.autoregressive.train import train_compositions
from screening.generation.enumeration import Enumeration
from screening.generation.matgan.train import train_matgan
from screening.generation.space import ChemicalSpace
from screening.training.request import TrainRequest

FAST = {
    "samples": "3000",
    "steps": "60",
    "batch": "32",
    "width": "48",
    "critic_width": "32",
    "latent": "16",
    "slots": "4",
    "critic_steps": "1",
    "pac": "1",
    "noise": "0.5",
    "temperature": "0.5",
}

FAST_SET = {
    "samples": "3000",
    "epochs": "6",
    "batch": "32",
    "width": "48",
    "amount_width": "24",
    "depth": "1",
    "average": "0.9",
    "temperature": "1.6",
}


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def formulas_file(tmp_path_factory):
    """Balanced ternary oxides and sulfides, some alloys, and some that are not valid."""
    space = ChemicalSpace.create(
        chemsys=["Li", "Na", "Mg", "Al", "Ti", "Mn", "O", "S"], max_elements=3, max_atoms=9
    )
    enumeration = Enumeration(space, "icsd24_filtered")
    good = enumeration.balanced(0, enumeration.n_raw).formulas()
    rng = np.random.default_rng(0)
    metals = [atomic_number(symbol) for symbol in ("Li", "Al", "Ti", "Mn")]
    alloys = CompositionArray.from_counts(
        [{int(a): 1, int(b): 2} for a in metals for b in metals if a != b]
    ).formulas()
    bad = ["NaO7", "He2O", "Na12Cl", "Fe", "MgAl5O"]
    rows = [*rng.permutation(good), *alloys, *bad, *good[:50]]
    path = tmp_path_factory.mktemp("data") / "formulas.parquet"
    pd.DataFrame({"formula": rows}).to_parquet(path)
    return path


@pytest.fixture(scope="session")
def checkpoint(formulas_file, tmp_path_factory):
    """Folder of the checkpoint of a small MatGAN."""
    out = tmp_path_factory.mktemp("models") / "matgan"
    train_matgan(TrainRequest(data=(formulas_file,), out=out, seed=3, options=FAST))
    return out


@pytest.fixture(scope="session")
def set_checkpoint(formulas_file, tmp_path_factory):
    """Folder of the checkpoint of a small autoregressive model."""
    out = tmp_path_factory.mktemp("models") / "compositions"
    train_compositions(TrainRequest(data=(formulas_file,), out=out, seed=3, options=FAST_SET))
    return out


@pytest.fixture(scope="session")
def checkpoints(checkpoint, set_checkpoint):
    """Folder of the checkpoint of each method that needs one."""
    return {"matgan": str(checkpoint), "autoregressive": str(set_checkpoint)}
