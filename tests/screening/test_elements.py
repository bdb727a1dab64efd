"""The frozen tables, compared with the packages that they come from."""

import numpy as np
import pytest

from screening.elements import (
    MAX_Z,
    atomic_number,
    column,
    common_oxidation_states,
    oxidation_states,
    oxidation_tables,
    symbols,
)
from screening.errors import InputError

ELEMENTS = range(1, MAX_Z + 1)


def same(ours, theirs):
    """Equal numbers; None and NaN are the same gap."""
    if theirs is None or np.isnan(theirs):
        return np.isnan(ours)
    return ours == pytest.approx(theirs, rel=1e-12)


def test_symbols_and_numbers():
    assert symbols()[0] == ""
    assert symbols()[1] == "H"
    assert symbols()[26] == "Fe"
    assert symbols()[MAX_Z] == "Lr"
    assert [atomic_number(symbols()[z]) for z in ELEMENTS] == list(ELEMENTS)


@pytest.mark.parametrize("symbol", ["", "Xx", "fe", "FE", "D", "Rf", "Fe2+"])
def test_an_unknown_element_is_named(symbol):
    with pytest.raises(InputError, match=rf"unknown element {symbol!r}".replace("+", r"\+")):
        atomic_number(symbol)


def test_columns_are_shared_and_read_only():
    values = column("electronegativity")
    assert values.shape == (MAX_Z + 1,)
    assert np.isnan(values[0])
    assert column("electronegativity") is values
    with pytest.raises(ValueError, match="read-only"):
        values[1] = 0.0
    with pytest.raises(KeyError):
        column("colour")


def test_properties_are_those_of_pymatgen():
    from pymatgen.core import Element

    for z in ELEMENTS:
        element = Element.from_Z(z)
        assert symbols()[z] == element.symbol
        assert same(column("mass")[z], float(element.atomic_mass))
        assert same(column("pettifor_number")[z], element.mendeleev_no)
        assert same(column("ionic_radius")[z], float(element.average_ionic_radius) or None)
        assert same(column("group")[z], element.group)
        assert common_oxidation_states()[z] == tuple(element.common_oxidation_states)


def test_rows_are_iupac():
    assert column("period")[[1, 3, 57, 71, 72, 89, 103]].tolist() == [1, 2, 6, 6, 6, 7, 7]
    assert column("group")[[57, 71, 89, 103]].tolist() == [3, 3, 3, 3]


def test_properties_are_those_of_smact():
    smact = pytest.importorskip("smact")
    for z in ELEMENTS:
        element = smact.Element(symbols()[z])
        assert column("is_metal")[z] == (element.symbol in smact.metals)
        assert column("is_d_block")[z] == (element.symbol in smact.d_block)
        assert same(column("electronegativity")[z], element.pauling_eneg)
        assert same(column("valence_electrons")[z], element.num_valence_modified)


def test_oxidation_states_are_those_of_smact():
    smact = pytest.importorskip("smact")
    attributes = {
        "smact14": "oxidation_states_smact14",
        "icsd16": "oxidation_states_icsd16",
        "icsd24": "oxidation_states_icsd24",
        "pymatgen_sp": "oxidation_states_sp",
        "wiki": "oxidation_states_wiki",
    }
    assert set(oxidation_tables()) == {"icsd24_filtered", *attributes}
    for table, attribute in attributes.items():
        for z in ELEMENTS:
            theirs = getattr(smact.Element(symbols()[z]), attribute) or []
            assert oxidation_states(table)[z] == tuple(sorted(theirs)), (table, symbols()[z])


def test_the_default_table_is_that_of_smact():
    pytest.importorskip("smact")
    from smact.screening import _get_icsd24_oxidation_dict

    theirs = _get_icsd24_oxidation_dict(include_zero=False, consensus=3, commonality="low")
    for z in ELEMENTS:
        assert oxidation_states("icsd24_filtered")[z] == tuple(sorted(theirs.get(symbols()[z], [])))


def test_properties_are_those_of_mendeleev():
    mendeleev = pytest.importorskip("mendeleev")
    for z in (1, 6, 8, 26, 57, 79, 92):
        element = mendeleev.element(z)
        assert same(column("covalent_radius")[z], element.covalent_radius_cordero / 100)
        assert same(column("dipole_polarizability")[z], element.dipole_polarizability)
        assert same(column("ionization_energy")[z], element.ionenergies.get(1))
        assert same(column("unpaired_electrons")[z], element.ec.unpaired_electrons())


def test_magpie_columns_are_those_of_matminer():
    pytest.importorskip("matminer")
    from matminer.utils.data import MagpieData

    data = MagpieData()
    from pymatgen.core import Element

    for name in ("MeltingT", "NdUnfilled", "GSvolume_pa", "SpaceGroupNumber"):
        for z in (3, 8, 22, 50, 82, 92):
            theirs = data.get_elemental_property(Element.from_Z(z), name)
            assert same(column(f"magpie_{name}")[z], theirs)


def test_an_unknown_table_lists_the_known():
    with pytest.raises(InputError, match=r"'icsd99'.*'icsd24_filtered'.*'wiki'"):
        oxidation_states("icsd99")


def test_isotopes_are_told_how_to_be_written():
    with pytest.raises(InputError, match="unknown element 'D'.*write H"):
        atomic_number("D")
