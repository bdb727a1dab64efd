"""GPAW's makers; those that compute need it installed, and are small where they are not slow."""

import json

import numpy as np
import pytest
from jobflow import run_locally
from monty.json import MontyEncoder
from pymatgen.core import Lattice, Structure
from tests_gpaw import answer_with_emt, highest_frequency

from benchmarks.gpaw import SOLIDS
from makers.dft.gpaw import GpawRelaxMaker, GpawStaticMaker, GpawTaskDoc
from makers.dft.gpaw_flows import phonon_flow, relaxation_flow
from makers.dft.gpaw_phonon import GpawPhononMaker
from screening.errors import EngineError
from screening.gpaw import GpawSettings, fault, relaxation
from screening.schemas import GpawDoc, RelaxState

needs_gpaw = pytest.mark.skipif(fault() is not None, reason=f"GPAW cannot be used: {fault()}")
SILICON, SALT = SOLIDS[:2]
COPPER = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(3.7), ["Cu"], [[0, 0, 0]]
).get_primitive_structure()
QUICK = {"cutoff": 200.0, "kpoint_density": 8.0}
"""Not converged at all; a second on a core."""


def test_makers_survive_a_database():
    for maker in (GpawRelaxMaker(cutoff=500), GpawStaticMaker(), GpawPhononMaker()):
        again = type(maker).from_dict(json.loads(json.dumps(maker.as_dict(), default=str)))
        assert again.as_dict() == maker.as_dict()


def test_the_job_says_what_it_returns():
    job = GpawRelaxMaker().make(SILICON.structure())
    assert job.output_schema is GpawTaskDoc
    assert job.output.gpaw.converged is not None
    with pytest.raises(AttributeError):
        _ = job.output.nonsense


def test_every_field_is_described():
    assert all(field.description for field in GpawDoc.model_fields.values())


@pytest.mark.skipif(fault() is None, reason="GPAW is installed")
def test_without_gpaw_it_says_how_to_get_it():
    with pytest.raises(EngineError, match="apt install libxc-dev"):
        GpawRelaxMaker().compute(SILICON.structure())


@needs_gpaw
class TestQuickly:
    @pytest.fixture(scope="class")
    def relaxed(self, tmp_path_factory):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path_factory.mktemp("relax"))
            return GpawRelaxMaker(**QUICK).compute(SILICON.structure(1.01))

    def test_a_relaxation_ends_without_forces_and_stress(self, relaxed):
        found = relaxed.gpaw
        assert found.task == "relax"
        assert found.converged
        assert found.fmax < 0.01
        assert found.max_stress < 0.1
        assert found.steps >= 3
        assert relaxed.structure.volume != pytest.approx(SILICON.structure(1.01).volume, rel=1e-3)
        assert relaxed.structure.get_space_group_info()[1] == 227

    def test_the_document_says_how_it_came_about(self, relaxed):
        found = relaxed.gpaw
        assert found.engine.startswith("gpaw-")
        assert found.engine.endswith("-PBE-200eV")
        assert found.parameters["kpts"]["size"] == found.mesh
        assert found.n_electrons == 8
        assert found.band_gap > 0.3
        assert found.energy_per_atom == pytest.approx(relaxed.output.energy_per_atom, abs=1e-6)
        assert {"gpaw", "gpaw-data", "ase", "libxc"} <= set(found.versions)

    def test_a_static_calculation_moves_nothing(self, relaxed):
        document = GpawStaticMaker(**QUICK).compute(relaxed.structure)
        assert document.gpaw.task == "static"
        assert document.gpaw.steps == 1
        assert np.allclose(document.structure.lattice.matrix, relaxed.structure.lattice.matrix)
        assert document.output.energy == pytest.approx(relaxed.output.energy, abs=0.01)

    def test_an_interrupted_relaxation_goes_on(self):
        structure = SILICON.structure(1.03)
        first = GpawRelaxMaker(**QUICK, steps=2).compute(structure)
        assert not first.gpaw.converged
        assert "not below fmax" in first.gpaw.reason
        second = GpawRelaxMaker(**QUICK).compute(structure)
        assert second.gpaw.converged
        assert second.gpaw.resumed_at == first.gpaw.steps
        assert second.gpaw.steps > second.gpaw.resumed_at

    def test_electrons_that_do_not_converge_are_one_line(self, monkeypatch):
        from screening.gpaw import calculator

        given = calculator.parameters
        monkeypatch.setattr(
            calculator, "parameters", lambda *arguments: given(*arguments) | {"maxiter": 2}
        )
        with pytest.raises(EngineError, match="did not converge for Si2") as caught:
            GpawStaticMaker(**QUICK).compute(SILICON.structure())
        assert "\n" not in str(caught.value)

    def test_it_is_a_job(self):
        job = GpawStaticMaker(**QUICK).make(SILICON.structure())
        found = run_locally(job, ensure_success=True, log=False)[job.uuid][1].output
        assert isinstance(found, GpawTaskDoc)
        stored = json.loads(MontyEncoder().encode(found))
        assert GpawDoc.model_validate(stored["gpaw"]) == found.gpaw


class TestFlows:
    @pytest.fixture(autouse=True)
    def fake(self, monkeypatch):
        answer_with_emt(monkeypatch)

    def run(self, found):
        responses = run_locally(found.flow, create_folders=True, ensure_success=True, log=False)
        return {uuid: by_index[max(by_index)].output for uuid, by_index in responses.items()}

    def test_relaxation_then_static(self):
        found = relaxation_flow(COPPER, GpawSettings(cutoff=500), "Cu")
        documents = self.run(found)
        relax, static = (documents[found.runs[name]] for name in ("relax", "static"))
        assert found.result == found.runs["static"]
        assert [doc.gpaw.task for doc in (relax, static)] == ["relax", "static"]
        assert static.gpaw.engine.endswith("-500eV")
        assert (relax.structure.volume * 4) ** (1 / 3) == pytest.approx(3.59, abs=0.01)
        assert static.gpaw.energy == pytest.approx(relax.gpaw.energy, abs=1e-4)
        assert static.gpaw.max_stress < 0.2

    def test_phonons(self):
        found = phonon_flow(COPPER, np.diag([3, 3, 3]), GpawSettings(), "Cu", displacement=0.02)
        document = self.run(found)[found.result]
        assert document.force_constants is not None
        assert document.born is None
        assert highest_frequency(document) == pytest.approx(7.7, abs=0.5)  # THz

    def test_a_failure_leaves_what_is_after_it(self, monkeypatch):
        from makers.dft import gpaw

        def fails(*_):
            raise EngineError("no")

        monkeypatch.setattr(gpaw, "make_calculator", fails)
        found = relaxation_flow(COPPER, GpawSettings(), "Cu")
        assert run_locally(found.flow, create_folders=True, log=False) == {}

    def test_the_relaxation_is_as_those_of_potentials(self):
        document = GpawRelaxMaker().compute(COPPER)
        found = relaxation(document.gpaw, volume_change=0.1, symmetry_kept=True)
        assert found.state == RelaxState.CONVERGED
        assert found.energy_per_atom == document.gpaw.energy_per_atom
        assert found.engine == GpawSettings().engine


@needs_gpaw
@pytest.mark.slow  # a minute each on a core of its own
class TestAgainstPublishedNumbers:
    @pytest.mark.parametrize("solid", [SILICON, SALT], ids=lambda solid: solid.formula)
    def test_lattice_constant(self, solid):
        document = GpawRelaxMaker(cutoff=600).compute(solid.structure(1.01))
        found = (document.structure.volume * 4) ** (1 / 3)
        assert document.gpaw.converged
        assert found == pytest.approx(solid.lattice_constant, rel=0.003)

    def test_phonons_of_silicon(self):
        quick = {"cutoff": 250.0, "kpoint_density": 32.0}
        maker = GpawPhononMaker(
            bulk_relax_maker=GpawRelaxMaker(**quick, fmax=0.002),
            static_energy_maker=None,
            phonon_displacement_maker=GpawStaticMaker(**quick, density_tolerance=1e-5),
        )
        flow = maker.make(SILICON.structure(), supercell_matrix=np.diag([2, 2, 2]).tolist())
        responses = run_locally(flow, create_folders=True, ensure_success=True, log=False)
        (document,) = [
            response.output
            for by_index in responses.values()
            for response in by_index.values()
            if type(response.output).__name__ == "PhononBSDOSDoc"
        ]
        assert 14.0 < highest_frequency(document) < 16.5  # THz; 15.5 in experiment


def test_the_published_crystals_are_what_they_say():
    for solid in SOLIDS:
        structure = solid.structure()
        assert isinstance(structure, Structure)
        atoms_per_cubic_cell = 8 if solid.kind in {"diamond", "zincblende", "rocksalt"} else 4
        volume = structure.volume / len(structure) * atoms_per_cubic_cell
        assert volume ** (1 / 3) == pytest.approx(solid.lattice_constant, abs=1e-6)
