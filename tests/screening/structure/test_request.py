import pytest

from screening.errors import InputError
from screening.structure.request import Target


def test_formula_is_reduced():
    target = Target("Ti4O8")
    assert target.composition == {8: 2, 22: 1}
    assert target.allowed_units == (1, 2, 3, 4, 5, 6)
    assert target.allowed_atoms == (3, 6, 9, 12, 15, 18)


def test_cell_is_taken_as_it_is():
    target = Target.of_cell("Ti4O8")
    assert target.allowed_atoms == (12,)
    assert Target.of_cell("Ti20O40").allowed_atoms == (60,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"formula": "Ca10P6O26"}, r"21 atoms.*max_atoms=20"),
        ({"formula": "NaCl", "units": (11,)}, r"11 formula units.*22 atoms"),
        ({"formula": "NaCl", "units": ()}, "positive"),
        ({"formula": "NaCl", "units": (0,)}, "positive"),
        ({"formula": "NaCl", "volume_per_atom": -1.0}, "volume_per_atom=-1.0"),
        ({"formula": "NaCl", "volume_per_atom": float("nan")}, "volume_per_atom=nan"),
        ({"formula": "Xx2O"}, "Xx"),
        ({"formula": ""}, "not a formula"),
    ],
)
def test_bad_targets(arguments, message):
    with pytest.raises(InputError, match=message):
        Target(**arguments)
