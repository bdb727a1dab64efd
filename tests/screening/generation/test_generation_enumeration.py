"""Enumeration lists exactly what there is."""

import itertools
import math

import numpy as np
import pytest

from screening.balance import accepted, balance_codes
from screening.composition import CompositionArray
from screening.elements import atomic_number
from screening.errors import InputError
from screening.generation import enumeration as module
from screening.generation.enumeration import Enumeration, subsets
from screening.generation.space import ChemicalSpace

TABLE = "icsd24_filtered"


def listed(space, **rules):
    enumeration = Enumeration(space, TABLE, **rules)
    return enumeration.balanced(0, enumeration.n_raw).formulas()


def brute(symbols, max_atoms, sizes, required=(), **rules):
    """All reduced balanced formulas by nested loops."""
    rows = []
    for size in sizes:
        for names in itertools.combinations(symbols, size):
            if not set(required) <= set(names):
                continue
            numbers = [atomic_number(name) for name in names]
            rows += [
                dict(zip(numbers, counts, strict=True))
                for counts in itertools.product(range(1, max_atoms + 1), repeat=size)
                if sum(counts) <= max_atoms and math.gcd(*counts) == 1
            ]
    packed = CompositionArray.from_counts(rows)
    rules.setdefault("alloys", False)
    return set(packed[accepted(balance_codes(packed, table=TABLE, **rules))].formulas())


@pytest.mark.parametrize(("n", "size"), [(5, 2), (7, 3), (6, 6), (4, 1), (5, 0)])
def test_subsets_are_all_subsets_once(n, size):
    found = subsets(np.arange(math.comb(n, size)), size, n)
    assert {tuple(row) for row in found.tolist()} == set(itertools.combinations(range(n), size))


def test_nothing_is_missing_and_nothing_is_twice():
    symbols = ["Li", "Mn", "Fe", "S", "O"]
    found = listed(ChemicalSpace.create(chemsys=symbols, max_elements=4, max_atoms=9))
    assert len(found) == len(set(found))
    assert set(found) == brute(symbols, 9, (2, 3, 4))


def test_limits_and_required_elements():
    symbols = ["Na", "Ca", "P", "O"]
    space = ChemicalSpace.create(
        chemsys=symbols, required=["O", "Ca"], min_elements=3, max_elements=3, max_atoms=12
    )
    found = listed(space)
    assert set(found) == brute(symbols, 12, (3,), required=("O", "Ca"))
    assert "Ca2P2O7" in found


@pytest.mark.parametrize(
    "rules",
    [{"pauling": False}, {"mixed_valence": True}, {"alloys": True}],
)
def test_rules(rules):
    symbols = ["Fe", "Cu", "Si", "O"]
    space = ChemicalSpace.create(chemsys=symbols, max_elements=3, max_atoms=7)
    assert set(listed(space, **rules)) == brute(symbols, 7, (2, 3), **rules)


def test_elements_only_where_they_are_asked_for():
    space = ChemicalSpace.create(chemsys=["Na", "Cl"], min_elements=1, max_elements=2, max_atoms=2)
    assert listed(space) == ["Na", "Cl", "NaCl"]


def test_small_formula_units_come_first():
    space = ChemicalSpace.create(chemsys=["Li", "Mn", "S", "O"], max_atoms=12)
    enumeration = Enumeration(space, TABLE)
    atoms = enumeration.balanced(0, enumeration.n_raw).n_atoms()
    assert (np.diff(atoms) >= 0).all()


def test_any_range_is_computed_alone(monkeypatch):
    space = ChemicalSpace.create(chemsys=["Li", "Mn", "S", "O"], max_atoms=10)
    enumeration = Enumeration(space, TABLE)
    whole = enumeration.balanced(0, enumeration.n_raw).formulas()
    rng = np.random.default_rng(0)
    cuts = [0, *sorted(rng.choice(enumeration.n_raw, 9, replace=False).tolist()), enumeration.n_raw]
    parts = [enumeration.balanced(a, b).formulas() for a, b in itertools.pairwise(cuts)]
    assert list(itertools.chain.from_iterable(parts)) == whole
    monkeypatch.setattr(module, "SLICE", 7)
    assert enumeration.balanced(0, enumeration.n_raw).formulas() == whole
    assert len(enumeration.balanced(5, 5)) == 0


def test_the_raw_space_is_counted_before_it_is_made():
    space = ChemicalSpace.create(chemsys=["Li", "O", "S"], max_elements=3, max_atoms=6)
    expected = sum(
        math.comb(3, size) * math.comb(atoms - 1, size - 1)
        for size in (2, 3)
        for atoms in range(size, 7)
    )
    assert Enumeration(space, TABLE).n_raw == expected
    with pytest.raises(InputError, match=r"would try [\d,]{15,} compositions of 103 elements"):
        Enumeration(ChemicalSpace.create(max_elements=6), TABLE)


def test_empty_spaces():
    helium = ChemicalSpace.create(chemsys=["He", "Ne", "Ar"])
    assert Enumeration(helium, TABLE).is_empty()
    assert Enumeration(helium, TABLE).balanced(0, 1000).formulas() == []
    salt = ChemicalSpace.create(chemsys=["Na", "Cl"])
    assert not Enumeration(salt, TABLE).is_empty()
