"""The 85 x 8 matrices."""

import numpy as np
import pytest

from screening.composition import CompositionArray
from screening.elements import symbols
from screening.generation.representation import (
    amounts_by_argmax,
    amounts_by_threshold,
    decode,
    element_numbers,
    encodable,
    encode,
    one_hot,
)


def random_encodable(n=400, seed=0):
    rng = np.random.default_rng(seed)
    rows = [
        {
            int(z): int(rng.integers(1, 9))
            for z in rng.choice(element_numbers(), size=rng.integers(2, 9), replace=False)
        }
        for _ in range(n)
    ]
    return CompositionArray.from_counts(rows).reduced()


def test_the_elements_are_those_of_the_authors():
    names = {symbols()[z] for z in element_numbers()}
    assert len(names) == 85
    assert {"Pm", "Xe", "Ac", "Th", "Pa", "U", "Np", "Pu"} <= names
    assert not {"He", "Ne", "Ar", "Kr", "Po", "At", "Rn", "Fr", "Ra", "Am"} & names
    assert (np.diff(element_numbers().astype(int)) > 0).all()


def test_encodable():
    formulas = ["NaCl", "Fe", "Na9Cl", "Na8Cl", "HeO", "XeF2", "PuO2", "AmO2"]
    packed = CompositionArray.from_formulas(formulas)
    expected = [True, False, False, True, False, True, True, False]
    assert encodable(packed).tolist() == expected


def test_there_and_back():
    packed = random_encodable()
    assert encodable(packed).all()
    amounts = encode(packed)
    assert amounts.shape == (len(packed), 85)
    cells = one_hot(amounts)
    assert cells.shape == (len(packed), 85, 8)
    assert (cells.sum(axis=(1, 2)) == packed.n_elements()).all()
    for decoder in (amounts_by_threshold, amounts_by_argmax):
        again = decoder(cells.astype(np.float32))
        assert (again == amounts).all()
        compositions, kept = decode(again)
        assert (kept == np.arange(len(packed))).all()
        assert compositions.formulas() == packed.formulas()


def test_the_largest_amount_wins_by_threshold():
    cells = np.zeros((1, 85, 8), dtype=np.float32)
    cells[0, 0, [1, 5]] = [0.9, 0.2]
    cells[0, 1, 3] = 0.19
    cells[0, 2, 2] = 0.6
    assert amounts_by_threshold(cells)[0, :3].tolist() == [6, 0, 3]
    assert amounts_by_argmax(cells)[0, :3].tolist() == [2, 0, 3]


def test_decoding_reduces_and_drops_what_is_no_compound():
    amounts = np.zeros((4, 85), dtype=np.uint8)
    amounts[0, [2, 7]] = [4, 2]
    amounts[1, 3] = 1
    amounts[3, :9] = 1
    compositions, kept = decode(amounts)
    assert kept.tolist() == [0]
    assert compositions.counts.tolist() == [[2, 1]]
    assert compositions.numbers[0].tolist() == element_numbers()[[2, 7]].tolist()
    nothing, none = decode(amounts[1:2])
    assert len(nothing) == len(none) == 0


@pytest.mark.parametrize("seed", range(3))
def test_decoded_rows_are_canonical(seed):
    rng = np.random.default_rng(seed)
    amounts = (rng.integers(0, 9, (500, 85)) * (rng.random((500, 85)) < 0.04)).astype(np.uint8)
    compositions, kept = decode(amounts)
    again = CompositionArray.from_formulas(compositions.formulas())
    assert (again.numbers == compositions.numbers[:, : again.numbers.shape[1]]).all()
    assert (again.counts == compositions.counts[:, : again.counts.shape[1]]).all()
    sizes = (amounts > 0).sum(axis=1)
    assert kept.tolist() == np.flatnonzero((sizes >= 2) & (sizes <= 8)).tolist()
