"""What GPAW is asked for; nothing here needs it installed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.io import Trajectory
from ase.optimize import BFGS
from pymatgen.core import Lattice, Structure

from screening.errors import EngineError
from screening.gpaw import GpawSettings, fault, installation, parameters, require, resume
from screening.gpaw.calculator import is_polarised, starting_moments
from screening.gpaw.restart import TRAJECTORY


def cubic(*symbols, a=4.0):
    sites = [[0.5 * i] * 3 for i in range(len(symbols))]
    return Structure(Lattice.cubic(a), symbols, sites)


class TestParameters:
    def test_the_mesh_is_that_of_vasp(self):
        from pymatgen.io.vasp.inputs import Kpoints

        salt = cubic("Na", "Cl", a=3.5)
        expected = Kpoints.automatic_density_by_vol(salt, 64, force_gamma=True)
        given = parameters(salt, GpawSettings())
        assert given["kpts"] == {"size": list(expected.kpts[0]), "gamma": True}

    def test_defaults_are_those_of_the_papers_with_a_cutoff_for_hard_setups(self):
        given = parameters(cubic("Na", "Cl"), GpawSettings())
        assert given["mode"] == {"name": "pw", "ecut": 700.0}
        assert given["xc"] == "PBE"
        assert given["convergence"]["energy"] == 1e-5
        assert given["occupations"]["width"] == 0.05

    def test_a_denser_mesh_is_denser(self):
        sizes = [
            parameters(cubic("Na"), GpawSettings(kpoint_density=density))["kpts"]["size"]
            for density in (16, 64, 256)
        ]
        assert sizes == sorted(sizes)
        assert sizes[0] != sizes[-1]

    @pytest.mark.parametrize(
        ("symbols", "polarised"),
        [(("Na", "Cl"), False), (("Fe",), True), (("Ni", "O"), True), (("La", "N"), False)],
    )
    def test_spin_is_on_where_there_may_be_moments(self, symbols, polarised):
        crystal = cubic(*symbols)
        assert is_polarised(crystal, GpawSettings()) == polarised
        assert parameters(crystal, GpawSettings())["spinpol"] == polarised
        assert is_polarised(crystal, GpawSettings(spin="on"))
        assert not is_polarised(crystal, GpawSettings(spin="off"))

    def test_moments_of_the_sites_come_first(self):
        crystal = cubic("Fe", "O")
        assert starting_moments(crystal) == [5.0, 0.6]
        crystal.add_site_property("magmom", [-2.0, 0.0])
        assert starting_moments(crystal) == [-2.0, 0.0]
        crystal.add_site_property("magmom", [0.0, 0.0])
        assert not is_polarised(crystal, GpawSettings())

    def test_sources_with_other_cutoffs_never_mix(self):
        settings = GpawSettings()
        names = {settings.engine, replace(settings, cutoff=400).engine}
        assert len(names) == 2
        assert all(name.startswith("gpaw-") for name in names)


class TestInstallation:
    def test_a_missing_package_is_named_with_what_to_do(self, monkeypatch):
        monkeypatch.setattr(installation, "find_spec", lambda _: None)
        assert "'gpaw' is not installed: apt install libxc-dev" in fault()
        with pytest.raises(EngineError, match="GPAW cannot be used"):
            require()


class TestRestart:
    @pytest.fixture
    def copper(self):
        return bulk("Cu", a=3.8)

    def relax(self, atoms, steps):
        moving = atoms.copy()
        moving.calc = EMT()
        BFGS(FrechetCellFilter(moving), trajectory=TRAJECTORY, logfile=None).run(
            fmax=1e-4, steps=steps
        )
        return moving

    def test_it_goes_on_from_the_last_step(self, copper):
        moved = self.relax(copper, 2)
        assert resume(copper, Path()) == 3
        assert np.allclose(copper.cell, moved.cell)
        assert copper.calc is None

    def test_a_torn_file_has_its_whole_steps_and_can_be_appended_to(self, copper):
        self.relax(copper, 3)
        start = copper.copy()
        with Path(TRAJECTORY).open("rb+") as file:
            file.truncate(file.seek(0, 2) - 40)
        assert resume(copper, Path()) == 3
        copper.calc = EMT()
        Trajectory(TRAJECTORY, "a").write(copper)
        assert resume(start, Path()) == 4

    @pytest.mark.parametrize("content", [b"", b"not a trajectory"])
    def test_rubbish_is_no_step(self, copper, content):
        Path(TRAJECTORY).write_bytes(content)
        assert resume(copper, Path()) == 0

    def test_the_trajectory_of_another_crystal_is_left_alone(self, copper):
        self.relax(bulk("Cu", a=3.6), 2)
        before = Path(TRAJECTORY).read_bytes()
        assert resume(copper, Path()) == 0
        assert resume(bulk("Ag", a=3.6), Path()) == 0
        assert resume(copper, Path("nowhere"), "elsewhere") == 0
        assert Path(TRAJECTORY).read_bytes() == before

    def test_it_goes_on_from_another_folder(self, copper, tmp_path):
        self.relax(copper, 2)
        Path("new").mkdir()
        assert resume(copper, Path("new"), f"host.example:{tmp_path}") == 3
        assert (Path("new") / TRAJECTORY).is_file()
