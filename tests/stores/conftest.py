import pytest
from pymatgen.core import Lattice, Structure

from screening.schemas import RelaxationDoc, RelaxState, StructureDoc, StructureStage


@pytest.fixture
def rocksalt():
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.2), ["Mn", "S"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


@pytest.fixture
def structure_doc(rocksalt):
    return StructureDoc.from_structure(
        rocksalt,
        stage=StructureStage.RELAXED,
        relaxation=RelaxationDoc(
            engine="emt-test", state=RelaxState.CONVERGED, energy=-40.0, energy_per_atom=-5.0
        ),
    )
