"""A limit above 20 atoms has an effect on every method, or is refused with the reason."""

import pytest

from screening.errors import InputError
from screening.structure import generator_names
from screening.structure.sizes import check_sizes, largest_cell


def test_every_method_says_how_large_its_cells_are():
    sizes = {name: largest_cell(name) for name in generator_names()}
    assert sizes == {
        "cond-cdvae": 20,
        "contact-map": 12,
        "distance-matrix": 12,
        "prototypes": 20,
        "random": None,
        "transformer": 20,
    }


def test_no_limit_is_accepted_without_effect():
    check_sizes(generator_names(), 20)
    check_sizes(["random"], 80)
    check_sizes([], 80)
    with pytest.raises(InputError, match=r"max_atoms=21 .*contact-map at most 12 atoms"):
        check_sizes(["contact-map", "random"], 21)
    with pytest.raises(InputError, match=r"\(prototypes at most 20 atoms\): lower max_atoms"):
        check_sizes(["prototypes", "random"], 80)


def test_a_bank_with_larger_cells_is_enough(small_bank, monkeypatch):
    counts = small_bank.class_counts.copy()
    counts[0, 0] = 28
    larger = type(small_bank)(**{**vars_of(small_bank), "class_counts": counts})
    monkeypatch.setattr("screening.prototypes.bank.Bank.load", lambda _: larger)
    check_sizes(["prototypes"], 28, "mine")
    with pytest.raises(InputError, match="prototypes at most"):
        check_sizes(["prototypes"], 200, "mine")


def vars_of(bank):
    """Fields of a bank without what it has computed."""
    return {name: getattr(bank, name) for name in bank.__dataclass_fields__}
