"""Likely compositions as a generator: limits, order and batches."""

import numpy as np
import pytest

from makers.generation import GenerationMaker
from screening.elements import MAX_Z
from screening.errors import InputError
from screening.generation import CompositionGenerator
from screening.site_likelihood import compositions
from screening.site_likelihood.compositions import LikelyCompositions, likely_compositions
from screening.site_likelihood.generator import SiteLikelihoodGenerator
from screening.site_likelihood.templates import template_scores


@pytest.fixture
def small(small_bank, monkeypatch):
    """Put random likelihoods on the textbook's prototypes in the place of the bundled ones."""
    rng = np.random.default_rng(0)
    logs = rng.uniform(-8, 0, (len(small_bank.letters), MAX_Z + 1)).astype(np.float32)
    loaded = LikelyCompositions(small_bank, template_scores(small_bank, logs, "classes"))
    monkeypatch.setattr(compositions.LikelyCompositions, "load", lambda *_, **__: loaded)
    return loaded


def formulas(generator):
    batches = [generator.batch(number) for number in range(generator.n_batches())]
    return [formula for batch in batches for formula in batch.formulas()]


def test_all_systems_best_first(small):
    generator = SiteLikelihoodGenerator(("Na", "Ti", "O"))
    assert isinstance(generator, CompositionGenerator)
    names = formulas(generator)
    assert len(set(names)) == len(names)
    assert {"NaTiO3", "TiO2", "NaO"} <= set(names)
    best = max(
        (small.of(system) for system in ((11, 22), (8, 11), (8, 22), (8, 11, 22))),
        key=lambda ranked: ranked.scores[0],
    )
    assert names[0] == best.compositions()[:1].formulas()[0]


def test_limits(small):
    everything = formulas(SiteLikelihoodGenerator(("Na", "Ti", "O")))
    ternary = formulas(SiteLikelihoodGenerator(("Na", "Ti", "O"), min_elements=3))
    assert ternary == [name for name in everything if "Na" in name and "Ti" in name and "O" in name]
    assert formulas(SiteLikelihoodGenerator(("Na", "Ti", "O"), limit=3)) == everything[:3]
    oxides = formulas(SiteLikelihoodGenerator(("Na", "Ti", "O"), required=("O",), max_elements=2))
    assert set(oxides) == {n for n in everything if "O" in n} - set(ternary)
    assert not any(
        "Ti" in n for n in formulas(SiteLikelihoodGenerator(("Na", "Ti", "O"), excluded=("Ti",)))
    )
    assert formulas(SiteLikelihoodGenerator(("Na", "O"), max_atoms=2)) == ["NaO"]


def test_batches_are_parts_of_the_whole(small):
    whole = SiteLikelihoodGenerator(("Na", "Ti", "O"))
    parts = SiteLikelihoodGenerator(("Na", "Ti", "O"), batch_size=4)
    assert formulas(parts) == formulas(whole)
    assert [parts.n_samples(n) for n in range(2)] == [4, 4]
    with pytest.raises(InputError, match="does not exist"):
        parts.batch(parts.n_batches())


@pytest.mark.parametrize(
    ("elements", "required"), [((), ()), (tuple("HBCNOFP"), ()), (("Na", "O"), ("Ti",))]
)
def test_bad_systems(elements, required):
    with pytest.raises(InputError, match="1 to 6 elements"):
        SiteLikelihoodGenerator(elements, required)


def test_unknown_elements():
    with pytest.raises(InputError, match="unknown element 'Xx'"):
        SiteLikelihoodGenerator(("Na", "Xx"))


def test_rows_for_people(small):
    rows = likely_compositions("O-Ti-Na", n=2)
    assert [row["formula"] for row in rows] == formulas(
        SiteLikelihoodGenerator(("Na", "Ti", "O"), min_elements=3)
    )[:2]
    assert set(rows[0]["elements"]) == {"Na", "Ti", "O"}
    assert rows[0]["template"].startswith("A")


def test_the_maker_makes_it(small):
    maker = GenerationMaker(
        method="site-likelihood", chemsys="Na-Ti-O", n_samples=5, batch_size=2, max_elements=2
    )
    generator = maker.generator()
    assert generator.n_batches() == 3
    assert formulas(generator) == formulas(
        SiteLikelihoodGenerator(("Na", "Ti", "O"), max_elements=2, limit=5)
    )
    with pytest.raises(InputError, match="formulas are for"):
        GenerationMaker(method="site-likelihood", chemsys="Na-O", formulas=["NaO"]).generator()


def test_bundled_networks_answer():
    rows = likely_compositions("Na-Cl", n=5)
    assert "NaCl" in [row["formula"] for row in rows]
    maker = GenerationMaker(method="site-likelihood", chemsys="Na-Cl", n_samples=3)
    assert maker.model().name == "site-likelihood"
    assert len(maker.parameters()["bank"]) == 64
