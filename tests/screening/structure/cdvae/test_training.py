"""Training of Cond-CDVAE, what it leaves behind, and what is made of it."""

import numpy as np
import pandas as pd
import pytest
import torch
from pymatgen.core import Lattice, Structure

from screening.checkpoints import set_checkpoint_folder
from screening.errors import CheckpointError, InputError
from screening.evaluation.cdvae_physics import distance
from screening.structure import Target, available_generators, build_pool, generator_names
from screening.structure.cdvae.data import Batch, cells_of, read_crystals
from screening.structure.cdvae.model import CdvaeGenerator, CdvaeModel
from screening.structure.cdvae.network import make_network
from screening.structure.cdvae.options import CdvaeOptions
from screening.structure.cdvae.sampling import SamplingOptions
from screening.structure.cdvae.train import cdvae_loss
from screening.structure.pool import CHECKPOINTS
from screening.training.data import canonical_formulas, unseen
from screening.training.registry import evaluate, train
from screening.training.request import EvaluateRequest, TrainRequest

TINY = {
    "width": "16", "layers": "1", "latent": "8", "condition": "16", "neighbours": "6",
    "gaussians": "8", "sent": "8", "components": "4", "epochs": "4", "batch_size": "4",
    "test_fraction": "0.3",
}  # fmt: skip
FACES = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
METALS = ("Cu", "Ag", "Au", "Ni", "Pd", "Pt", "Al", "Pb")


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    numbers = {"Cu": 29, "Ag": 47, "Au": 79, "Ni": 28, "Pd": 46, "Pt": 78, "Al": 13, "Pb": 82}
    rows = [
        {
            "formula": f"{first}{second}",
            "atomic_numbers": [numbers[first], numbers[second]],
            "lattice": (np.eye(3) * 3.0 + rng.normal(0, 0.1, (3, 3))).ravel(),
            "frac_coords": [0.0, 0.0, 0.0, 0.5, 0.5, 0.5],
        }
        for k, first in enumerate(METALS)
        for second in METALS[k + 1 :]
    ]
    path = tmp_path / "alloys.parquet"
    pd.DataFrame(rows).to_parquet(path)
    return path


@pytest.fixture
def pressed(table, tmp_path):
    rows = pd.read_parquet(table).head(6)
    lattice = rows["lattice"].map(lambda value: value * 0.9)
    path = tmp_path / "pressed.parquet"
    both = pd.concat([rows.assign(lattice=lattice, pressure=p) for p in (20.0, 100.0)])
    both.to_parquet(path)
    return path


def request(data, out, *, resume=False, **options):
    return TrainRequest(data=tuple(data), out=out, resume=resume, options={**TINY, **options})


def test_files_with_and_without_pressures_are_joined(table, pressed):
    joined = read_crystals([table, pressed], max_atoms=20, max_pressure=60.0)
    assert joined["pressure"].value_counts().to_dict() == {0.0: 28, 20.0: 6}
    assert read_crystals([table], 1, 0.0).empty
    batch = Batch.of_cells(cells_of(joined), joined["pressure"].tolist())
    statistics = batch.statistics()
    assert float(statistics["pressure_mean"]) == pytest.approx(120 / 34)
    alone = Batch.of_cells(cells_of(joined[:28]), [0.0] * 28).statistics()
    assert float(alone["pressure_scale"]) == 1


def test_an_interrupted_training_goes_on_to_the_same_weights(table, tmp_path, monkeypatch):
    whole = train("cond-cdvae", request([table], tmp_path / "whole"))
    from screening.training import loop

    step, calls = loop._Run._step, []

    def failing(run, rows):
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt
        step(run, rows)

    monkeypatch.setattr(loop._Run, "_step", failing)
    monkeypatch.setattr(loop.LoopOptions, "state_every", 0.0, raising=False)
    options = CdvaeOptions.loop

    def often(self):
        from dataclasses import replace

        return replace(options(self), state_every=0.0)

    monkeypatch.setattr(CdvaeOptions, "loop", often)
    with pytest.raises(KeyboardInterrupt):
        train("cond-cdvae", request([table], tmp_path / "cut"))
    card = train("cond-cdvae", request([table], tmp_path / "cut", resume=True))
    assert len(calls) > 9
    assert card.sha256 == whole.sha256
    assert card.history == whole.history


def test_the_teacher_leaves_after_its_share_of_the_steps(table, monkeypatch):
    crystals = read_crystals([table], 20, 0.0)
    batch = Batch.of_cells(cells_of(crystals), [0.0] * len(crystals))
    options = CdvaeOptions(**TINY, teacher=0.25)
    network = make_network(options.network())
    taught = []
    losses = network.losses

    def note(rows, *, teacher):
        taught.append(teacher)
        return losses(rows, teacher=teacher)

    monkeypatch.setattr(network, "losses", note)
    loss = cdvae_loss(batch, options, "cpu")
    for _ in range(9):
        loss(network, torch.arange(4))
    assert taught == [True] * 7 + [False] * 2  # 4 epochs of 7 steps


def test_the_loss_falls(table):
    crystals = read_crystals([table], 20, 0.0)
    batch = Batch.of_cells(cells_of(crystals), [0.0] * len(crystals))
    options = CdvaeOptions(**TINY, teacher=1.0)
    torch.manual_seed(0)
    network = make_network(options.network())
    network.standardise(batch.statistics())
    loss = cdvae_loss(batch, options, "cpu")
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    values = []
    for _ in range(80):
        optimizer.zero_grad()
        value = loss(network, torch.arange(len(batch)))
        value.backward()
        optimizer.step()
        values.append(float(value))
    assert np.mean(values[-10:]) < 0.8 * np.mean(values[:10])


@pytest.fixture
def trained(table, pressed, tmp_path):
    card = train("cond-cdvae", request([table, pressed], tmp_path / "cond-cdvae"))
    assert card.split["n_under_pressure"] > 0
    assert card.metrics["coordinates"] > 0
    return tmp_path / "cond-cdvae"


def test_the_pool_takes_the_generator_at_a_pressure(trained):
    generator = CdvaeGenerator(str(trained), SamplingOptions(steps=1))
    target = Target("CuAu", max_atoms=4, pressure=10.0)
    first = generator.generate(target, 3, seed=1)
    again = generator.generate(target, 3, seed=1)
    assert [p.structure for p in first] == [p.structure for p in again]
    assert all(p.parameters["pressure"] == 10.0 for p in first)
    assert all(p.structure.composition.reduced_formula == "CuAu" for p in first)
    pool = build_pool(target, {"cond-cdvae": 3}, 1, generators={"cond-cdvae": generator})
    assert len(pool) <= 3
    large = Target.of_cell("Cu20Au20")
    assert generator.generate(large, 3) == []
    with pytest.raises(InputError, match="at most 20"):
        CdvaeModel.load(str(trained)).generate([np.full(40, 29)], [0.0], SamplingOptions(), 0)


def test_a_method_without_its_checkpoint_is_not_among_all(trained, monkeypatch):
    monkeypatch.setitem(CHECKPOINTS, "cond-cdvae", "absent")
    assert "cond-cdvae" in generator_names()
    assert "cond-cdvae" not in available_generators()
    trained.rename(trained.parent / "absent")
    set_checkpoint_folder(trained.parent)
    try:
        assert "cond-cdvae" in available_generators()
    finally:
        set_checkpoint_folder(None)
    with pytest.raises(CheckpointError, match="absent"):
        CdvaeGenerator("absent").generate(Target("CuAu"), 1)


def test_distances_are_the_shortest_ways_in_the_cell_before():
    before = Structure(Lattice.cubic(4), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    after = Structure(Lattice.cubic(5), ["Cu", "Au"], [[0.95, 0, 0], [0.5, 0.5, 0.6]])
    assert distance(before, after) == pytest.approx(np.sqrt((0.2**2 + 0.4**2) / 2), abs=1e-6)


def test_the_evaluation_measures_what_it_says(table, trained, tmp_path):
    squeezed = pd.read_parquet(table).assign(source="data", pressure=0.0)
    smaller = squeezed["lattice"].map(lambda value: value * 0.9)
    pd.concat([squeezed, squeezed.assign(lattice=smaller, pressure=20.0)]).to_parquet(
        tmp_path / "squeezed.parquet"
    )
    options = {
        "steps": "1", "reconstructed": "2", "stressed": "2", "pressures": "0,20", "engine": "emt",
        "levels": "4", "relaxed": "2", "compressed": str(tmp_path / "squeezed.parquet"),
    }  # fmt: skip
    result = evaluate(
        "cond-cdvae",
        EvaluateRequest(data=table, checkpoint=str(trained), sample=3, top_k=2, options=options),
    )
    assert (result["n"], result["samples"]) == (3, 2)
    assert set(result["success"]["1"]["rates"]["strict"]) == {"1", "2"}
    assert set(result["random"]["rates"]) == {"loose", "strict"}
    assert result["success"]["1"]["cpu_seconds_per_structure"] > 0
    assert result["reconstruction"]["n"] == 2
    assert set(result["pressures"]["by_target"]) == {"0", "20"}
    assert result["success"]["1"]["calls"] == 4
    assert result["random"]["strict_by_atoms"]["1-4"]["n"] == 3
    for name in ("drawn", "random"):
        assert result["relaxations"][name]["n"] == 2
        assert 0 <= result["relaxations"][name]["converged"] <= 1
    compression = result["compression"]["20"]
    assert compression["relaxed"] == pytest.approx(0.9**3)
    assert compression["mae"] == pytest.approx(
        abs(compression["learned"] - compression["relaxed"]), abs=0.05
    )
    seen = CdvaeModel.load(str(trained)).seen_formulas
    left = unseen(canonical_formulas(squeezed["formula"].tolist()), seen).sum()
    assert compression["n"] == left > 0


def test_the_bundled_model_draws_smaller_cells_under_pressure():
    model = CdvaeModel.load()
    numbers = [np.repeat([12, 8], 4)] * 20
    sampling = SamplingOptions(steps=1, levels=5)
    volumes = {}
    for pressure in (0.0, 30.0, 60.0):
        drawn = model.generate(numbers, [pressure] * 20, sampling, 0)
        volumes[pressure] = np.median([abs(np.linalg.det(lattice)) / 8 for lattice, _, _ in drawn])
    assert 8 < volumes[0.0] < 12  # periclase: 9.4 Angstrom^3
    assert 0.7 < volumes[60.0] / volumes[0.0] < volumes[30.0] / volumes[0.0] < 0.95
    assert "cond-cdvae" in available_generators()


def test_messages(table, tmp_path):
    with pytest.raises(InputError, match="known are"):
        train("cond-cdvae", request([table], tmp_path / "x", depth="3"))
    with pytest.raises(InputError, match="held out"):
        train("cond-cdvae", request([table], tmp_path / "x", max_atoms="1"))


def test_excluded_formulas_are_not_learned(table, tmp_path):
    out = tmp_path / "made"
    card = train("cond-cdvae", request([table], out, exclude="AuCu,Pb"))
    model = CdvaeModel.load(str(out))
    assert unseen(canonical_formulas(["CuAu"]), model.seen_formulas).all()
    assert card.split["n_train"] + card.split["n_test"] == 28


def test_known_phases_are_counted_among_relaxed_samples(table, tmp_path):
    train("cond-cdvae", request([table], tmp_path / "made"))
    phases = tmp_path / "phases"
    phases.mkdir()
    copper = Structure(Lattice.cubic(3.6), ["Cu"] * 4, FACES)
    copper.to(phases / "cu-fcc_10GPa.cif")
    options = {
        "steps": "1", "levels": "2", "reconstructed": "0", "stressed": "0", "engine": "emt",
        "phases": str(phases), "tries": "6",
    }  # fmt: skip
    asked = EvaluateRequest(table, str(tmp_path / "made"), top_k=1, sample=2, options=options)
    (found,) = evaluate("cond-cdvae", asked)["phases"].values()
    assert (found["atoms"], found["pressure"], found["seen"], found["paper"]) == (
        1,
        10,
        False,
        None,
    )
    for way in ("drawn", "random"):
        assert found[way]["tries"] == 6
        assert 0 < found[way]["found"] <= 6  # one atom in the cell: most relax to fcc
        assert found[way]["first"] <= 6
    (phases / "cu-fcc_10GPa.cif").rename(phases / "copper.cif")
    with pytest.raises(InputError, match=r"NAME_PRESSUREGPa\.cif"):
        evaluate("cond-cdvae", asked)
