"""Counting a stream of samples."""

import numpy as np
import pytest

from screening.composition import CompositionArray
from screening.generation.reference import Options, Reference
from screening.generation.representation import element_numbers
from screening.generation.tally import Tally, composition_hashes
from screening.training.data import fingerprints


@pytest.fixture(scope="module")
def drawn():
    """Almost 12,000 random binaries, some of them twice."""
    rng = np.random.default_rng(0)
    numbers = rng.choice(element_numbers()[2:38], size=(12_000, 2))
    numbers = np.sort(numbers[numbers[:, 0] != numbers[:, 1]], axis=1)
    counts = rng.integers(1, 5, size=numbers.shape).astype(np.uint16)
    return CompositionArray(numbers, counts).reduced()


def tally(parts, drawn):
    data = drawn[:2000].unique().formulas()
    found = Tally(Reference.create(data, fingerprints(data[:500]), Options()), Options())
    for part in parts:
        found.add(part)
    return found


def test_it_does_not_matter_in_which_parts_samples_come(drawn):
    whole = tally([drawn], drawn)
    parts = tally([drawn[i : i + 777] for i in range(0, len(drawn), 777)], drawn)
    for name in ("n_decodable", "n_valid", "n_distinct", "n_distinct_valid", "n_unseen"):
        assert getattr(whole, name) == getattr(parts, name) > 0
    assert (whole.n_unknown, whole.n_recovered) == (parts.n_unknown, parts.n_recovered)
    assert whole.reasons() == parts.reasons()
    assert whole.distances() == parts.distances()
    assert whole.unique_of_first == parts.unique_of_first
    assert whole.unique_of_first == {"10000": len(drawn[:10_000].unique()) / 10_000}


def test_counts_are_those_of_sets(drawn):
    found = tally([drawn], drawn)
    assert found.n_distinct == len(drawn.unique())
    assert found.n_recovered == len(found.reference.target)  # the data are among the samples
    assert found.n_unseen - found.n_unknown == found.n_recovered


def test_hashes_tell_compositions_apart(drawn):
    distinct = drawn.unique()
    assert len(np.unique(composition_hashes(distinct))) == len(distinct)
    swapped = CompositionArray.from_formulas(["Fe2O3", "Fe3O2", "Fe2O3", "NaCl"])
    first, second, third, _ = composition_hashes(swapped)
    assert first == third != second


def test_hashes_do_not_depend_on_padding():
    narrow = CompositionArray.from_formulas(["Fe2O3"])
    wide = CompositionArray.from_formulas(["Fe2O3", "LiFePO4"])
    assert composition_hashes(narrow)[0] == composition_hashes(wide)[0]


def test_frequencies_are_shares(drawn):
    found = tally([drawn], drawn)
    shares = found.frequencies()
    elements = shares["elements"]
    chlorine = elements["label"].index("Cl")
    assert elements["samples"][chlorine] == pytest.approx((drawn.numbers == 17).any(1).mean(), 1e-3)
    target = found.reference.target
    assert elements["data"][chlorine] == pytest.approx((target.numbers == 17).any(1).mean(), 1e-2)
    assert shares["n_elements"] == {"label": [2], "samples": [1.0], "data": [1.0]}
    assert shares["amounts"]["label"] == [1, 2, 3, 4]
    assert sum(shares["amounts"]["samples"]) == pytest.approx(1, abs=1e-4)


def test_frequencies_of_no_samples(drawn):
    assert set(tally([], drawn).frequencies()["elements"]["samples"]) == {0.0}
