"""Networks of sites: what they learn, what a checkpoint keeps, and what is measured."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from screening.checkpoints import load_checkpoint
from screening.elements import MAX_Z, atomic_number
from screening.errors import CheckpointError, InputError
from screening.evaluation.site_likelihood import evaluate_sites
from screening.evaluation.site_plots import BLOCKS, families
from screening.evaluation.site_ranking_tests import optimality, rank_figures
from screening.prototypes.bank import Bank
from screening.site_likelihood import train as training
from screening.site_likelihood.cache import SiteCache
from screening.site_likelihood.data import SiteTable
from screening.site_likelihood.likelihood import FLOOR, SiteLikelihood
from screening.site_likelihood.network import Autoencoder, SiteNetwork
from screening.site_likelihood.train import train_sites
from screening.training import registry
from screening.training.data import canonical_formulas, held_out, unseen
from screening.training.request import EvaluateRequest, TrainRequest

TINY = {
    "latent": "4", "channels": "8,8", "width": "16", "epochs": "3", "batch_size": "16",
    "bank": "", "test_fraction": "0.3",
}  # fmt: skip


def tiny(file, out, **options):
    return TrainRequest(data=(file,), out=out / "sites", seed=1, options=TINY | options)


@pytest.fixture(scope="module")
def trained(textbook_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("sites")
    card = train_sites(tiny(textbook_file, out))
    return out / "sites", card


def test_card_and_split(trained, make):
    folder, card = trained
    formulas = canonical_formulas(make.table_of(make.textbook())["formula"].tolist())
    hidden = held_out(formulas, fraction=0.3, seed=1)
    seen = load_checkpoint(str(folder)).tensors["seen_formulas"]
    assert unseen(formulas, seen).tolist() == hidden.tolist()
    assert card.split["n_test"] == card.metrics["n_sites"] > 0
    assert 0 <= card.metrics["size"]["error"] <= 1
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "weights.safetensors"]


def test_training_goes_on_to_the_same_weights(trained, textbook_file, tmp_path, monkeypatch):
    _, card = trained
    original = training._loss
    calls = 0

    def stopping(*arguments):
        loss = original(*arguments)

        def stop(model, batch):
            nonlocal calls
            calls += 1
            if calls == 12:
                raise KeyboardInterrupt
            return loss(model, batch)

        return stop

    monkeypatch.setattr(training, "_loss", stopping)
    loop = training.SiteOptions.loop
    monkeypatch.setattr(training.SiteOptions, "loop", lambda o: replace(loop(o), state_every=0.0))
    request = tiny(textbook_file, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train_sites(request)
    assert (request.out / ".state" / "sites.safetensors").is_file()
    monkeypatch.setattr(training, "_loss", original)
    again = TrainRequest(request.data, request.out, 1, resume=True, options=request.options)
    assert train_sites(again).sha256 == card.sha256


@pytest.mark.parametrize("options", [
    {"classifier": "sigmoid", "oversampling": "1", "latent_size": "false", "schedule": "constant"},
    {"vae_weight": "0"},
])  # fmt: skip
def test_variants_train(textbook_file, tmp_path, options):
    card = train_sites(tiny(textbook_file, tmp_path, **options))
    model = SiteLikelihood.load(str(tmp_path / "sites"))
    assert model.classifier == options.get("classifier", "softmax")
    assert np.isfinite(card.metrics["topology"]["error"])


def test_bad_options(textbook_file, tmp_path):
    with pytest.raises(InputError, match="'epoch'"):
        train_sites(TrainRequest((textbook_file,), tmp_path, options={"epoch": "2"}))
    with pytest.raises(InputError, match="no data"):
        train_sites(TrainRequest((), tmp_path))


def test_it_learns_which_elements_suit(make, textbook_file, tmp_path):
    """Anions of zinc blende are never those of rutile."""
    card = train_sites(
        tiny(textbook_file, tmp_path, epochs="15", test_fraction="0.05", learning_rate="0.01")
    )
    model = SiteLikelihood.load(str(tmp_path / "sites"))
    bank = Bank.from_structures([make.rutile("Ti", "O"), make.zinc_blende("Zn", "S")])
    logs = model.of_bank(bank)
    rutile = next(p for p in range(2) if bank.groups[p] == 136)
    anion = bank.orbit_start[rutile] + int(np.flatnonzero(bank.crystal(rutile).species == 1)[0])
    assert logs[anion, 8] > logs[anion, 16]
    assert card.wall_time > 0


def test_likelihoods_are_a_table(trained, small_bank):
    model = SiteLikelihood.load(str(trained[0]))
    logs = model.of_bank(small_bank)
    assert logs.shape == (len(small_bank.letters), MAX_Z + 1)
    assert logs.dtype == np.float32
    assert np.log(FLOOR) <= logs.min() + 1e-5
    assert logs.max() <= 0
    assert np.exp(logs[:, 1:]).sum(axis=1) == pytest.approx(1, abs=0.2)
    larger = [small_bank.crystal(p).scaled(9.0) for p in range(small_bank.n_prototypes)]
    assert np.abs(model.of_crystals(larger) - logs).max() < 0.3  # size does not matter


def test_cache_holds_a_bank_and_its_parts(trained, small_bank, make):
    model = SiteLikelihood.load(str(trained[0]))
    exact = model.of_bank(small_bank, cached=False)
    model.cache = SiteCache.from_tensors(model.cache_of(small_bank).to_tensors())
    assert np.abs(model.of_bank(small_bank) - exact).max() < 0.1
    part = small_bank.subset(small_bank.prototypes != small_bank.prototypes[0])
    missing, orbits, _, _ = model.cache.find(part)
    assert not len(missing)
    assert len(orbits) == len(part.letters)
    other = Bank.from_structures([*make.textbook(), make.wurtzite("Zn", "O")])
    missing, *_ = model.cache.find(other)
    assert len(missing) == 1
    new = np.repeat(np.arange(other.n_prototypes), np.diff(other.orbit_start)) == missing[0]
    mixed, calculated = model.of_bank(other), model.of_bank(other, cached=False)
    assert np.allclose(mixed[new], calculated[new], atol=1e-4)
    assert np.abs(mixed - calculated).max() < 0.1


def test_another_checkpoint_is_refused():
    with pytest.raises(CheckpointError, match="site-likelihood"):
        SiteLikelihood.load("matgan")


def test_divergence_counts_more_and_more():
    network = SiteNetwork(latent=3, width=8, channels=(4, 4))
    model = Autoencoder(network, 3, (4, 4), 0.0).train()
    x, latent = torch.zeros(2, 12, 256), torch.zeros(2, 3)
    mean = torch.ones(2, 3)
    first = model.loss(x, latent, mean, latent)
    second = model.loss(x, latent, mean, latent)
    assert (second - first).item() == pytest.approx(0.001 * 1.5, rel=1e-2)
    model.steps.fill_(10_000.0)
    last = model.loss(x, latent, mean, latent)
    assert (last - first).item() == pytest.approx(0.99 * 1.5, rel=1e-2)
    assert model.decoder(latent).shape == x.shape


def test_optimality_score():
    assert optimality(np.array([1, 2, 3]), 10) == pytest.approx(1)
    assert optimality(np.array([8, 9, 10]), 10) == pytest.approx(-1)
    rng = np.random.default_rng(0)
    draws = [optimality(rng.permutation(40)[:3] + 1, 40) for _ in range(4000)]
    assert np.mean(draws) == pytest.approx(0, abs=0.03)


def test_ranks_without_template_count():
    figures = rank_figures(np.array([1.0, 4.0, np.inf, np.inf]), seed=0)
    assert figures["with_template"] == 0.5
    assert (figures["top1"], figures["top5"], figures["median_rank"]) == (0.25, 0.5, None)
    assert figures["top1_interval"][0] <= 0.25 <= figures["top1_interval"][1]


def test_sites_of_bad_crystals_are_left_out(make):
    table = make.table_of([make.rock_salt("Na", "Cl"), make.rock_salt("K", "F", 0.9)])
    described = SiteTable.of(table)
    assert described.formulas == ["NaCl"]
    assert len(described.sites) == 2


def test_evaluation(trained, textbook_file):
    folder, _ = trained
    options = {"bank": "", "cases": "Na-Cl,Sr-Ti-O"}
    request = EvaluateRequest(textbook_file, str(folder), seed=1, plots=True, options=options)
    result = registry.evaluate("site-likelihood", request)
    json.dumps(result, allow_nan=False)
    assert result["n"] > 5
    for templates in ("own_template", "other_templates"):
        for score in ("classes", "product"):
            figures = result[templates][score]
            assert figures["test1"]["n"] == result["n"]
            assert -1 <= figures["test2"]["all"]["mean"] <= 1
            assert figures["cases"]["Na-Cl"]["known"][0]["formula"] == "NaCl"
    assert result["own_template"]["classes"]["test1"]["with_template"] == 1
    plots = result["plots"]
    shown = plots["element_map"]
    assert len(shown["x"]) == len(shown["y"]) == len(shown["family"]) == len(set(shown["symbol"]))
    for name, histogram in plots["ranks"].items():
        first = result[name.rpartition(" ")[0].replace(" ", "_")][name.split(" ")[-1]]
        assert histogram["cumulative"][0] == pytest.approx(first["test1"]["top1"])
    assert len(plots["optimality"]) == 4
    for histogram in plots["optimality"].values():
        assert sum(histogram["binary"]) == pytest.approx(1)


def test_families_of_elements():
    symbols = ["Li", "Fe", "La", "C", "O", "F", "Ne", "Ce", "Hg", "Bi"]
    found = families(np.array([atomic_number(symbol) for symbol in symbols]))
    assert [BLOCKS[k] for k in found] == [
        "groups 1-2", "groups 3-12", "f", "groups 13-15", "group 16", "group 17", "group 18",
        "f", "groups 3-12", "groups 13-15",
    ]  # fmt: skip


def test_nothing_to_measure(trained, textbook_file, make, tmp_path):
    folder, _ = trained
    table = make.table_of(make.textbook())
    seen = load_checkpoint(str(folder)).tensors["seen_formulas"]
    old = table[~unseen(canonical_formulas(table["formula"].tolist()), seen)]
    old.to_parquet(tmp_path / "old.parquet")
    with pytest.raises(InputError, match="has seen all formulas"):
        evaluate_sites(EvaluateRequest(tmp_path / "old.parquet", str(folder)))
