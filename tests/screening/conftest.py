"""Structures for the tests: textbook crystals and the AFLOW prototypes that pymatgen ships."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY
from pymatgen.core import Lattice, Structure

from screening.prototypes.bank import Bank


def face_centred(cation: str, anion: str, a: float, shift: float) -> Structure:
    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    points = np.concatenate([corners, corners + shift])
    return Structure(Lattice.cubic(a), [cation] * 4 + [anion] * 4, points)


def rock_salt(cation: str, anion: str, a: float = 5.6) -> Structure:
    return face_centred(cation, anion, a, 0.5)


def caesium_chloride(cation: str, anion: str, a: float = 4.1) -> Structure:
    return Structure(Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def zinc_blende(cation: str, anion: str, a: float = 5.4) -> Structure:
    return face_centred(cation, anion, a, 0.25)


def perovskite(a_site: str, b_site: str, x_site: str, a: float = 4.0) -> Structure:
    return Structure(
        Lattice.cubic(a),
        [a_site, b_site, x_site, x_site, x_site],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    )


def rutile(metal: str, anion: str, a: float = 4.6, c: float = 2.96, u: float = 0.305) -> Structure:
    v = 0.5 - u
    points = [[0, 0, 0], [0.5] * 3, [u, u, 0], [-u, -u, 0], [0.5 + u, v, 0.5], [v, 0.5 + u, 0.5]]
    return Structure(Lattice.tetragonal(a, c), [metal] * 2 + [anion] * 4, points)


def wurtzite(metal: str, anion: str, a: float = 3.25, u: float = 0.38, z: float = 0.0) -> Structure:
    points = [[1 / 3, 2 / 3, z], [2 / 3, 1 / 3, z + 0.5]]
    points += [[1 / 3, 2 / 3, z + u], [2 / 3, 1 / 3, z + u + 0.5]]
    return Structure(Lattice.hexagonal(a, 1.6 * a), [metal] * 2 + [anion] * 2, points)


def textbook() -> list[Structure]:
    """Small chemistry: large ions prefer CsCl, covalent pairs zinc blende, the rest rock salt."""
    pairs = [(m, x) for m in ("Li", "Na", "K", "Rb") for x in ("F", "Cl", "Br", "I")]
    salts = [rock_salt(m, x, 4.0 + 0.2 * i) for i, (m, x) in enumerate(pairs)]
    oxides = [rock_salt(m, x) for m in ("Mg", "Ca", "Sr", "Ba") for x in ("O", "S", "Se")]
    caesium = [caesium_chloride(m, x) for m in ("Cs", "Tl") for x in ("Cl", "Br", "I")]
    zinc = [zinc_blende(m, x) for m in ("Zn", "Cd", "Hg") for x in ("S", "Se", "Te")]
    zinc += [zinc_blende(m, x) for m in ("Al", "Ga", "In") for x in ("P", "As", "Sb")]
    perovskites = [perovskite(m, b, "O") for m in ("Sr", "Ba", "Ca") for b in ("Ti", "Zr", "Hf")]
    perovskites += [perovskite(m, b, "F") for m in ("K", "Rb") for b in ("Mg", "Zn", "Ni")]
    rutiles = [rutile(m, "O", u=0.30 + 0.002 * i) for i, m in enumerate(("Ti", "Sn", "Ge", "Ru"))]
    rutiles += [rutile(m, "F") for m in ("Mg", "Zn", "Mn", "Fe")]
    return salts + oxides + caesium + zinc + perovskites + rutiles


@cache
def aflow() -> tuple[Structure, ...]:
    return tuple(entry["snl"].structure for entry in AFLOW_PROTOTYPE_LIBRARY)


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The functions above, by name."""
    functions = (
        rock_salt, caesium_chloride, zinc_blende, perovskite, rutile, wurtzite, textbook, table_of,
    )  # fmt: skip
    return SimpleNamespace(**{function.__name__: function for function in functions})


@pytest.fixture(scope="session")
def aflow_structures() -> tuple[Structure, ...]:
    return aflow()


@pytest.fixture(scope="session")
def small_bank() -> Bank:
    return Bank.from_structures(textbook())


def table_of(structures: list[Structure]) -> pd.DataFrame:
    """The columns of a training file."""
    primitive = [structure.get_primitive_structure() for structure in structures]
    return pd.DataFrame(
        {
            "material_id": [f"test-{i}" for i in range(len(primitive))],
            "formula": [structure.composition.reduced_formula for structure in primitive],
            "n_sites": [len(structure) for structure in primitive],
            "atomic_numbers": [np.array(structure.atomic_numbers) for structure in primitive],
            "lattice": [structure.lattice.matrix.ravel() for structure in primitive],
            "frac_coords": [structure.frac_coords.ravel() for structure in primitive],
            "formation_energy_per_atom": -1.0,
            "e_above_hull": 0.0,
            "spacegroup_number": 1,
        }
    )


@pytest.fixture(scope="session")
def textbook_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "textbook.parquet"
    table_of(textbook()).to_parquet(path)
    return path
