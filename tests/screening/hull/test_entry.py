"""Entries from documents."""

import pytest
from pymatgen.core import Lattice, Structure

from screening.errors import InputError
from screening.hull import PhaseEntry, build_hull
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
