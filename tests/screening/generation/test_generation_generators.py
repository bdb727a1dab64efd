"""The one interface of all generators."""

import subprocess
import sys
from pathlib import Path

import pytest

from screening.composition import CompositionArray
from screening.errors import CheckpointError, InputError
from screening.generation import METHODS, CompositionGenerator, make_generator


def make(method, checkpoint, **arguments):
    defaults = {
        "enumeration": {"chemsys": ["Li", "Mn", "S", "O"], "max_atoms": 10, "batch_size": 700},
        "matgan": {"n_samples": 900, "batch_size": 400, "checkpoint": str(checkpoint), "seed": 5},
        "formulas": {"formulas": ["Fe4O6", "NaCl", "Fe2O3", "TiO2", "ClNa"], "batch_size": 3},
    }
    return make_generator(method, **(defaults[method] | arguments))


@pytest.mark.parametrize("method", METHODS)
class TestContract:
    """What every generator promises."""

    def test_interface(self, method, checkpoint):
        generator = make(method, checkpoint)
        assert isinstance(generator, CompositionGenerator)
        assert generator.name == method
        assert generator.n_batches() > 1

    def test_batches_are_reduced_and_without_duplicates(self, method, checkpoint):
        generator = make(method, checkpoint)
        for number in range(generator.n_batches()):
            batch = generator.batch(number)
            assert 0 < len(batch) <= generator.n_samples(number)
            assert batch.formulas() == batch.reduced().formulas()
            assert len(set(batch.formulas())) == len(batch)

    def test_each_batch_stands_alone(self, method, checkpoint):
        forwards = make(method, checkpoint)
        n = forwards.n_batches()
        first = [forwards.batch(number).formulas() for number in range(n)]
        again = {number: make(method, checkpoint).batch(number) for number in reversed(range(n))}
        assert [again[number].formulas() for number in range(n)] == first

    def test_samples_add_up(self, method, checkpoint):
        generator = make(method, checkpoint, n_samples=5, batch_size=2)
        assert generator.n_batches() == 3
        assert [generator.n_samples(number) for number in range(3)] == [2, 2, 1]

    def test_a_batch_that_does_not_exist(self, method, checkpoint):
        generator = make(method, checkpoint)
        for number in (-1, generator.n_batches()):
            with pytest.raises(InputError, match=f"batch number={number} does not exist"):
                generator.batch(number)


def test_enumeration_does_not_depend_on_the_batch_size(checkpoint):
    whole = make("enumeration", checkpoint, batch_size=10**6)
    parts = make("enumeration", checkpoint, batch_size=333)
    assert whole.n_batches() == 1
    joined = CompositionArray.concatenate([parts.batch(i) for i in range(parts.n_batches())])
    assert joined.formulas() == whole.batch(0).formulas()
    assert whole.model is None


def test_formulas_keep_what_the_user_gave(checkpoint):
    generator = make("formulas", checkpoint, batch_size=10)
    assert generator.batch(0).formulas() == ["Fe2O3", "NaCl", "TiO2"]
    assert generator.given(0) == ["Fe4O6", "NaCl", "TiO2"]
    assert generator.n_samples(0) == 5


def test_formulas_are_kept_whether_valid_or_not():
    batch = make_generator("formulas", formulas=["He2O7", "Fe", "Na17Cl"]).batch(0)
    assert batch.formulas() == CompositionArray.from_formulas(["He2O7", "Fe", "Na17Cl"]).formulas()


def test_matgan_refers_to_its_model_and_depends_on_the_seed(checkpoint):
    generator = make("matgan", checkpoint)
    assert generator.model.name == "matgan"
    assert len(generator.model.sha256) == 64
    other = make("matgan", checkpoint, seed=6)
    assert generator.batch(0).formulas() != other.batch(0).formulas()
    assert generator.batch(0).formulas() != generator.batch(1).formulas()


def test_matgan_in_a_chemical_system(checkpoint):
    system = {"chemsys": ["Li", "Mn", "O"], "required": ["O"], "max_elements": 3}
    batch = make("matgan", checkpoint, **system).batch(0)
    assert len(batch) > 5
    assert set(batch.numbers.ravel().tolist()) <= {0, 3, 25, 8}
    assert (batch.numbers == 8).any(axis=1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "gan"}, r"'gan': use one of \['enumeration', 'formulas', 'matgan'\]"),
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
        ({"method": "matgan", "n_samples": 0}, r"n_samples=0"),
        ({"method": "matgan", "n_samples": 9, "batch_size": 0}, r"batch_size=0"),
        ({"method": "matgan", "n_samples": 9, "chemsys": ["He", "O"]}, r"not know \['He'\]"),
        ({"method": "matgan", "n_samples": 9, "required": ["Am"]}, r"not know \['Am'\]"),
    ],
)
def test_errors_name_the_value(arguments, message):
    with pytest.raises(InputError, match=message):
        make_generator(**arguments)


def test_a_missing_checkpoint_is_an_error_at_once(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        make_generator("matgan", n_samples=10, checkpoint=str(tmp_path / "none"))


def test_the_interface_is_light():
    code = "import sys, screening.generation; print(sorted({'torch', 'numba'} & set(sys.modules)))"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
