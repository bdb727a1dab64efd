"""Names of engines, on documents and in messages."""

import subprocess
import sys

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from pymatgen.io.ase import AseAtomsAdaptor

from screening.engines import Crystal, engine_id, engine_names, make_engine
from screening.errors import EngineError, InputError


def test_names():
    assert engine_names() == (
        "chgnet", "chgnet-r2scan", "sevennet-0", "sevennet-l3i5", "nequix-oam-1",
        "nequix-oam-1-pft", "nequix-mp-1", "nequix-omat-1", "emt", "lj",
    )  # fmt: skip
    assert engine_id("chgnet") == "chgnet-0.3.0"
    assert engine_id("chgnet-r2scan") == "chgnet-r2scan"
    assert engine_id("emt").startswith("emt-ase-")


def test_arguments_are_part_of_the_name():
    spec = {"@module": "ase.calculators.lj", "@callable": "LennardJones"}
    plain = engine_id(spec)
    assert plain == engine_id("ase.calculators.lj:LennardJones")
    other = engine_id({**spec, "kwargs": {"sigma": 2.0}})
    assert other.startswith(f"{plain}-")
    assert other != engine_id({**spec, "kwargs": {"sigma": 2.1}})
    assert engine_id({**spec, "kwargs": {}}) == plain


def test_the_name_is_the_engines_name():
    for spec in ("chgnet", "emt", "lj", "ase.calculators.lj:LennardJones"):
        assert make_engine(spec).name == engine_id(spec)


def test_naming_is_light():
    code = (
        "import sys; from screening.engines import engine_id; engine_id('chgnet'); "
        "print([m for m in ('torch', 'chgnet', 'ase', 'pymatgen.core') if m in sys.modules])"
    )
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "spec", ["nothing", "a b:c", {"@module": "x"}, {"@module": "x", "@callable": "y", "z": 1}]
)
def test_not_an_engine(spec):
    with pytest.raises(InputError, match="engine"):
        engine_id(spec)


def test_missing_packages_and_names():
    with pytest.raises(EngineError, match="needs the package 'no_such_package'"):
        engine_id("no_such_package.calculators:Thing")
    with pytest.raises(EngineError, match="has no 'Nothing'"):
        make_engine("ase.calculators.emt:Nothing")
    with pytest.raises(EngineError, match="not installed"):
        make_engine("ase.no_such_module:Thing")
    with pytest.raises(EngineError, match="cannot be called"):
        make_engine("ase.calculators.emt:parameters")
    with pytest.raises(EngineError, match=r"'json:loads' with {} failed: TypeError"):
        make_engine("json:loads")


def test_ase_engine_equals_ase():
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    crystal = Crystal.from_structure(AseAtomsAdaptor.get_structure(atoms))
    (result,) = make_engine("emt").evaluate([crystal])
    atoms.calc = EMT()
    assert result.energy == pytest.approx(atoms.get_potential_energy())
    np.testing.assert_allclose(result.forces, atoms.get_forces(), atol=1e-10)
    np.testing.assert_allclose(
        result.stress, atoms.get_stress(voigt=False) * 160.21766208, atol=1e-8
    )


def test_what_a_calculator_raises_is_the_crystals_own():
    copper = Crystal(np.array([29]), np.eye(3) * 2.5, np.zeros((1, 3)))
    uranium = Crystal(np.array([92]), np.eye(3) * 2.5, np.zeros((1, 3)))
    good, bad = make_engine("emt").evaluate([copper, uranium])
    assert good.error is None
    assert "No EMT-potential for U" in bad.error
