"""Sentences about verdicts."""

from types import SimpleNamespace

import pytest

from screening.hull.wording import (
    is_complete,
    known_statement,
    phonon_rule,
    reference_gap,
    reference_ground,
    superseded_statement,
)


@pytest.mark.parametrize(
    ("systems", "text"),
    [
        ([], ""),
        (["Mn-S"], "no Mn-S compound among the references"),
        (["Li-Mn", "Mn-S"], "no Li-Mn or Mn-S compound among the references"),
        (
            ["A-B", "A-C", "A-D", "B-C", "B-D"],
            "no A-B, A-C, A-D or B-C compound, nor of 1 further system, among the references",
        ),
        (
            ["A-B", "A-C", "A-D", "B-C", "B-D", "C-D"],
            "no A-B, A-C, A-D or B-C compound, nor of 2 further systems, among the references",
        ),
    ],
)
def test_systems_without_a_reference(systems, text):
    assert reference_gap(systems) == text


def test_the_ground_of_a_distance():
    assert reference_ground(12, []) == "12 reference compounds"
    assert reference_ground(0, ["Na-S"]).startswith("0 reference compounds, no Na-S compound")
    assert "--fix" in reference_ground(None, [])
    assert is_complete(1, [])
    assert not is_complete(1, ["Mn-S"])
    assert not is_complete(None, [])


def test_known_names_its_source():
    assert known_statement(None, None) == "not compared with known phases"
    assert known_statement(True, "bank (2026-01-01)") == "in bank (2026-01-01)"
    assert known_statement(False, "bank (2026-01-01)") == "not in bank (2026-01-01)"
    assert "not named" in known_statement(False, None)


def test_what_has_replaced_a_crystal():
    assert superseded_statement(None) == ""
    assert superseded_statement("mat-1").startswith("superseded by mat-1")
    assert superseded_statement("hull-1").endswith("the newest hull, hull-1")


def test_the_rule_of_phonons_has_both_tolerances():
    text = phonon_rule(SimpleNamespace(tolerance=0.1, marginal_tolerance=0.5))
    assert "below -0.5 THz the crystal is unstable, below -0.1 THz marginal" in text
    assert "interpolated" in text
