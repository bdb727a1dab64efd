"""DFT codes behind one protocol: identities, options, and a code that is added from outside."""

from dataclasses import dataclass

import pytest
from pymatgen.core import Lattice, Structure

from flows.choice import estimate
from makers.dft.code import CODES, DftCode
from makers.fields import build_maker
from makers.validation import ValidationMaker
from screening.errors import ConfigError

METHODS = [name for name in vars(DftCode) if not name.startswith("_")]


@dataclass(frozen=True)
class ToyCode:
    """A code of another package, with a setting of its own."""

    cutoff: float = 300.0
    displacement: float = 0.01

    label = "toy"

    def parameters(self):
        return {"code": "toy", "cutoff": self.cutoff}

    def check(self):
        return None

    def potentials(self):
        return {"Cu": "Cu"}


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setitem(CODES, "toy", f"{__name__}:ToyCode")
    monkeypatch.setattr("makers.dft.code.import_module", lambda _: _Module)


class _Module:
    ToyCode = ToyCode


@pytest.mark.parametrize("code", list(CODES))
def test_every_code_has_what_the_validation_asks_for(code):
    dft = ValidationMaker(code=code).dft()
    for name in METHODS:
        assert hasattr(type(dft), name), name
    assert dft.cutoff > 0


def test_identities_are_those_of_earlier_versions():
    """Only what a code reads decides a relaxation, under the names that databases hold."""
    assert ValidationMaker().parameters() == {"settings": "paper", "hubbard_u": True}
    gpaw = ValidationMaker(code="gpaw", gpaw_cutoff=500)
    assert gpaw.parameters() == {"code": "gpaw", "gpaw_cutoff": 500}
    assert set(ValidationMaker().phonon_maker().parameters()) == {
        "code", "gpaw_cutoff", "settings", "hubbard_u", "min_length", "max_atoms", "displacement",
        "born",
    }  # fmt: skip


def test_fields_reach_the_code():
    maker = ValidationMaker(settings="mp", hubbard_u=False, wall_time_hours=2.0, displacement=0.02)
    code = maker.dft()
    assert (code.settings, code.hubbard_u, code.wall_time_hours) == ("mp", False, 2.0)
    assert code.displacement == 0.02
    assert code.cutoff == 520.0
    assert maker.phonon_maker().dft().settings == "mp"


def test_unknown_options_are_refused():
    maker = build_maker(ValidationMaker, {"code": "gpaw", "code_options": {"kpts": 3}})
    with pytest.raises(ConfigError, match=r"'kpts'.*gpaw_cutoff"):
        maker.dft()


@pytest.mark.usefixtures("toy")
def test_another_code_needs_no_other_file():
    maker = ValidationMaker(phonons=False)
    maker.code, maker.code_options = "toy", {"cutoff": 350.0}
    assert maker.parameters() == {"code": "toy", "cutoff": 350.0}
    maker.check()
    copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
    cheap = estimate(maker, copper.get_primitive_structure()).core_hours
    maker.code_options = {"cutoff": 700.0}
    assert estimate(maker, copper.get_primitive_structure()).core_hours > cheap
