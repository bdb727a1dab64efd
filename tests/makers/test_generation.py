"""Generation as a stage: batches of a trained network, and what decides them."""

import pytest
from jobflow import Flow, run_locally

from makers.generation import GenerationMaker
from screening.errors import ConfigError, InputError
from screening.generation import CHECKPOINTS
from stores.queries.batches import read_batch


def maker(method, **fields):
    return GenerationMaker(
        method=method, chemsys="Li-Mn-O", n_samples=600, batch_size=300, seed=1, **fields
    )


@pytest.mark.parametrize("method", CHECKPOINTS)
def test_a_network_writes_batches_that_can_be_made_alone(database, method):
    jobs = [maker(method).make(number) for number in (1, 0)]
    responses = run_locally(
        Flow(jobs), log=False, store=database.job_store(), raise_immediately=True
    )
    for number, job in zip((1, 0), jobs, strict=True):
        summary = responses[job.uuid][1].output
        batch = read_batch(database, summary.ids[0])
        alone = maker(method).generator().batch(number)
        assert batch.numbers.tolist() == alone.numbers.tolist()
        assert batch.counts.tolist() == alone.counts.tolist()
        assert (batch.method, batch.number, batch.n_samples) == (method, number, 300)
        assert batch.model.name == CHECKPOINTS[method]


def test_likely_compositions_are_batches_too(database):
    likely = GenerationMaker(method="site-likelihood", chemsys="Li-O", n_samples=4, batch_size=3)
    job = likely.make(1)
    response = run_locally(job, log=False, store=database.job_store(), raise_immediately=True)
    batch = read_batch(database, response[job.uuid][1].output.ids[0])
    assert batch.counts.tolist() == likely.generator().batch(1).counts.tolist()
    assert (batch.method, batch.n, batch.model.name) == ("site-likelihood", 1, "site-likelihood")


def test_what_decides_the_result_is_part_of_the_identity():
    keys = [
        maker("autoregressive").task_key(0),
        maker("autoregressive", temperature=1.0).task_key(0),
        maker("autoregressive", amount_temperature=0.5).task_key(0),
        maker("matgan").task_key(0),
        maker("matgan", temperature=0.1).task_key(0),
    ]
    assert len(set(keys)) == 5
    named = maker("autoregressive", checkpoint="compositions")
    assert named.task_key(0) == keys[0]


def test_temperatures_are_checked():
    with pytest.raises(ConfigError, match="temperature"):
        maker("autoregressive", temperature=0.0)
    with pytest.raises(InputError, match="no amount_temperature"):
        maker("matgan", amount_temperature=1.0).generator()
