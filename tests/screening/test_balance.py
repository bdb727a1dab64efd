"""Neutrality and balance against an independent search through all assignments."""

import itertools
import math

import numpy as np
import pytest

from screening.balance import accepted, balance_codes
from screening.balance.tables import MIXED_VALENCE
from screening.composition import CompositionArray, parse_formula
from screening.elements import atomic_number, column, oxidation_states, oxidation_tables
from screening.errors import InputError
from screening.schemas import ValidityReason

NEGATIVITY = column("electronegativity")
MIXED = {atomic_number(symbol) for symbol in MIXED_VALENCE.split()}


def reason(formula, **options):
    codes = balance_codes(CompositionArray.from_formulas([formula]), **options)
    return list(ValidityReason)[codes[0]]


def assignments(counts, table, *, mixed):
    """All ways to give states: tuples of (electronegativity, state, atoms)."""
    divisor = math.gcd(*counts.values())
    choices = []
    for z, count in counts.items():
        n = count // divisor
        states = oxidation_states(table)[z]
        if mixed and z in MIXED:
            sets = itertools.combinations_with_replacement(states, n)
            choices.append([[(NEGATIVITY[z], q, 1) for q in each] for each in sets])
        else:
            choices.append([[(NEGATIVITY[z], q, n)] for q in states])
    for choice in itertools.product(*choices):
        yield list(itertools.chain.from_iterable(choice))


def is_neutral(ions):
    return sum(q * n for _, q, n in ions) == 0


def is_ordered(ions):
    cations = [x for x, q, _ in ions if q > 0]
    anions = [x for x, q, _ in ions if q < 0]
    if any(np.isnan(x) for x, _, _ in ions):
        return False
    return not cations or not anions or max(cations) < min(anions)


def search(formula, table="icsd24_filtered", *, mixed=False):
    """(neutral, balanced) by brute force."""
    neutral = balanced = False
    for ions in assignments(parse_formula(formula), table, mixed=mixed):
        if is_neutral(ions):
            neutral = True
            balanced = balanced or is_ordered(ions)
    return neutral, balanced


def expected(formula, table, *, mixed_valence=False):
    counts = parse_formula(formula)
    if len(counts) == 1:
        return ValidityReason.ELEMENT
    if not all(oxidation_states(table)[z] for z in counts):
        return ValidityReason.NO_OXIDATION_STATE
    accepting = ValidityReason.BALANCED
    neutral, balanced = search(formula, table)
    if not balanced and mixed_valence and MIXED & set(counts):
        accepting = ValidityReason.MIXED_VALENCE
        neutral, balanced = search(formula, table, mixed=True)
    if balanced:
        return accepting
    if neutral and any(np.isnan(NEGATIVITY[z]) for z in counts):
        return ValidityReason.NO_ELECTRONEGATIVITY
    return ValidityReason.ELECTRONEGATIVITY if neutral else ValidityReason.NOT_NEUTRAL


def random_formulas(n, seed, elements, max_elements, max_count):
    rng = np.random.default_rng(seed)
    zs = [atomic_number(symbol) for symbol in elements.split()]
    rows = [
        {
            int(z): int(rng.integers(1, max_count + 1))
            for z in rng.choice(zs, size=rng.integers(2, max_elements + 1), replace=False)
        }
        for _ in range(n)
    ]
    return CompositionArray.from_counts(rows).formulas()


def test_kernel_codes_are_the_schema():
    from screening.balance import kernel

    names = {
        "BALANCED": "BALANCED",
        "ELEMENT": "ELEMENT",
        "ALLOY": "ALLOY",
        "METALLIC": "METALLIC",
        "MIXED": "MIXED_VALENCE",
        "NOT_NEUTRAL": "NOT_NEUTRAL",
        "NEGATIVITY": "ELECTRONEGATIVITY",
        "NO_STATE": "NO_OXIDATION_STATE",
        "NO_NEGATIVITY": "NO_ELECTRONEGATIVITY",
    }
    assert {getattr(kernel, a): ValidityReason[b].code for a, b in names.items()} == {
        code: code for code in range(len(ValidityReason))
    }
    codes = np.arange(len(ValidityReason), dtype=np.uint8)
    assert accepted(codes).tolist() == [r.valid for r in ValidityReason]


@pytest.mark.parametrize("table", oxidation_tables())
def test_every_reason_is_true(table):
    elements = "H Li Na Ca Ti Fe Cu Ag Sn Pb Pm Ce O S N P C F Cl Br Te Xe Kr He As Au"
    for formula in random_formulas(150, 1, elements, 4, 9):
        assert reason(formula, table=table, alloys=False) == expected(formula, table), formula


def test_every_reason_is_true_with_mixed_valence():
    elements = "Fe Mn Cu Sn Eu Li O S F N Pm P"
    seen = set()
    for formula in random_formulas(250, 2, elements, 3, 5):
        found = reason(formula, alloys=False, mixed_valence=True)
        assert found == expected(formula, "icsd24_filtered", mixed_valence=True), formula
        seen.add(found)
    assert {ValidityReason.MIXED_VALENCE, ValidityReason.BALANCED} <= seen


def test_without_electronegativity_only_charges_count():
    for formula in random_formulas(150, 3, "H Li Fe Cu Sn Pm O S C Cl Te As", 4, 9):
        neutral, _ = search(formula)
        found = reason(formula, alloys=False, pauling=False)
        assert found == (ValidityReason.BALANCED if neutral else ValidityReason.NOT_NEUTRAL)


@pytest.mark.parametrize(
    "formula",
    [
        "Al200O301",
        "Al200O300",
        "Fe211O317",
        "Na997Cl998",
        "Na998Cl998",
        "C60H122O61",
        "Mg331Al662O1325",
        "Mg331Al662O1324",
        "Li65535O32767",
        "Li65534O32767",
        "Ce777O1500F54",
        "U257O771Cl11",
    ],
)
def test_large_amounts(formula):
    neutral, _ = search(formula)
    assert reason(formula) == expected(formula, "icsd24_filtered")
    assert (reason(formula, pauling=False) == ValidityReason.BALANCED) == neutral


@pytest.mark.parametrize("n", [1, 2, 7, 101])
def test_large_amounts_of_mixed_valence(n):
    """n iron atoms, each with its own state, against 1 to 4 n oxygen atoms of one state."""
    iron = [q for q in oxidation_states("icsd24_filtered")[26] if q >= 0]
    oxygen = [-q for q in oxidation_states("icsd24_filtered")[8] if q <= 0]
    sums = {0}
    for _ in range(n):
        sums = {total + q for total in sums for q in iron}
    amounts = [m for m in range(1, 4 * n + 1) if math.gcd(n, m) == 1]
    for m in amounts:
        found = reason(f"Fe{n}O{m}", mixed_valence=True)
        assert found.valid == any(m * q in sums for q in oxygen), (n, m)


def test_a_batch_is_its_rows():
    """Scratch memory that one row leaves behind must not leak into the next."""
    formulas = [*random_formulas(300, 4, "H Li Fe Cu Sn O S C Cl Te", 5, 12), "Al200O301", "H"]
    formulas = [f for pair in zip(formulas, reversed(formulas), strict=True) for f in pair]
    together = balance_codes(CompositionArray.from_formulas(formulas), mixed_valence=True)
    alone = [
        balance_codes(CompositionArray.from_formulas([f]), mixed_valence=True)[0] for f in formulas
    ]
    assert together.tolist() == alone


def test_multiples_have_one_verdict():
    packed = CompositionArray.from_formulas(random_formulas(300, 5, "H Li Fe Sn O S Cl", 4, 9))
    tripled = CompositionArray(packed.numbers, packed.counts * np.uint16(3))
    assert (balance_codes(packed) == balance_codes(tripled)).all()


def test_fast_answers():
    assert reason("Fe") == ValidityReason.ELEMENT
    assert reason("He") == ValidityReason.ELEMENT
    assert reason("Fe3Al") == ValidityReason.ALLOY
    assert reason("MdNo") == ValidityReason.ALLOY
    assert reason("HeO") == ValidityReason.NO_OXIDATION_STATE
    assert reason("PmCl3") == ValidityReason.NO_ELECTRONEGATIVITY
    assert reason("PmCl3", pauling=False) == ValidityReason.BALANCED
    assert reason("NaCl") == ValidityReason.BALANCED
    assert len(balance_codes(CompositionArray.concatenate([]))) == 0


def test_an_empty_row_is_not_valid():
    empty = CompositionArray(np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.uint16))
    assert balance_codes(empty).tolist() == [ValidityReason.NO_OXIDATION_STATE.code] * 2


def test_smacts_limit_on_combinations():
    # Mn has many states: 20 atoms are more than a million combinations, which SMACT does not try.
    formula = "Mn20O31"
    assert reason(formula, mixed_valence=True).valid
    assert not reason(formula, mixed_valence=True, combinations_limit=1_000_000).valid


def test_an_unknown_table_is_named():
    with pytest.raises(InputError, match="'smact99'"):
        reason("NaCl", table="smact99")


def test_without_a_place_for_a_cache(monkeypatch):
    """A read-only installation and home: compiled in each process, same answers."""
    from numba.core import caching

    from screening.compiled import compiled

    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])

    def double(x):
        return 2 * x

    assert compiled(double)(21) == 42
