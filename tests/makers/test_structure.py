"""What decides the pool of a composition is part of its task."""

import pytest

from makers.structure import StructureMaker
from screening.checkpoints import checkpoint_ref
from screening.errors import CheckpointError
from screening.structure.pool import CHECKPOINTS


def test_the_checkpoints_of_the_methods_are_part_of_the_task():
    plain = StructureMaker(methods={"prototypes": 2, "random": 1, "transformer": 0})
    assert plain.source() is None
    drawn = StructureMaker(methods={"prototypes": 2, "transformer": 3})
    assert drawn.source() == checkpoint_ref("transformer").sha256
    both = StructureMaker(methods={"contact-map": 1, "transformer": 3})
    assert both.source() == f"{checkpoint_ref('maps').sha256} {drawn.source()}"
    assert both.task_key({}) != drawn.task_key({}) != plain.task_key({})


def test_a_method_without_its_checkpoint_is_refused(monkeypatch):
    monkeypatch.setitem(CHECKPOINTS, "cond-cdvae", "absent")
    with pytest.raises(CheckpointError, match="absent"):
        StructureMaker(methods={"cond-cdvae": 1}).source()
