"""Verdicts are those of SMACT itself."""

import itertools
import warnings

import numpy as np
import pytest

from screening.composition import CompositionArray
from screening.elements import oxidation_tables
from screening.validity import check_validity

smact = pytest.importorskip("smact")

from pymatgen.core import Composition  # noqa: E402 - after the skip
from smact.metallicity import metallicity_score  # noqa: E402
from smact.screening import smact_validity  # noqa: E402

NASTY = [
    "H",
    "O2",
    "HO",
    "H2O2",
    "CO",
    "NaCl",
    "Fe3O4",
    "Mn3O4",
    "Pb3O4",
    "FeS2",
    "CuFeS2",
    "LiFePO4",
    "Ca5P3O13H",
    "PmCl3",
    "PmFe2",
    "XeF4",
    "XeO3",
    "KrF2",
    "HeNe",
    "ArF",
    "NH4NO3",
    "C60",
    "CH4",
    "SiC",
    "BN",
    "GaAs",
    "InSb",
    "Te2As3",
    "AuCs",
    "CsAu2O",
    "NaK",
    "Fe3C",
    "MdNo",
    "LrO",
    "LrF3",
    "NoCl2",
    "AtI",
    "RnF2",
    "FrCl",
    "RaBr2",
    "Al2O3",
    "Mg3N2",
    "U3O8",
    "Ti4O7",
    "W18O49",
    "Na8Al6Si6Cl2O24",
    "Bi2Sr2CaCu2O8",
    "YBa2Cu3O7",
    "Al200O301",
    "K23Na8Cd12In48",
    "Ba300Ti299O897",
    "S4N4",
    "P4S3",
    "SeTe",
    "OF2",
    "ClF3",
    "ICl",
    "HF",
]


@pytest.fixture(scope="module")
def formulas():
    """Formulas of every element, of typical chemistry, and the nasty ones: 2,500."""
    rng = np.random.default_rng(0)
    rows = []
    for size, n, top in ((2, 700, 12), (3, 1000, 12), (4, 100, 9), (2, 100, 400)):
        for _ in range(n):
            zs = rng.choice(np.arange(1, 104), size=size, replace=False)
            rows.append({int(z): int(rng.integers(1, top + 1)) for z in zs})
    cations = [3, 11, 12, 13, 20, 22, 25, 26, 29, 38, 57, 82, 50, 63]
    for _ in range(500):
        zs = [*rng.choice(cations, size=rng.integers(1, 3), replace=False), rng.choice([8, 16, 9])]
        rows.append({int(z): int(rng.integers(1, 7)) for z in zs})
    texts = CompositionArray.from_counts(rows).formulas()
    texts += [f for f in NASTY if f != "H"]
    rng.shuffle(texts)
    return ["H", *texts]


@pytest.fixture(scope="module")
def packed(formulas):
    return CompositionArray.from_formulas(formulas)


@pytest.fixture(scope="module")
def theirs(formulas):
    return [Composition(formula) for formula in formulas]


def mismatches(formulas, valid, expected):
    return [f for f, a, b in zip(formulas, valid, expected, strict=True) if a != b]


@pytest.mark.parametrize("table", oxidation_tables())
@pytest.mark.parametrize("pauling", [True, False])
def test_same_verdicts(table, pauling, formulas, packed, theirs):
    name = None if table == "icsd24_filtered" else table
    step = 1 if pauling and name is None else 4
    for alloys in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = [
                smact_validity(
                    each,
                    use_pauling_test=pauling,
                    include_alloys=alloys,
                    oxidation_states_set=name,
                )
                for each in theirs[::step]
            ]
        verdicts = check_validity(packed[::step], table=table, pauling=pauling, alloys=alloys)
        assert mismatches(formulas[::step], verdicts.valid, expected) == []
        assert 0 < sum(expected) < len(expected)


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_same_verdicts_with_metallicity(threshold, formulas, packed, theirs):
    expected = [
        smact_validity(each, check_metallicity=True, metallicity_threshold=threshold)
        for each in theirs[::2]
    ]
    verdicts = check_validity(packed[::2], metallicity_threshold=threshold)
    assert mismatches(formulas[::2], verdicts.valid, expected) == []


def test_same_verdicts_with_mixed_valence(formulas, packed, theirs):
    few = np.flatnonzero(packed.counts.max(axis=1) <= 4)[:400]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [smact_validity(theirs[i], mixed_valence=True) for i in few]
    verdicts = check_validity(packed[few], mixed_valence=True, combinations_limit=1_000_000)
    assert mismatches([formulas[i] for i in few], verdicts.valid, expected) == []
    plain = check_validity(packed[few])
    assert set(np.flatnonzero(plain.valid)) < set(np.flatnonzero(verdicts.valid))


def test_same_metallicity(packed, theirs):
    expected = np.array([metallicity_score(each) for each in theirs])
    scores = check_validity(packed).metallicity
    assert scores.dtype == np.float32
    assert scores == pytest.approx(expected, abs=1e-7)


def test_every_pair_of_elements():
    """All 5,253 binary one-to-one compositions, whatever the elements."""
    rows = [{a: 1, b: 1} for a, b in itertools.combinations(range(1, 104), 2)]
    packed = CompositionArray.from_counts(rows)
    texts = packed.formulas()
    expected = [smact_validity(Composition(text)) for text in texts]
    assert mismatches(texts, check_validity(packed).valid, expected) == []
