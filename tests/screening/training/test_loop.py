"""The training loop: it learns, it is deterministic, it goes on after an interruption."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from screening.errors import InputError
from screening.progress import listen
from screening.training.loop import FitResult, LoopOptions, fit, seeded
from screening.training.options import learning_rate
from screening.training.state import read_state, write_state

CPU = torch.device("cpu")


def problem(n=203, seed=0):
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.normal(size=(n, 5)).astype(np.float32))
    return x, (x @ torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0]))[:, None]


def network(seed=0, dropout=0.1):
    with seeded(seed):
        return nn.Sequential(
            nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 1)
        )


def squared(x, y):
    return lambda model, rows: (model(x[rows]) - y[rows]).square().mean()


def options(**changes):
    values = {"epochs": 6, "batch_size": 32, "learning_rate": 1e-2, "state_every": 0.0}
    return LoopOptions(**values | changes)


def weights(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def assert_equal(a, b):
    assert a.keys() == b.keys()
    for key, value in a.items():
        assert torch.equal(value, b[key]), key


def train(model, path=None, *, loss=None, validate=None, watch=None, seed=3, **changes):
    x, y = problem()
    return fit(
        model,
        loss or squared(x, y),
        len(x),
        options(**changes),
        seed=seed,
        state=path,
        validate=validate,
        watch=watch,
    )


def test_it_learns_and_ends_in_eval_mode():
    x, y = problem()
    model = network(dropout=0.0)
    model.eval()
    before = float((model(x) - y).square().mean())
    result = train(model, epochs=60)
    assert not model.training
    assert float((model(x) - y).square().mean()) < 0.02 * before
    assert result.epochs == len(result.history) == 60
    assert result.history[-1]["loss"] < result.history[0]["loss"]


def test_same_seed_same_weights_other_seed_other_weights():
    models = [network() for _ in range(3)]
    for model, seed in zip(models, (3, 3, 4), strict=True):
        train(model, seed=seed)
    assert_equal(weights(models[0]), weights(models[1]))
    assert not torch.equal(models[0][0].weight, models[2][0].weight)


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    train(network())
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("ema", [None, 0.9])
@pytest.mark.parametrize("stop_at", [1, 9, 18, 25])
def test_resumed_run_equals_the_uninterrupted_one(tmp_path, stop_at, ema):
    x, y = problem()

    def metric(model):
        return float((model(x) - y).square().mean())

    whole = network()
    expected = train(whole, validate=metric, ema=ema)
    plain, calls = squared(x, y), []

    def failing(model, rows):
        calls.append(1)
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        return plain(model, rows)

    path = tmp_path / "state.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(network(), path, loss=failing, validate=metric, ema=ema)
    model = network()
    result = train(model, path, validate=metric, ema=ema)
    assert_equal(weights(model), weights(whole))
    assert result.history == expected.history
    assert result.metric == expected.metric


def test_a_finished_state_is_not_trained_again(tmp_path):
    path = tmp_path / "state.safetensors"
    first = network()
    train(first, path)

    def never(*_):
        raise AssertionError

    second = network(seed=9)
    result = train(second, path, loss=never)
    assert_equal(weights(first), weights(second))
    assert result.epochs == 6


@pytest.mark.parametrize("change", [{"learning_rate": 1e-3}, {"seed": 4}, {"epochs": 7}])
def test_state_of_another_training_is_refused(tmp_path, change):
    path = tmp_path / "state.safetensors"
    train(network(), path)
    with pytest.raises(InputError, match="other options, data or seed"):
        train(network(), path, **change)


def test_damaged_state_is_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    path.write_bytes(b"not safetensors")
    with pytest.raises(InputError, match="is damaged"):
        train(network(), path)


def test_best_weights_are_kept_and_training_stops_early():
    metrics = iter([3.0, 1.0, 2.0, 2.5, 0.1])
    seen = []

    def validate(model):
        seen.append(weights(model))
        return next(metrics)

    model = network()
    result = train(model, validate=validate, patience=2)
    assert result.epochs == 4
    assert result.metric == 1.0
    assert_equal(weights(model), seen[1])


def test_what_is_only_watched_decides_nothing():
    expected, watched = network(), network()
    train(expected, patience=2, epochs=8)
    seen = []

    def watch(model):
        assert not model.training
        seen.append(len(seen))
        return float(len(seen))  # gets worse and worse

    result = train(watched, watch=watch, patience=2, epochs=8)
    assert [entry["metric"] for entry in result.history] == list(range(1, 9))
    assert result.metric == float("inf")
    assert_equal(weights(watched), weights(expected))


def test_undefined_metric_never_counts_as_best():
    metrics = iter([float("nan"), 2.0, float("nan")])
    model = network()
    result = train(model, validate=lambda _: next(metrics), epochs=3)
    assert result.metric == 2.0


def test_validation_every_other_epoch_and_at_the_end():
    result = train(network(), validate=lambda _: 1.0, epochs=5, validate_every=2)
    assert ["metric" in entry for entry in result.history] == [False, True, False, True, True]


def test_moving_average_is_what_is_returned():
    plain, averaged = network(dropout=0.0), network(dropout=0.0)
    train(plain, schedule="constant")
    train(averaged, schedule="constant", ema=0.99)
    assert not torch.equal(plain[0].weight, averaged[0].weight)
    assert plain[1].num_batches_tracked == averaged[1].num_batches_tracked


def test_few_rows_make_one_batch():
    x, y = problem(n=7)
    result = fit(network(), squared(x, y), 7, options(batch_size=512), seed=0)
    assert result.epochs == 6


def test_no_rows_are_refused():
    with pytest.raises(InputError, match="no rows"):
        fit(network(), lambda _, __: torch.zeros(()), 0, options(), seed=0)


def test_progress_counts_the_steps():
    reports = []
    with listen(reports.append):
        train(network(), epochs=2)
    assert [r.done for r in reports] == list(range(1, 13))
    assert {r.total for r in reports} == {12}
    assert reports[-1].stage == "training"


def test_matrices_decay_and_vectors_do_not():
    model = nn.Linear(5, 1)
    nn.init.ones_(model.weight)
    nn.init.ones_(model.bias)

    def no_gradient(m, rows):
        return 0.0 * (m.weight.sum() + m.bias.sum()) + 0.0 * rows.sum()

    fit(model, no_gradient, 64, options(weight_decay=0.1, schedule="constant"), seed=0)
    assert (model.weight < 1).all()
    assert torch.equal(model.bias, torch.ones(1))


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "constant"])
def test_schedules_rise_to_the_peak_and_fall(schedule):
    chosen = options(schedule=schedule, learning_rate=2.0, warmup=0.2)
    rates = np.array([learning_rate(step, 100, chosen) for step in range(100)])
    assert (rates > 0).all()
    assert rates.max() == pytest.approx(2.0, rel=1e-2)
    if schedule != "constant":
        peak = rates.argmax()
        assert (np.diff(rates[: peak + 1]) > 0).all()
        assert (np.diff(rates[peak:]) <= 0).all()
        assert rates[-1] < 0.01


def test_state_file_round_trip(tmp_path):
    path = tmp_path / "deep" / "state.safetensors"
    tensors = {"a": torch.arange(3), "b": torch.tensor(1.5, dtype=torch.float64)}
    write_state(path, tensors, json.dumps({"x": 1}))
    read, text = read_state(path, CPU)
    assert json.loads(text) == {"x": 1}
    assert_equal(tensors, read)
    assert [file.name for file in path.parent.iterdir()] == ["state.safetensors"]


def test_result_starts_without_a_metric():
    assert FitResult().metric == float("inf")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_trains_too():
    x, y = (part.cuda() for part in problem())
    model = network(dropout=0.0).cuda()
    result = fit(model, squared(x, y), len(x), options(epochs=30, bfloat16=True), seed=0)
    assert result.history[-1]["loss"] < result.history[0]["loss"]


def test_rows_of_similar_size_share_a_batch():
    sizes = np.random.default_rng(0).integers(1, 21, 203)
    seen: list[list[int]] = []

    def loss(model, rows):
        seen.append(rows.tolist())
        return model(torch.ones(2, 5)).sum()

    fit(network(dropout=0.0).eval(), loss, 203, options(epochs=2), seed=1, sizes=sizes)
    spread = np.mean([np.ptp(sizes[rows]) for rows in seen])
    assert spread < 6  # of batches at random: 18
    first = [row for rows in seen[:6] for row in rows]
    assert len(set(first)) == len(first) == 6 * 32
    assert seen[:6] != seen[6:]
