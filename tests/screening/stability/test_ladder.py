import pytest

from screening.references import reference_table
from screening.schemas import RungState
from screening.stability import climb, stability_documents, stability_model


@pytest.fixture(scope="module")
def documents():
    from screening.evaluation.stability.background import background_of

    known = background_of(["NaCl", "Na7Cl2"])
    return stability_documents(stability_model(), known, [None, None], reference_table())


def test_documents_name_their_ground(documents):
    salt = documents[0]
    assert "references-mp" in salt.reference
    assert salt.scale == "MP2020"
    assert salt.model.name == "stability"
    assert salt.known_above_hull == pytest.approx(0.0, abs=0.02)
    assert salt.competing_phases
    assert salt.evidence == "composition"
    assert salt.n_references >= 0


def test_first_rung_that_fails_is_in_the_line(documents):
    ladder = climb(documents[1])
    first = ladder.rungs[0]
    assert first.state is RungState.FAILED
    assert first.value == documents[1].probability.on_hull
    assert documents[1].verdict_by == "probability"
    assert "fails at 'stable at 0 K'" in ladder.line


def test_what_nobody_asked_is_neither_passed_nor_failed(documents):
    rungs = {rung.name: rung for rung in climb(documents[0]).rungs}
    assert rungs["dynamically stable"].state is RungState.NOT_ASKED
    assert rungs["stable at temperature"].state is RungState.NOT_ASKED
    assert rungs["by potentials"].state is RungState.NOT_ASKED
    assert rungs["stable at 0 K"].state is RungState.PASSED


def test_a_known_compound_is_said_to_be_known(documents):
    ladder = climb(documents[0])
    assert ladder.rungs[-1].state is RungState.FAILED
    assert documents[0].verdict_by == "DFT of the known compound"
    assert "known, 0.0" in ladder.line
    assert "fails" not in ladder.line
