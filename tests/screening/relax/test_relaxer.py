"""Relaxation: to the right minimum, whatever the batch, and failures as data."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from screening.engines.descent.batch import MOST_FRAMES
from screening.engines.descent.symmetry import SymmetryGroup
from screening.errors import EngineError, InputError
from screening.identity import content_hash
from screening.progress import listen
from screening.relax import RelaxOptions, relax_structures
from screening.schemas.relax import RelaxState

TIGHT = RelaxOptions(fmax=1e-3, max_stress=1e-2)


@pytest.fixture
def importable(monkeypatch):
    """Make the calculators of this folder importable, here and in worker processes."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield
    sys.modules.pop("dying", None)


def structure(symbol="Cu", seed=None, repeat=1, scale=1.0):
    atoms = bulk(symbol, cubic=True) * (repeat, 1, 1)
    atoms.set_cell(atoms.cell * scale, scale_atoms=True)
    if seed is not None:
        atoms.rattle(0.08, seed=seed)
    return AseAtomsAdaptor.get_structure(atoms)


def spoil(**kwargs):
    return {"@module": "dying", "@callable": "Pulling", "kwargs": kwargs}


def test_finds_the_minimum_that_ase_finds():
    start = structure("Cu", seed=1, scale=1.03)
    (result,) = relax_structures([start], TIGHT, engine="emt")
    atoms = AseAtomsAdaptor.get_atoms(start)
    atoms.calc = EMT()
    FIRE(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-4, steps=2000)
    doc = result.relaxation
    assert doc.state == RelaxState.CONVERGED
    assert doc.reason is None
    assert doc.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-5)
    assert doc.energy_per_atom == pytest.approx(doc.energy / 4)
    assert result.structure.volume == pytest.approx(atoms.get_volume(), rel=1e-4)
    assert doc.volume_change == pytest.approx(result.structure.volume / start.volume - 1)
    assert doc.fmax <= 1e-3
    assert doc.max_stress <= 1e-2
    assert doc.initial_energy_per_atom > doc.energy_per_atom


def test_sheared_cells_relax_too():
    start = structure("Al")
    start.apply_strain([0.02, -0.02, 0.01])
    start = Structure(
        Lattice(start.lattice.matrix @ np.array([[1, 0.03, 0], [0, 1, 0.02], [0, 0, 1]])),
        start.species,
        start.frac_coords,
    )
    (result,) = relax_structures([start], TIGHT, engine="emt")
    assert result.structure.get_space_group_info(0.02)[1] == 225


def test_pressure():
    target = 10.0
    free, pressed = (
        relax_structures([structure()], RelaxOptions(pressure=p, max_stress=0.01), engine="emt")[0]
        for p in (0.0, target)
    )
    assert pressed.relaxation.pressure == target
    assert pressed.structure.volume < free.structure.volume
    atoms = AseAtomsAdaptor.get_atoms(pressed.structure)
    atoms.calc = EMT()
    pressure = -np.trace(atoms.get_stress(voigt=False)) / 3 * 160.21766208
    assert pressure == pytest.approx(target, abs=0.02)


def test_fixed_cell():
    start = structure("Cu", seed=2, scale=1.02)
    (result,) = relax_structures([start], RelaxOptions(relax_cell=False), engine="emt")
    np.testing.assert_allclose(result.structure.lattice.matrix, start.lattice.matrix)
    assert result.relaxation.state == RelaxState.CONVERGED
    assert result.relaxation.max_stress > 1
    assert result.relaxation.volume_change == 0


def test_sites_keep_their_order_and_decorations_do_not_matter():
    alloy = structure("Au", seed=4, repeat=2)
    for site in (1, 4, 6):
        alloy[site] = "Cu"
    decorated = alloy.copy()
    decorated.add_oxidation_state_by_site([1] * len(alloy))
    plain, other = relax_structures([alloy, decorated], engine="emt")
    assert [site.specie.symbol for site in plain.structure] == [s.specie.symbol for s in alloy]
    assert other.relaxation.energy == plain.relaxation.energy
    assert ((plain.structure.frac_coords >= 0) & (plain.structure.frac_coords < 1)).all()


def test_symmetry_is_kept_when_asked():
    start = Structure.from_spacegroup("Pm-3m", Lattice.cubic(2.5), ["Cu"], [[0, 0, 0]])
    start.make_supercell([2, 2, 2])
    options = RelaxOptions(fix_symmetry=True, max_steps=60)
    (kept,) = relax_structures([start], options, engine="emt")
    assert kept.relaxation.symmetry_kept is True
    assert kept.structure.get_space_group_info(1e-3)[1] == 221
    rattled = start.copy().perturb(0.05)
    (lost,) = relax_structures([rattled], engine="emt")
    assert lost.structure.get_space_group_info(0.1)[1] != 221


def test_symmetry_gained_or_lost_is_said():
    start = structure("Cu", seed=5)
    (result,) = relax_structures([start], TIGHT, engine="emt")
    assert result.relaxation.symmetry_kept is False


def test_trajectory():
    start = structure("Cu", seed=3, scale=1.02)
    (result,) = relax_structures([start], engine="emt")
    trajectory = result.relaxation.trajectory
    curves = [trajectory[name] for name in ("energy", "fmax", "volume")]
    assert {a.dtype for a in curves} == {np.dtype(np.float32)}
    assert {len(a) for a in curves} == {result.relaxation.steps}
    assert trajectory["energy"][-1] == pytest.approx(result.relaxation.energy, abs=1e-4)
    assert trajectory["volume"][0] == pytest.approx(start.volume, rel=1e-6)
    (without,) = relax_structures([start], RelaxOptions(keep_trajectory=False), engine="emt")
    assert without.relaxation.trajectory is None


def test_some_crystals_of_the_path_are_kept():
    start = structure("Cu", seed=3, scale=1.02)
    steps = [1, 2, 11, 12, 13, 25, 40]
    for n in steps:
        options = RelaxOptions(max_steps=n, fmax=1e-9)
        (result,) = relax_structures([start], options, engine="emt")
        path = result.relaxation.trajectory
        step = path["step"].tolist()
        assert len(step) <= MOST_FRAMES
        assert step == sorted(set(step))
        assert (step[0], step[-1]) == (0, n - 1)
        assert n > 12 or len(step) == n
        assert path["positions"].shape == (len(step), len(start), 3)
        np.testing.assert_allclose(path["cell"][0], start.lattice.matrix, atol=1e-5)
        np.testing.assert_allclose(path["positions"][0], start.cart_coords, atol=1e-5)
        volumes = np.abs(np.linalg.det(path["cell"].astype(float)))
        np.testing.assert_allclose(volumes, path["volume"][step], rtol=1e-5)


def test_steps_run_out():
    (result,) = relax_structures(
        [structure(seed=6, scale=1.1)], RelaxOptions(max_steps=3), engine="emt"
    )
    assert result.relaxation.state == RelaxState.NOT_CONVERGED
    assert result.relaxation.steps == 3
    assert "after 3 evaluations the force is" in result.relaxation.reason
    assert result.structure is not None


def test_explosion_and_collapse(importable):
    start = structure(repeat=2)
    cases = [
        (spoil(pull=-1.0), RelaxState.EXPLODED, "volume rose 4"),
        (spoil(pull=1.0), RelaxState.COLLAPSED, "volume fell 4"),
        (spoil(pull=0.0, force=5e3), RelaxState.EXPLODED, "force of 5000 eV/Angstrom"),
        (spoil(pull=0.0, force=float("nan")), RelaxState.FAILED, "not finite"),
    ]
    for engine, state, words in cases:
        (result,) = relax_structures([start], engine=engine)
        assert result.relaxation.state == state
        assert words in result.relaxation.reason
        assert result.structure is None
    options = RelaxOptions(max_volume_change=50, min_volume_per_atom=0.1)
    (result,) = relax_structures([start], options, engine=spoil(pull=1.0))
    assert result.relaxation.state == RelaxState.COLLAPSED
    assert "of the sum of their covalent radii" in result.relaxation.reason


def test_bad_input_is_a_result_and_spoils_no_other():
    good = structure(seed=1)
    close = Structure(Lattice.cubic(5), ["Cu", "Cu"], [[0, 0, 0], [0.1, 0, 0]])
    tiny = Structure(Lattice.cubic(1.1), ["Cu"], [[0, 0, 0]])
    disordered = Structure(Lattice.cubic(3), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])
    dummy = Structure(Lattice.cubic(3), ["X"], [[0, 0, 0]])
    foreign = Structure(Lattice.cubic(3), ["U"], [[0, 0, 0]])
    empty = Structure(Lattice.cubic(3), [], [])
    every = [good, close, tiny, disordered, dummy, foreign, empty, good]
    results = relax_structures(every, engine="emt")
    states = [result.relaxation.state.value for result in results]
    assert states == ["converged", "collapsed", "collapsed", *["failed"] * 4, "converged"]
    words = ["0.50 Angstrom apart", "1.33 Angstrom^3 per atom", "disordered", "not elements"]
    words += ["No EMT-potential for U", "no atoms"]
    for result, word in zip(results[1:-1], words, strict=True):
        assert word in result.relaxation.reason
        assert result.structure is None
    (alone,) = relax_structures([good], engine="emt")
    assert results[0].relaxation.energy == alone.relaxation.energy


def test_what_breaks_on_one_structure_is_its_own(monkeypatch):
    find = SymmetryGroup.find.__func__

    def fragile(cls, crystal, symprec):
        if len(crystal) == 8:
            raise np.linalg.LinAlgError("Matrix is not positive definite")
        return find(cls, crystal, symprec)

    monkeypatch.setattr(SymmetryGroup, "find", classmethod(fragile))
    starts = [structure(), structure(repeat=2), structure()]
    results = relax_structures(starts, RelaxOptions(fix_symmetry=True), engine="emt")
    states = [result.relaxation.state.value for result in results]
    assert states == ["converged", "failed", "converged"]
    assert results[1].relaxation.reason == "LinAlgError: Matrix is not positive definite"


def test_results_do_not_depend_on_processes():
    starts = [structure("Cu", seed=i, scale=1 + i / 200) for i in range(5)]
    options = RelaxOptions(batch_size=2)
    here = relax_structures(starts, options, engine="emt")
    there = relax_structures(starts, options, engine="emt", processes=2)
    for a, b in zip(here, there, strict=True):
        assert content_hash(a.relaxation) == content_hash(b.relaxation)
        assert np.array_equal(a.structure.cart_coords, b.structure.cart_coords)


def test_a_structure_that_kills_its_process_fails_alone(importable):
    starts = [structure("Cu", seed=1), structure("Ag", seed=2), structure("Au", seed=3)]
    starts += [structure("Al", seed=4)]
    results = relax_structures(
        starts, RelaxOptions(batch_size=2), engine="dying:Dying", processes=2
    )
    states = [result.relaxation.state.value for result in results]
    assert states == ["converged", "failed", "converged", "converged"]
    assert "the process that relaxed it died" in results[1].relaxation.reason


SCRIPT = """
import sys
from pymatgen.core import Lattice, Structure
from screening.relax import RelaxOptions, relax_structures
from screening.engines.descent.symmetry import SymmetryGroup
copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
sleeping = {"@module": "dying", "@callable": "Sleeping", "kwargs": {"folder": sys.argv[1]}}
engine = sleeping if sys.argv[1] else "emt"
results = relax_structures([copper] * 2, RelaxOptions(batch_size=1), engine=engine, processes=2)
print([result.relaxation.state.value for result in results])
"""


def script(tmp_path, folder):
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    paths = [str(Path(__file__).parent), *(path for path in sys.path if path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.Popen(
        [sys.executable, str(file), folder], env=environment, stdout=subprocess.PIPE, text=True
    )


def test_scripts_need_no_main_guard(tmp_path):
    output, _ = script(tmp_path, "").communicate(timeout=120)
    assert output.strip() == "['converged', 'converged']"


@pytest.mark.skipif(sys.platform != "linux", reason="workers are tied to their parent on Linux")
def test_workers_die_with_their_parent(tmp_path):
    folder = tmp_path / "pids"
    folder.mkdir()
    parent = script(tmp_path, str(folder))
    deadline = time.monotonic() + 120
    while len(list(folder.iterdir())) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    workers = [int(file.name) for file in folder.iterdir()]
    assert parent.pid not in workers
    parent.kill()
    parent.communicate()
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_exception_of_the_caller_stops_the_workers():
    starts = [structure("Cu", seed=i) for i in range(6)]

    def stop(*_):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        relax_structures(
            starts, RelaxOptions(batch_size=1), engine="emt", processes=2, on_done=stop
        )


def test_progress_and_callback():
    starts = [structure("Cu", seed=i) for i in range(3)] + [
        Structure(Lattice.cubic(3), ["X"], [[0, 0, 0]])
    ]
    done, reports = {}, []
    with listen(lambda progress: reports.append((progress.done, progress.total))):
        results = relax_structures(
            starts, RelaxOptions(batch_size=2), engine="emt", on_done=done.__setitem__
        )
    assert done == dict(enumerate(results))
    assert reports == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_nothing_to_do():
    assert relax_structures([], engine="emt") == []


def test_wrong_arguments():
    with pytest.raises(InputError, match="processes=0"):
        relax_structures([], engine="emt", processes=0)
    with pytest.raises(InputError, match="unknown engine='best'"):
        relax_structures([structure()], engine="best")
    with pytest.raises(EngineError, match="device='moon'"):
        relax_structures([structure()], device="moon")
    for wrong in ({"fmax": 0}, {"max_steps": 0}, {"min_volume_per_atom": -1}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            RelaxOptions(**wrong)


class TestChgnet:
    """The default engine."""

    def test_equals_chgnets_own_optimizer(self):
        from chgnet.model import StructOptimizer

        start = Structure.from_spacegroup(
            "P6_3mc",
            Lattice.hexagonal(3.3, 5.2),
            ["Zn", "O"],
            [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.39]],
        )
        (ours,) = relax_structures([start], RelaxOptions(fmax=0.02, max_stress=0.1))
        theirs = StructOptimizer(use_device="cpu").relax(start, fmax=0.02, verbose=False)
        energy = float(theirs["trajectory"].energies[-1]) / len(start)
        assert ours.relaxation.energy_per_atom == pytest.approx(energy, abs=1e-3)
        assert ours.structure.volume == pytest.approx(theirs["final_structure"].volume, rel=0.01)
        assert ours.relaxation.engine == "chgnet-0.3.0"
        assert len(ours.relaxation.magnetic_moments) == len(start)

    def test_repeats_bit_for_bit(self):
        start = Structure.from_spacegroup(
            "Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0] * 3, [0.5] * 3]
        )
        starts = [start.get_primitive_structure().apply_strain(x) for x in (0.02, -0.02, 0.01)]
        first, second = (relax_structures(starts, RelaxOptions(batch_size=2)) for _ in range(2))
        for a, b in zip(first, second, strict=True):
            assert content_hash(a.relaxation) == content_hash(b.relaxation)
            assert np.array_equal(a.structure.lattice.matrix, b.structure.lattice.matrix)

    def test_atoms_too_far_apart(self):
        lonely = Structure(Lattice.cubic(15), ["Na"], [[0, 0, 0]])
        (result,) = relax_structures([lonely])
        assert result.relaxation.state == RelaxState.FAILED
        assert "no neighbour within 6 Angstrom" in result.relaxation.reason
