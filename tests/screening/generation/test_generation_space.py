"""Chemical spaces: what is inside, and what a user can get wrong."""

import pytest

from screening.composition import CompositionArray
from screening.errors import InputError
from screening.generation.space import ChemicalSpace


def test_contains():
    space = ChemicalSpace.create(
        chemsys=["Li", "Mn", "O"], required=["O"], min_elements=2, max_elements=3, max_atoms=7
    )
    formulas = ["Li2O", "MnO2", "LiMn2O4", "LiMn2O5", "LiMn", "O", "LiFeO2", "Na2O"]
    inside = space.contains(CompositionArray.from_formulas(formulas))
    assert inside.tolist() == [True, True, True, False, False, False, False, False]


def test_all_elements_but_some():
    space = ChemicalSpace.create(excluded=["Tc", "Pm"])
    assert len(space.elements) == 101
    assert 43 not in space.elements
    assert space.describe() == "101 elements"
    assert ChemicalSpace.create(chemsys=["O", "Li"]).describe() == "Li-O"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"chemsys": ["Li", "Xx"]}, r"unknown element 'Xx'"),
        ({"chemsys": ["Li", "O"], "required": ["Fe"]}, r"\['Fe'\] are not in .* Li-O"),
        ({"chemsys": ["Li", "O"], "excluded": ["O"]}, r"no composition of 2 elements in Li"),
        ({"chemsys": ["Li"], "excluded": ["Li"]}, r"an empty chemical system"),
        ({"min_elements": 3, "max_elements": 2}, r"min_elements=3 and max_elements=2"),
        ({"min_elements": 0}, r"min_elements=0"),
        ({"max_atoms": 1}, r"max_atoms=1 must be from min_elements=2"),
        ({"max_atoms": 70000}, r"max_atoms=70000"),
        (
            {"required": ["Li", "O", "P"], "max_elements": 2},
            r"3 elements are required, but max_elements=2",
        ),
    ],
)
def test_errors_name_the_value(arguments, message):
    with pytest.raises(InputError, match=message):
        ChemicalSpace.create(**arguments)
