"""The emulated VASP behind unmodified atomate2, custodian, pymatgen and emmet."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from custodian.custodian import CustodianError
from jobflow import run_locally
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Incar, Kpoints, Oszicar, Outcar, Poscar, Vasprun
from tests_gpaw import highest_frequency

from vasp_emulator import VERSION
from vasp_emulator.physics import SHIFT
from vasp_emulator.potcars import stub_potcar
from vasp_emulator.run import main

pytestmark = [pytest.mark.vasp, pytest.mark.timeout(300)]

EMT_COPPER = 3.59
"""Lattice constant of copper in ASE's EMT (Angstrom)."""


def copper(a=3.7, *, cells=1):
    crystal = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Cu"], [[0, 0, 0]])
    return crystal.get_primitive_structure() * cells


def gold_copper():
    sites = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Structure(Lattice.cubic(3.8), ["Au", "Cu", "Cu", "Cu"], sites)


def write_inputs(structure, mesh=(4, 4, 4), potcar=None, **incar):
    """Write inputs into the working folder."""
    tags = {"ENCUT": 400, "EDIFF": 1e-5, "NSW": 99, "IBRION": 2, "ISIF": 3, "EDIFFG": -0.01}
    Incar(tags | {"ISMEAR": 0, "SIGMA": 0.05} | incar).write_file("INCAR")
    Kpoints.gamma_automatic(mesh).write_file("KPOINTS")
    Poscar(structure).write_file("POSCAR")
    species = potcar or Poscar(structure).site_symbols
    Path("POTCAR").write_text("".join(map(stub_potcar, species)))


@pytest.fixture
def emulate(vasp, capsys):
    """Run the emulator in this process, in the working folder; return status and words."""

    def run():
        status = main()
        return status, capsys.readouterr().out

    return run


def finish(flow):
    """Run a flow; return the output of its jobs by name, the last of a name."""
    responses = run_locally(flow, create_folders=True, ensure_success=True, log=False)
    jobs = getattr(flow, "jobs", [flow])
    return [responses[job.uuid][max(responses[job.uuid])].output for job in jobs]


class TestFiles:
    def test_a_relaxation_is_what_pymatgen_reads(self, emulate):
        write_inputs(copper(), ISPIN=2, MAGMOM=[0.6])
        status, words = emulate()
        run, out, contcar = Vasprun("vasprun.xml"), Outcar("OUTCAR"), Poscar.from_file("CONTCAR")
        assert status == 0
        assert "reached required accuracy" in words
        assert run.converged
        assert run.vasp_version == VERSION == "6.4.99-emulator"
        assert contcar.structure.volume == pytest.approx(EMT_COPPER**3 / 4, rel=0.003)
        assert np.allclose(run.final_structure.lattice.matrix, contcar.structure.lattice.matrix)
        assert run.final_energy == pytest.approx(out.final_energy, abs=1e-6)
        assert run.final_energy == pytest.approx(Oszicar("OSZICAR").final_energy, abs=1e-6)
        assert len(run.ionic_steps) == len(Oszicar("OSZICAR").ionic_steps) > 2
        assert len(out.magnetization) == 1
        assert not out.is_stopped

    def test_forces_and_stress_are_derivatives_of_the_energy(self, emulate):
        crystal = gold_copper()
        crystal.translate_sites([0], [0.03, 0.01, 0.0])

        def run(structure):
            write_inputs(structure, NSW=0, IBRION=-1)
            emulate()
            return Vasprun("vasprun.xml")

        moved, strained, h = crystal.copy(), crystal.copy(), 1e-3
        moved.translate_sites([0], [h, 0, 0], frac_coords=False)
        strained.apply_strain([h, 0, 0])
        here = run(crystal)
        step = here.ionic_steps[0]
        rise = (run(moved).final_energy - here.final_energy) / h
        assert step["forces"][0][0] == pytest.approx(-rise, abs=0.02)
        slope = (run(strained).final_energy - here.final_energy) / h / crystal.volume
        assert step["stress"][0][0] / 1602.18 == pytest.approx(-slope, abs=1e-3)

    @pytest.mark.parametrize(("isif", "cell", "atoms"), [(2, False, True), (3, True, True),
                             (4, True, True), (7, True, False)])  # fmt: skip
    def test_isif_says_what_moves(self, emulate, isif, cell, atoms):
        crystal = gold_copper()
        crystal.translate_sites([1], [0.02, 0.01, 0.0])
        write_inputs(crystal, ISIF=isif, EDIFFG=-0.05)
        assert emulate()[0] == 0
        final = Poscar.from_file("CONTCAR").structure
        assert np.allclose(final.lattice.matrix, crystal.lattice.matrix, atol=1e-4) != cell
        shift = (final.frac_coords - crystal.frac_coords + 0.5) % 1 - 0.5
        assert bool(np.abs(shift).max() > 1e-4) == atoms
        assert (abs(final.volume - crystal.volume) > 0.01) == (isif in {3, 7})

    def test_pressure_makes_the_cell_smaller(self, emulate):
        write_inputs(copper(), PSTRESS=100)
        assert emulate()[0] == 0
        run = Vasprun("vasprun.xml")
        assert np.trace(run.ionic_steps[-1]["stress"]) / 3 == pytest.approx(100, abs=3)
        assert run.final_structure.volume < 0.96 * EMT_COPPER**3 / 4

    def test_ediffg_and_nsw_end_a_relaxation(self, emulate):
        steps = {}
        for name, tags in {"loose": {"EDIFFG": 0.1}, "tight": {"EDIFFG": -1e-4},
                           "short": {"NSW": 2}}.items():  # fmt: skip
            write_inputs(copper(), **tags)
            emulate()
            run = Vasprun("vasprun.xml")
            steps[name] = len(run.ionic_steps)
            assert run.converged == (name != "short")
        assert steps["short"] == 2 <= steps["loose"] < steps["tight"]

    def test_a_stopcar_ends_a_relaxation(self, emulate):
        write_inputs(copper(), EDIFFG=-1e-6)
        Path("STOPCAR").write_text("LSTOP = .TRUE.\n")
        assert emulate()[0] == 0
        assert len(Vasprun("vasprun.xml").ionic_steps) == 2
        assert Outcar("OUTCAR").is_stopped

    def test_kspacing_replaces_the_mesh(self, emulate):
        write_inputs(copper(), KSPACING=0.5)
        Path("KPOINTS").unlink()
        assert emulate()[0] == 0
        assert tuple(Vasprun("vasprun.xml").kpoints.kpts[0]) == (6, 6, 6)


class TestWrongInputs:
    @pytest.mark.parametrize(
        ("incar", "words"),
        [
            ({"EDIFF_PER_ATOM": 1e-5}, "'EDIFF_PER_ATOM' from file INCAR: unknown tag"),
            ({"ISMEARR": 0}, "'ISMEARR' from file INCAR: unknown tag"),
            ({"NSW": "many"}, "'NSW' from file INCAR: 'Many' is no value"),
            ({"GGA": "PBE"}, "'GGA' from file INCAR"),
            ({"IBRION": 9}, "'IBRION' from file INCAR"),
            ({"ENCUT": -400}, "'ENCUT' from file INCAR: it must be positive"),
            ({"MAGMOM": [1, 1, 1]}, "'MAGMOM' from file INCAR: 3 for 4 atoms"),
            ({"LDAU": True, "LDAUU": [4.0]}, "'LDAUU' from file INCAR: 2 are needed"),
            ({"IBRION": 0}, "does not know IBRION = 0"),
        ],
    )
    def test_a_wrong_tag_kills(self, emulate, incar, words):
        write_inputs(gold_copper(), **incar)
        status, said = emulate()
        assert status == 1
        assert words in said
        assert not Path("vasprun.xml").exists()

    @pytest.mark.parametrize("name", ["INCAR", "KPOINTS", "POSCAR", "POTCAR"])
    def test_a_missing_file_kills(self, emulate, name):
        write_inputs(copper())
        Path(name).unlink()
        status, said = emulate()
        assert status == 1
        assert f"No {name} found" in said

    @pytest.mark.parametrize(
        ("potcar", "words"),
        [
            (["Cu", "Au"], "are incompatible: ['Au', 'Cu'] and ['Cu', 'Au']"),
            (["Au"], "incompatible with number of species"),
            (["Au", "Cu", "Ni"], "incompatible with number of species"),
        ],
    )
    def test_a_potcar_of_another_crystal_kills(self, emulate, potcar, words):
        write_inputs(gold_copper(), potcar=potcar)
        status, said = emulate()
        assert status == 1
        assert words in said

    def test_tetrahedra_need_four_points(self, emulate):
        write_inputs(copper(), mesh=(1, 1, 1), ISMEAR=-5)
        assert "number of k-points < 4" in emulate()[1]

    def test_a_left_handed_cell_kills(self, emulate):
        write_inputs(copper())
        lines = Path("POSCAR").read_text().splitlines(keepends=True)
        Path("POSCAR").write_text("".join([*lines[:2], lines[3], lines[2], *lines[4:]]))
        assert "triple product" in emulate()[1]

    def test_an_unknown_fault_is_a_mistake_of_the_test(self, emulate, vasp):
        vasp.set(faults="typo@1")
        write_inputs(copper())
        assert "VASP_EMULATOR_FAULTS" in emulate()[1]


class TestMakers:
    def test_relax(self, vasp):
        from atomate2.vasp.jobs.core import RelaxMaker

        (document,) = finish(vasp.use_in(RelaxMaker().make(copper())))
        assert document.state == "successful"
        assert document.calcs_reversed[0].vasp_version == VERSION
        assert document.orig_inputs.potcar_spec[0].titel == "PAW_PBE Cu STUB"
        assert document.structure.volume == pytest.approx(EMT_COPPER**3 / 4, rel=0.003)
        assert len(vasp.calls) == 1

    def test_double_relax(self, vasp):
        from atomate2.vasp.flows.core import DoubleRelaxMaker

        first, second = finish(vasp.use_in(DoubleRelaxMaker().make(gold_copper())))
        assert first.state == second.state == "successful"
        assert len(second.calcs_reversed[0].output.ionic_steps) == 1
        assert first.output.energy == pytest.approx(second.output.energy, abs=1e-3)

    def test_phonons(self, vasp):
        from atomate2.vasp.flows.phonons import PhononMaker

        document = phonons(vasp, PhononMaker(born_maker=None), copper(EMT_COPPER))
        assert document.phonon_bandstructure is not None
        assert 6 < highest_frequency(document) < 9  # THz; 7.2 in experiment
        assert len(vasp.calls) == 4

    @pytest.mark.slow  # ten jobs
    def test_phonons_with_born_charges(self, vasp):
        from atomate2.vasp.flows.phonons import PhononMaker

        vasp.set(gap=2.0)
        crystal = Structure(Lattice.cubic(3.1), ["Au", "Cu"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        document = phonons(vasp, PhononMaker(), crystal)
        assert np.allclose(document.born[0], -np.array(document.born[1]), atol=1e-4)
        assert abs(document.born[0][0][0]) > 0.1
        assert np.allclose(np.diag(document.epsilon_static), 3.0)


def phonons(vasp, maker, structure):
    """Run a phonon flow in a small supercell; return its document."""
    maker.min_length = None
    maker.get_supercell_size_kwargs = {}
    flow = vasp.use_in(maker.make(structure, supercell_matrix=np.diag([3, 3, 3]).tolist()))
    responses = run_locally(flow, create_folders=True, ensure_success=True, log=False)
    (document,) = [
        response.output
        for by_index in responses.values()
        for response in by_index.values()
        if type(response.output).__name__ == "PhononBSDOSDoc"
    ]
    return document


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "change"),
        [
            ("zbrent", {"EDIFF": 1e-6}),
            ("brillouin", {"ISYM": 0}),
            ("tetrahedron", {"ISMEAR": 0}),
            ("nelm", {"ALGO": "Normal"}),
            ("nsw", {"IBRION": 1}),
            ("potim", {"POTIM": 0.25}),
        ],
    )
    def test_custodian_corrects_it(self, vasp, fault, change):
        vasp.set(faults=f"{fault}@1")
        document = relaxed(vasp)
        assert document.state == "successful"
        assert [call["fault"] for call in vasp.calls] == [fault, None]
        incar = document.calcs_reversed[0].input.incar
        assert {name: incar[name] for name in change} == change

    @pytest.mark.parametrize("fault", ["truncated", "killed", "disk-full"])
    def test_it_is_an_error_and_no_document(self, vasp, fault):
        vasp.set(faults=f"{fault}@*")
        with pytest.raises(CustodianError):
            relaxed(vasp)

    def test_what_never_converges_is_no_result(self, vasp):
        vasp.set(faults="nelm@*")
        with pytest.raises(CustodianError, match="Max errors"):
            relaxed(vasp, max_errors=2)
        assert len(vasp.calls) == 2

    def test_a_fault_has_its_call(self, vasp):
        from atomate2.vasp.flows.core import DoubleRelaxMaker

        vasp.set(faults="zbrent@2")
        finish(vasp.use_in(DoubleRelaxMaker().make(copper())))
        assert [call["fault"] for call in vasp.calls] == [None, "zbrent", None]


def relaxed(vasp, **run):
    """Relax copper through the Maker as a plain function: errors come as they are."""
    from atomate2.vasp.jobs.core import RelaxMaker

    maker = RelaxMaker(run_vasp_kwargs=vasp.run_vasp_kwargs | run)
    return maker.make.original(maker, copper()).output


@pytest.mark.slow  # CHGNet is loaded twice
def test_chgnet_is_a_backend(vasp, emulate):
    from screening.engines import Crystal, make_engine

    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.7), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    ).get_primitive_structure()
    vasp.set(backend="chgnet")
    write_inputs(salt, NSW=0, IBRION=-1)
    assert emulate()[0] == 0
    run = Vasprun("vasprun.xml")
    expected = make_engine("chgnet").evaluate([Crystal.from_structure(salt)])[0]
    assert run.final_energy == pytest.approx(expected.energy + SHIFT * 2, abs=1e-4)
    assert run.eigenvalue_band_properties[0] == pytest.approx(2.0, abs=0.01)


def test_another_process_finds_it(vasp):
    write_inputs(copper())
    done = subprocess.run(
        [vasp.command], env={"PATH": os.environ["PATH"], **vasp.environment}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert vasp.calls[0]["folder"] == str(Path.cwd())
