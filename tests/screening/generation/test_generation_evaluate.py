"""What is measured of a generator, against counts made by hand."""

import numpy as np
import pandas as pd
import pytest

from screening.balance import accepted, balance_codes
from screening.checkpoints import load_checkpoint
from screening.composition import CompositionArray
from screening.errors import InputError
from screening.generation.evaluate import evaluate_generation, measure
from screening.generation.reference import Options, Reference
from screening.metrics.intervals import bootstrap_interval, bootstrap_share
from screening.training.data import fingerprints
from screening.training.registry import evaluate
from screening.training.request import EvaluateRequest


class Fixed:
    """A sampler that always draws the same."""

    def __init__(self, formulas):
        self.drawn = CompositionArray.from_formulas(formulas)

    def sample(self, n, *, seed, space=None):  # noqa: ARG002 - the sampler's signature
        return self.drawn


@pytest.fixture
def measured():
    drawn = ["NaCl", "NaCl", "TiO2", "Li2O", "NaCl7", "FeAl"]
    data = ["NaCl", "TiO2", "MgO", "CaO", "NaO7"]
    reference = Reference.create(data, fingerprints(["NaCl"]), Options())
    return measure(Fixed(drawn), reference, Options(samples=10), seed=0)


def test_shares(measured):
    assert measured["decodable"] == 0.6
    assert measured["valid"] == 0.5  # all but NaCl7
    assert measured["unique"] == 0.5
    assert measured["n_distinct"] == 5
    assert measured["n_distinct_valid"] == 4
    assert measured["valid_unique_novel"] == 0.3  # not NaCl
    assert measured["novel_training"] == 0.75
    assert measured["novel_data"] == 0.5  # Li2O, FeAl
    assert measured["n_target"] == 3  # TiO2, MgO, CaO: valid and not trained on
    assert measured["recovered"] == pytest.approx(1 / 3)
    assert measured["reasons"] == {"balanced": 4, "alloy": 1, "not_neutral": 1}
    assert measured["table"] == "icsd24_filtered"


def test_distances(measured):
    # Elements drawn: Na 3, Cl 3, Ti 1, O 2, Li 1, Fe 1, Al 1 of 12; target Ti, Mg, Ca 1, O 3 of 6.
    drawn = {"Na": 3, "Cl": 3, "Ti": 1, "O": 2, "Li": 1, "Fe": 1, "Al": 1}
    target = {"Ti": 1, "Mg": 1, "Ca": 1, "O": 3}
    names = drawn.keys() | target.keys()
    expected = sum(abs(drawn.get(e, 0) / 12 - target.get(e, 0) / 6) for e in names) / 2
    assert measured["element_distance"] == pytest.approx(expected)
    assert measured["n_elements_distance"] == 0
    assert 0 < measured["amount_distance"] < 1


def test_a_perfect_generator_has_no_distance():
    data = ["NaCl", "TiO2", "Li2O", "LiFePO4"]
    reference = Reference.create(data, fingerprints([]), Options())
    found = measure(Fixed(data), reference, Options(samples=4), seed=0)
    for name in ("element_distance", "amount_distance", "n_elements_distance"):
        assert found[name] == 0
    assert found["recovered"] == found["valid"] == found["novel_training"] == 1
    assert found["novel_data"] == 0


def test_a_generator_of_nothing():
    reference = Reference.create(["NaCl"], fingerprints([]), Options())
    found = measure(Fixed([]), reference, Options(samples=5), seed=0)
    assert found["valid"] == found["unique"] == 0
    assert np.isnan(found["novel_training"])


def test_evaluate(checkpoint, formulas_file):
    request = EvaluateRequest(
        data=formulas_file, checkpoint=str(checkpoint), seed=1, options={"samples": "2000"}
    )
    found = evaluate("generation", request)
    assert found["n"] == 2000
    assert found["checkpoint"]["sha256"] == load_checkpoint(str(checkpoint)).card.sha256
    assert len(found["data_sha256"]) == 64
    assert found == evaluate_generation(request)
    for name, (low, high) in found["intervals"].items():
        assert 0 <= low <= found[name] <= high <= 1
    assert found["n_target"] == load_checkpoint(str(checkpoint)).card.split["n_held_out"]
    fewer = EvaluateRequest(data=formulas_file, checkpoint=str(checkpoint), sample=300)
    assert evaluate_generation(fewer)["n"] == 300


def test_rules_are_options(checkpoint, formulas_file):
    def valid(**options):
        request = EvaluateRequest(
            data=formulas_file, checkpoint=str(checkpoint), options={"samples": "2000", **options}
        )
        return evaluate_generation(request)["valid"]

    assert valid(alloys="false") < valid() < valid(pauling="false")


def test_a_chemical_space_limits_samples_and_target(checkpoint, formulas_file):
    options = {"samples": "2000", "chemsys": "Li-Mn-O", "required": "O"}
    request = EvaluateRequest(data=formulas_file, checkpoint=str(checkpoint), options=options)
    everything = EvaluateRequest(
        data=formulas_file, checkpoint=str(checkpoint), options={"samples": "2000"}
    )
    found, whole = evaluate_generation(request), evaluate_generation(everything)
    assert 0 < found["n_target"] < whole["n_target"]
    assert found["recovered"] > whole["recovered"]
    assert found["n_distinct"] < whole["n_distinct"]
    with pytest.raises(InputError, match="unknown element 'Qq'"):
        evaluate_generation(EvaluateRequest(data=formulas_file, options={"chemsys": "Qq-O"}))


def test_evaluating_with_formulas_that_were_seen(checkpoint, tmp_path):
    """Only what training never saw is a target; the rest only counts for novelty."""
    pd.DataFrame({"formula": ["NaLiO", "K2O"]}).to_parquet(tmp_path / "x.parquet")
    request = EvaluateRequest(
        data=tmp_path / "x.parquet", checkpoint=str(checkpoint), options={"samples": "100"}
    )
    assert evaluate_generation(request)["n_target"] in {1, 2}


def test_errors(checkpoint, formulas_file, tmp_path):
    with pytest.raises(InputError, match="option 'n'"):
        evaluate_generation(EvaluateRequest(data=formulas_file, options={"n": "3"}))
    missing = tmp_path / "none.parquet"
    with pytest.raises(InputError, match="no such file"):
        evaluate_generation(EvaluateRequest(data=missing, checkpoint=str(checkpoint)))


def test_the_interval_of_a_share_is_the_bootstrap_of_booleans():
    values = np.zeros(400)
    values[:100] = 1
    exact = bootstrap_interval(values, n_resamples=4000)
    assert bootstrap_share(100, 400, n_resamples=4000) == pytest.approx(exact, abs=0.005)
    assert bootstrap_share(0, 50) == (0.0, 0.0)
    assert np.isnan(bootstrap_share(0, 0)).all()


def test_validity_is_measured_by_the_shared_rules(checkpoint, formulas_file):
    from screening.generation.samplers import load_sampler

    drawn = load_sampler(str(checkpoint)).sample(1500, seed=7)
    expected = accepted(balance_codes(drawn)).sum() / 1500
    request = EvaluateRequest(
        data=formulas_file, checkpoint=str(checkpoint), seed=7, options={"samples": "1500"}
    )
    assert evaluate_generation(request)["valid"] == pytest.approx(expected)
