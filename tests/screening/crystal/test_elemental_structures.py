"""Structures of the elements."""

import pytest
from pymatgen.core import Element

from screening.elements import column, symbols
from screening.errors import InputError
from screening.hull import elemental_structures

WITHOUT = {"At", "Fr", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr"}
KNOWN = {"S": 70, "Mn": 217, "Sn": 141, "Si": 227, "Fe": 229, "Mg": 194, "Sm": 166, "La": 194}
KNOWN |= {"Ce": 225, "Eu": 229, "U": 63, "C": 194, "Cu": 225}


def test_all_elements_but_the_rarest():
    wanted = [symbol for symbol in symbols()[1:] if symbol not in WITHOUT]
    found = elemental_structures(wanted)
    assert list(found) == wanted
    volumes = column("magpie_GSvolume_pa")
    for symbol, structure in found.items():
        assert structure.elements == [Element(symbol)]
        assert structure.is_ordered
        assert structure.is_valid(tol=0.7)
        assert structure.properties["source"]
        ratio = structure.volume / len(structure) / volumes[Element(symbol).Z]
        assert 0.5 < ratio < 3.0, symbol  # molecules swell most


@pytest.mark.parametrize(("symbol", "number"), KNOWN.items())
def test_space_groups(symbol, number):
    assert elemental_structures([symbol])[symbol].get_space_group_info(0.01)[1] == number


def test_elements_without_a_structure_are_named():
    with pytest.raises(InputError, match=r"elements \['Fr', 'At'\]"):
        elemental_structures(["Fr", "O", "At"])
    with pytest.raises(InputError, match="unknown element 'Xx'"):
        elemental_structures(["Xx"])


def test_the_frozen_structures_are_those_of_pymatgen():
    from pymatgen.analysis.prototypes._data import AFLOW_PROTOTYPE_LIBRARY
    from pymatgen.analysis.structure_matcher import StructureMatcher

    library = {
        (item["tags"]["aflow"], item["snl"].structure[0].specie.symbol): item["snl"].structure
        for item in AFLOW_PROTOTYPE_LIBRARY
    }
    frozen = elemental_structures(["S", "Mn", "Sn", "Pa", "U", "Np", "Pu"])
    for symbol, structure in frozen.items():
        label = structure.properties["source"].split()[1].rstrip(",")
        reference = library[label, symbol]
        assert structure.volume == pytest.approx(reference.volume, rel=1e-4)
        assert StructureMatcher(ltol=0.01, stol=0.01).fit(structure, reference)
