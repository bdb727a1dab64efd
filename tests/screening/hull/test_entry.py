"""Entries from documents."""

import pytest
from pymatgen.core import Lattice, Structure

from screening.errors import InputError
from screening.hull import PhaseEntry, build_hull, energies_above
from screening.identity import make_id
from screening.relax import group_duplicates
from screening.schemas import RelaxationDoc, RelaxState, StructureDoc, StructureRole, StructureStage


def document(formula, energy, state="converged", role=StructureRole.CANDIDATE, n=1):
    species = [symbol for symbol in formula for _ in range(n)]
    positions = [[i / len(species)] * 3 for i in range(len(species))]
    relaxation = RelaxationDoc(engine="emt", state=RelaxState(state), energy_per_atom=energy)
    return StructureDoc.from_structure(
        Structure(Lattice.cubic(6), species, positions),
        stage=StructureStage.RELAXED,
        role=role,
        relaxation=relaxation,
    )


def test_from_documents():
    group = [document(["Cu", "Au", "Cu"], -1.0, n=2), document(["Cu", "Au", "Cu"], -0.9)]
    found = PhaseEntry.from_structures(group)
    assert found.entry_id == group[0].structure_id
    assert found.members == tuple(doc.structure_id for doc in group)
    assert found.composition == {"Cu": 4.0, "Au": 2.0}
    assert found.formula == "Cu2Au"
    assert (found.energy_per_atom, found.energy_source, found.role) == (-1.0, "emt", "candidate")


@pytest.mark.parametrize("state", ["failed", "collapsed", "exploded"])
def test_unusable_energies(state):
    with pytest.raises(InputError, match="no usable relaxed energy"):
        PhaseEntry.from_structures([document(["Cu"], -1.0, state)])
    with pytest.raises(InputError, match="no usable relaxed energy"):
        PhaseEntry.from_structures([document(["Cu"], None)])


def test_a_hull_of_groups():
    groups = [
        [document(["Cu"], 0.0, role=StructureRole.ELEMENT)],
        [document(["Au"], 0.1, role=StructureRole.ELEMENT)],
        [document(["Cu", "Au"], -0.1), document(["Cu", "Au"], -0.05, n=2)],
    ]
    hull = build_hull("Au-Cu", groups, "emt", version=3)
    assert hull.version == 3
    alloy = next(e for e in hull.entries if e.formula == "CuAu")
    assert alloy.members == [doc.structure_id for doc in groups[2]]
    assert alloy.formation_energy_per_atom == pytest.approx(-0.15)
    assert [e.role for e in hull.entries] == ["element", "element", "candidate"]


def at_pressure(energy, volume, pressure, elements=("Cu",), role=StructureRole.CANDIDATE):
    """A relaxed structure of a given energy (eV/atom) and volume (Angstrom^3/atom)."""
    enthalpy = energy + pressure * volume / 160.21766208
    relaxation = RelaxationDoc(
        engine="emt",
        state=RelaxState.CONVERGED,
        energy_per_atom=energy,
        enthalpy_per_atom=enthalpy,
        pressure=pressure,
    )
    n = len(elements)
    return StructureDoc.from_structure(
        Structure(
            Lattice.cubic((n * volume) ** (1 / 3)), elements, [[k / n] * 3 for k in range(n)]
        ),
        stage=StructureStage.RELAXED,
        role=role,
        relaxation=relaxation,
    )


@pytest.mark.parametrize(("pressure", "stable"), [(0.0, 14.0), (40.0, 11.0)])
def test_enthalpy_decides_under_pressure_and_energy_without(pressure, stable):
    loose, dense = at_pressure(-3.0, 14.0, pressure), at_pressure(-2.7, 11.0, pressure)
    source = "emt at 40 GPa" if pressure else "emt"
    hull = build_hull("Cu", [[loose], [dense]], source)
    assert (hull.pressure, hull.energy_source) == (pressure, source)
    best = next(entry for entry in hull.entries if entry.energy_above_hull == 0)
    expected = next(doc for doc in (loose, dense) if doc.volume_per_atom == pytest.approx(stable))
    assert best.entry_id == expected.structure_id
    other = next(entry for entry in hull.entries if entry is not best)
    gap = abs(-0.3 + pressure * 3.0 / 160.21766208)
    assert other.energy_above_hull == pytest.approx(gap)
    lowest = group_duplicates([loose, dense])[0][0]
    assert lowest.structure_id == expected.structure_id


def test_pressures_are_never_mixed_on_one_hull():
    one, other = at_pressure(-3.0, 14.0, 10.0), at_pressure(-3.0, 13.0, 20.0)
    with pytest.raises(InputError, match="is at 20 GPa, the hull at 10 GPa"):
        build_hull("Cu", [[one], [other]], "emt at 10 GPa")
    with pytest.raises(InputError, match="energies from 'emt at 10 GPa', the hull from 'emt'"):
        build_hull("Cu", [[one]], "emt")
    entries = [
        PhaseEntry("a", {"Cu": 1.0}, -3.0, "emt"),
        PhaseEntry("b", {"Cu": 1.0}, -3.0, "emt", pressure=10.0, enthalpy_per_atom=-2.5),
    ]
    with pytest.raises(InputError, match="pressures are never mixed"):
        build_hull("Cu", entries, "emt")
    with pytest.raises(InputError, match="give enthalpy_per_atom"):
        PhaseEntry("c", {"Cu": 1.0}, -3.0, "emt", pressure=10.0)
    with pytest.raises(InputError, match="there is no hull"):
        build_hull("Cu", [[at_pressure(-3.0, 15.0, -2.0)]], "emt at -2 GPa")


def test_new_phases_are_placed_by_enthalpy():
    docs = [
        at_pressure(-3.0, 10.0, 50.0, role=StructureRole.ELEMENT),
        at_pressure(-2.0, 12.0, 50.0, ("Au",), StructureRole.ELEMENT),
    ]
    hull = build_hull("Au-Cu", [[doc] for doc in docs], "emt at 50 GPa")
    alloy = PhaseEntry.from_structures([at_pressure(-2.5, 10.0, 50.0, ("Cu", "Au"))])
    (placed,) = energies_above(hull, [alloy])
    assert placed.energy_above_hull == pytest.approx(-50.0 * 1.0 / 160.21766208)
    assert placed.enthalpy_per_atom == alloy.enthalpy_per_atom


def test_compressed_elements_do_not_make_outliers():
    """At 100 GPa soft elements hold so much energy that compounds lie far below them."""
    docs = [
        at_pressure(-1.9 + 5.0, 25.0, 100.0, ("K",), StructureRole.ELEMENT),
        at_pressure(-1.8 + 1.0, 14.0, 100.0, ("Cl",), StructureRole.ELEMENT),
    ]
    salt = at_pressure(-3.3, 15.0, 100.0, ("K", "Cl"))
    hull = build_hull("Cl-K", [[doc] for doc in (*docs, salt)], "emt at 100 GPa")
    assert all(entry.outlier is None for entry in hull.entries)
    hole = at_pressure(-60.0, 15.0, 100.0, ("K", "Cl"))
    hull = build_hull("Cl-K", [[doc] for doc in (*docs, hole)], "emt at 100 GPa")
    assert [entry.outlier is not None for entry in hull.entries if entry.formula == "KCl"] == [True]


def test_identities_know_the_pressure_and_stay_without_one():
    parent = document(["Cu"], -1.0)
    ids = {at_pressure(-3.0, 14.0, p).structure_id for p in (0.0, 10.0, 20.0)}
    assert len(ids) == 3
    plain = make_id(
        "str",
        StructureStage.RELAXED,
        None,
        "emt",
        parent.to_structure().lattice.matrix.round(5).tolist(),
        ["Cu"],
        [[0.0, 0.0, 0.0]],
    )
    assert parent.structure_id == plain
