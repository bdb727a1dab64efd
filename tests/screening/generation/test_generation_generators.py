"""The one interface of all generators."""

import subprocess
import sys
from pathlib import Path

import pytest

from screening.composition import CompositionArray
from screening.errors import CheckpointError, InputError
from screening.generation import CHECKPOINTS, METHODS, CompositionGenerator, make_generator


def make(method, checkpoints, **arguments):
    defaults = {
        "enumeration": {"chemsys": ["Li", "Mn", "S", "O"], "max_atoms": 10, "batch_size": 700},
        "matgan": {"n_samples": 900, "batch_size": 400, "seed": 5},
        "autoregressive": {"n_samples": 900, "batch_size": 400, "seed": 5},
        "formulas": {"formulas": ["Fe4O6", "NaCl", "Fe2O3", "TiO2", "ClNa"], "batch_size": 3},
    }
    trained = {"checkpoint": checkpoints[method]} if method in checkpoints else {}
    return make_generator(method, **(defaults[method] | trained | arguments))


@pytest.mark.parametrize("method", METHODS)
class TestContract:
    """What every generator promises."""

    def test_interface(self, method, checkpoints):
        generator = make(method, checkpoints)
        assert isinstance(generator, CompositionGenerator)
        assert generator.name == method
        assert generator.n_batches() > 1

    def test_batches_are_reduced_and_without_duplicates(self, method, checkpoints):
        generator = make(method, checkpoints)
        for number in range(generator.n_batches()):
            batch = generator.batch(number)
            assert 0 < len(batch) <= generator.n_samples(number)
            assert batch.formulas() == batch.reduced().formulas()
            assert len(set(batch.formulas())) == len(batch)

    def test_each_batch_stands_alone(self, method, checkpoints):
        forwards = make(method, checkpoints)
        n = forwards.n_batches()
        first = [forwards.batch(number).formulas() for number in range(n)]
        again = {number: make(method, checkpoints).batch(number) for number in reversed(range(n))}
        assert [again[number].formulas() for number in range(n)] == first

    def test_samples_add_up(self, method, checkpoints):
        generator = make(method, checkpoints, n_samples=5, batch_size=2)
        assert generator.n_batches() == 3
        assert [generator.n_samples(number) for number in range(3)] == [2, 2, 1]

    def test_a_batch_that_does_not_exist(self, method, checkpoints):
        generator = make(method, checkpoints)
        for number in (-1, generator.n_batches()):
            with pytest.raises(InputError, match=f"batch number={number} does not exist"):
                generator.batch(number)


def test_enumeration_does_not_depend_on_the_batch_size(checkpoints):
    whole = make("enumeration", checkpoints, batch_size=10**6)
    parts = make("enumeration", checkpoints, batch_size=333)
    assert whole.n_batches() == 1
    joined = CompositionArray.concatenate([parts.batch(i) for i in range(parts.n_batches())])
    assert joined.formulas() == whole.batch(0).formulas()
    assert whole.model is None


def test_formulas_keep_what_the_user_gave(checkpoints):
    generator = make("formulas", checkpoints, batch_size=10)
    assert generator.batch(0).formulas() == ["Fe2O3", "NaCl", "TiO2"]
    assert generator.given(0) == ["Fe4O6", "NaCl", "TiO2"]
    assert generator.n_samples(0) == 5


def test_formulas_are_kept_whether_valid_or_not():
    batch = make_generator("formulas", formulas=["He2O7", "Fe", "Na17Cl"]).batch(0)
    assert batch.formulas() == CompositionArray.from_formulas(["He2O7", "Fe", "Na17Cl"]).formulas()


@pytest.mark.parametrize("method", CHECKPOINTS)
def test_a_network_refers_to_its_model_and_depends_on_the_seed(method, checkpoints):
    generator = make(method, checkpoints)
    assert generator.model.name == CHECKPOINTS[method]
    assert len(generator.model.sha256) == 64
    other = make(method, checkpoints, seed=6)
    assert generator.batch(0).formulas() != other.batch(0).formulas()
    assert generator.batch(0).formulas() != generator.batch(1).formulas()


@pytest.mark.parametrize("method", CHECKPOINTS)
def test_a_network_in_a_chemical_system(method, checkpoints):
    system = {"chemsys": ["Li", "Mn", "O"], "required": ["O"], "max_elements": 3}
    batch = make(method, checkpoints, **system).batch(0)
    assert len(batch) > 5
    assert set(batch.numbers.ravel().tolist()) <= {0, 3, 25, 8}
    assert (batch.numbers == 8).any(axis=1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"method": "gan"},
            r"'gan': use one of \['autoregressive', 'enumeration', 'formulas', 'matgan'\]",
        ),
        ({"method": "enumeration"}, r"needs chemsys"),
        ({"method": "enumeration", "chemsys": []}, r"needs chemsys"),
        ({"method": "enumeration", "chemsys": ["Na", "Qq"]}, r"unknown element 'Qq'"),
        (
            {"method": "enumeration", "chemsys": ["He", "Ne"]},
            r"no charge-balanced composition in He-Ne with 2 to 4 elements",
        ),
        ({"method": "enumeration", "chemsys": ["Na", "Cl"], "table": "x"}, r"table='x'"),
        ({"method": "enumeration", "chemsys": ["Na", "Cl"], "formulas": ["NaCl"]}, r"formulas"),
        ({"method": "formulas"}, r"formulas"),
        ({"method": "formulas", "formulas": []}, r"formulas is empty"),
        ({"method": "formulas", "formulas": ["NaCl", "Na?"]}, r"Na\?"),
        ({"method": "formulas", "formulas": ["NaCl"], "chemsys": ["Na"]}, r"no chemsys"),
        ({"method": "formulas", "formulas": ["NaCl"], "required": ["Na"]}, r"\['Na'\]"),
        ({"method": "matgan"}, r"needs n_samples"),
        ({"method": "autoregressive"}, r"method='autoregressive' needs n_samples"),
        (
            {"method": "autoregressive", "n_samples": 9, "checkpoint": "matgan"},
            r"'matgan' is a .*SlotGenerator, which is not for method='autoregressive'",
        ),
        ({"method": "matgan", "n_samples": 9, "checkpoint": "energy"}, r"not for method='matgan'"),
        ({"method": "matgan", "n_samples": 9, "amount_temperature": 2.0}, r"leave 2.0 out"),
        ({"method": "matgan", "n_samples": 9, "temperature": -1.0}, r"must be above 0"),
        (
            {"method": "autoregressive", "n_samples": 9, "temperature": 0.0},
            r"\[0.0\] must be above 0",
        ),
        ({"method": "matgan", "n_samples": 0}, r"n_samples=0"),
        ({"method": "matgan", "n_samples": 9, "batch_size": 0}, r"batch_size=0"),
        ({"method": "matgan", "n_samples": 9, "chemsys": ["He", "O"]}, r"not know \['He'\]"),
        ({"method": "matgan", "n_samples": 9, "required": ["Am"]}, r"not know \['Am'\]"),
    ],
)
def test_errors_name_the_value(arguments, message):
    with pytest.raises(InputError, match=message):
        make_generator(**arguments)


def test_temperatures_change_the_samples(checkpoints):
    own = make("autoregressive", checkpoints).batch(0).formulas()
    hot = make("autoregressive", checkpoints, temperature=6.0).batch(0).formulas()
    loose = make("autoregressive", checkpoints, amount_temperature=3.0).batch(0).formulas()
    assert own != hot
    assert own != loose
    assert len(hot) > len(own)
    gan, cold = (make("matgan", checkpoints, temperature=t).batch(0) for t in (None, 0.01))
    assert len(cold) < len(gan)


@pytest.mark.parametrize("method", CHECKPOINTS)
def test_the_bundled_checkpoint_is_the_default(method):
    generator = make_generator(method, n_samples=300, chemsys=["Li", "Mn", "O"], required=["O"])
    assert generator.model.name == CHECKPOINTS[method]
    assert len(generator.batch(0)) > 5


@pytest.mark.parametrize("method", CHECKPOINTS)
def test_a_missing_checkpoint_is_an_error_at_once(method, tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        make_generator(method, n_samples=10, checkpoint=str(tmp_path / "none"))


def test_the_interface_is_light():
    code = "import sys, screening.generation; print(sorted({'torch', 'numba'} & set(sys.modules)))"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
