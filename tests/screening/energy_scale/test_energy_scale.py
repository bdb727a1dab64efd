"""Energy scales: terms, fits that outliers hardly move, intervals that cover, bundled scales."""

import numpy as np
import pytest

from screening.checkpoints import bundled_names, read_card
from screening.composition import CompositionArray
from screening.elements import MAX_Z, atomic_number, column
from screening.energy_scale import energy_scale, formation_energies
from screening.energy_scale.classes import CLASSES, composition_classes
from screening.energy_scale.fit import fit_scale, fit_terms, polymorph_ends
from screening.energy_scale.model import PREFIX, EnergyScale
from screening.energy_scale.terms import term_matrix, term_names
from screening.errors import CheckpointError, InputError
from screening.schemas import CheckpointRef

ENDS = {"polymorphs": np.array([-0.01, 0.01])}
REF = CheckpointRef(name="scale-test", version="1", sha256="")
SCALES = sorted(name for name in bundled_names() if name.startswith(PREFIX))


def terms_of(formula):
    row = term_matrix(CompositionArray.from_formulas([formula]))[0]
    return {name: row[k] for k, name in enumerate(term_names()) if row[k]}


def random_formulas(n, seed):
    rng = np.random.default_rng(seed)
    metals, anions = ["Li", "Na", "Mg", "Al", "Fe", "Cu", "Zn", "La"], ["O", "S", "Cl", "N"]
    return [
        f"{rng.choice(metals)}{rng.integers(1, 5)}{rng.choice(anions)}{rng.integers(1, 5)}"
        for _ in range(n)
    ]


def synthetic(n, seed, noise=0.01):
    """Energies that differ from the scale by known terms, sulfides with four times the noise."""
    rng = np.random.default_rng(seed)
    compositions = CompositionArray.from_formulas(random_formulas(n, seed)).reduced()
    matrix = term_matrix(compositions)
    terms = np.random.default_rng(9).normal(0, 0.3, matrix.shape[1])
    size = np.where(compositions.numbers == atomic_number("S"), 4 * noise, noise).max(axis=1)
    return compositions, matrix, terms, matrix @ terms + rng.normal(size=n) * size


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("Fe", {"Fe": 1}),
        ("O2", {"O": 1}),
        ("NaCl", {"Na": 0.5, "Cl": 0.5, "Cl anion": 0.5}),
        ("Fe2O3", {"Fe": 0.4, "O": 0.6, "O anion": 0.6, "Fe +U": 0.4}),
        ("FeS2", {"Fe": 1 / 3, "S": 2 / 3, "S anion": 2 / 3}),
        ("SO3", {"S": 0.25, "O": 0.75, "O anion": 0.75, "S in oxoanion": 0.25}),
        ("LaOCl", {"La": 1 / 3, "O": 1 / 3, "Cl": 1 / 3, "O anion": 1 / 3}),
    ],
)
def test_terms(formula, expected):
    assert terms_of(formula) == pytest.approx(expected)


def test_outliers_hardly_move_the_terms():
    _, matrix, terms, targets = synthetic(800, 0)
    spoiled = targets.copy()
    spoiled[::20] += 1.0
    clean, covariance = fit_terms(matrix, targets)
    robust, _ = fit_terms(matrix, spoiled)
    assert np.abs(matrix @ (clean - terms)).mean() < 0.005
    assert np.abs(matrix @ (robust - terms)).mean() < 0.01
    unseen = term_names().index("Pt")
    assert np.sqrt(covariance[unseen, unseen]) == pytest.approx(0.3, abs=1e-3)
    assert np.sqrt(covariance[2, 2]) < 0.3


def fitted(n=1500):
    compositions, _, _, targets = synthetic(n, 1)
    truth = np.full(n, -1.0)
    elements = np.full(MAX_Z + 1, np.nan)
    elements[[3, 8, 11, 17]] = [-1.9, -4.9, -1.3, -1.8]
    tensors = fit_scale(
        compositions,
        compositions.formulas(),
        targets,
        elements,
    )
    return EnergyScale({"engine": "test", "scale": "MP2020"}, tensors | ENDS, REF), truth


def test_intervals_cover_new_crystals_and_are_wider_where_errors_are():
    scale, _ = fitted()
    compositions, _, _, targets = synthetic(4000, 2)
    made = scale.formation_energies(compositions, targets - 1.0)
    inside = (made.lower <= -1.0) & (made.upper >= -1.0)
    assert inside.mean() == pytest.approx(0.9, abs=0.02)
    sulfides = composition_classes(compositions) == CLASSES.index("chalcogenide")
    assert inside[sulfides].mean() == pytest.approx(0.9, abs=0.04)
    width = made.upper - made.lower
    assert width[sulfides].mean() > 2 * width[~sulfides].mean()


def test_elements_are_at_zero_and_unknown_ones_have_no_value():
    scale, _ = fitted()
    made = scale.formation_energies(
        CompositionArray.from_formulas(["O2", "Li", "Pt", "LiPt"]), [-4.9, -1.8, -6.0, -4.0]
    )
    assert made.values[:2] == pytest.approx([0.0, 0.1])
    assert np.isnan(made.values[2:]).all()


def test_relaxation_moves_compounds_but_not_elements():
    compositions, _, _, targets = synthetic(500, 3)
    elements = np.full(MAX_Z + 1, -2.0)
    pair = CompositionArray.from_formulas(["Li2O", "Li"])
    values = []
    for relaxation in (0.0, -0.01):
        tensors = fit_scale(
            compositions, compositions.formulas(), targets, elements, relaxation=relaxation
        )
        scale = EnergyScale({"engine": "test", "scale": "MP2020"}, tensors | ENDS, REF)
        values.append(scale.formation_energies(pair, [-4.0, -2.0]).values)
    assert values[1] - values[0] == pytest.approx([0.01, 0.0])


def test_too_few_compounds_are_refused():
    compositions = CompositionArray.from_formulas(["NaCl"] * 99)
    with pytest.raises(InputError, match="99 compounds are too few"):
        fit_scale(compositions, ["NaCl"] * 99, np.zeros(99), np.zeros(MAX_Z + 1))


@pytest.mark.parametrize("name", SCALES)
def test_bundled_scales(name):
    """Elements of the references are at 0, and salts where tables put them, within the interval."""
    engine = name.removeprefix(PREFIX)
    scale = energy_scale(engine)
    assert scale.source == f"{engine} on MP2020, {name} {scale.ref.version}"
    gases = ["O2", "N2", "F2", "Cl2", "H2"]
    numbers = [atomic_number(gas[:-1]) for gas in gases]
    made = formation_energies(engine, gases, scale.elements[numbers])
    assert made.values == pytest.approx(np.zeros(5), abs=1e-9)
    assert (made.lower <= 0).all()
    assert (made.upper >= 0).all()
    metrics = read_card(name).metrics["all"]
    assert metrics["mae"] < metrics["raw_mae"]
    assert 0.87 < metrics["coverage"] < 0.93


def test_the_default_engine_has_a_scale():
    assert "scale-chgnet-0.3.0" in SCALES
    assert energy_scale("no-such-engine") is None
    with pytest.raises(CheckpointError, match="train energy-scale --engine no-such-engine"):
        formation_energies("no-such-engine", ["NaCl"], [-3.4])
    with pytest.raises(InputError, match="2 compositions but energies of shape"):
        formation_energies("chgnet-0.3.0", ["NaCl", "KCl"], [-3.4])


def test_f_elements_and_anions_make_classes():
    formulas = ["Fe", "Fe2O3", "NaCl", "ZnS", "GaN", "SiC", "Cu3Au", "LaNi5", "UO2"]
    names = [CLASSES[k] for k in composition_classes(CompositionArray.from_formulas(formulas))]
    assert names == [
        "element", "oxide", "halide", "chalcogenide", "pnictide", "other anion", "metals",
        "metals with f elements", "oxide",
    ]  # fmt: skip
    assert np.isfinite(column("pymatgen_electronegativity")[atomic_number("La")])


def test_polymorphs_are_as_far_apart_as_the_potential_says_but_for_its_error():
    rng = np.random.default_rng(0)
    formulas = [f"LiO{k % 200 + 1}" for k in range(600)] + ["NaCl", "KCl"]
    truth = rng.normal(-1.0, 0.1, len(formulas))
    exact = polymorph_ends(formulas, truth, truth - 5.0)
    assert exact == pytest.approx([0.0, 0.0], abs=1e-9)
    low, high = polymorph_ends(formulas, truth, truth + rng.normal(0, 0.01, len(formulas)))
    assert -0.05 < low < 0 < high < 0.05
    assert polymorph_ends(["NaCl"] * 99, truth[:99], truth[:99]) == pytest.approx([-0.3, 0.3])
