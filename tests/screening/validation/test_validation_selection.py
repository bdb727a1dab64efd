"""Which candidates go to DFT."""

from screening.validation import Contender, Policy, select


def contender(name, above, *, hours=1.0, formula=None, prototype=None, chemsys="A-B", **competing):
    return Contender(name, formula or name, chemsys, prototype or name, above, hours, competing)


def names(selection):
    return [one.structure_id for one in selection.chosen]


def test_the_lowest_above_the_hull_come_first():
    found = select([contender("c", 0.2), contender("a", 0.0), contender("b", 0.1)], Policy(top=2))
    assert names(found) == ["a", "b"]
    assert found.passed_over == {"c": "enough: top is 2"}


def test_one_formula_prototype_or_system_cannot_take_all():
    same = [
        contender(f"x{n}", n / 100, formula="AB", prototype="p", chemsys="A-B") for n in range(4)
    ]
    other = contender("y", 0.09, formula="CD", prototype="q", chemsys="C-D")
    for name in ("per_formula", "per_prototype", "per_system"):
        found = select([*same, other], Policy(top=3, **{name: 1}))
        assert names(found) == ["x0", "y"], name
        assert set(found.passed_over) == {"x1", "x2", "x3"}


def test_what_does_not_fit_the_budget_makes_room_for_what_does():
    many = [
        contender("a", 0.0, hours=5),
        contender("b", 0.1, hours=6),
        contender("c", 0.2, hours=4),
    ]
    found = select(many, Policy(top=3, budget=10))
    assert names(found) == ["a", "c"]
    assert found.core_hours == 9
    assert found.passed_over["b"] == "6 core hours, 5 of the budget are left"


def test_competing_phases_are_paid_once():
    first = contender("a", 0.0, hours=2, A=3.0, B=3.0)
    second = contender("b", 0.1, hours=2, A=3.0, B=3.0)
    found = select([first, second], Policy(top=2, budget=10))
    assert names(found) == ["a", "b"]
    assert found.competing == {"A": 3.0, "B": 3.0}
    assert found.core_hours == 10


def test_a_chosen_candidate_is_not_computed_again_as_a_competing_phase():
    stable = contender("a", 0.0, hours=2)
    above = contender("b", 0.1, hours=2, a=2.0, B=1.0)
    found = select([stable, above], Policy(top=2, budget=5))
    assert names(found) == ["a", "b"]
    assert found.competing == {"B": 1.0}
    later = select(
        [contender("b", 0.0, hours=2, a=2.0), contender("a", 0.1, hours=2)], Policy(top=2)
    )
    assert names(later) == ["b", "a"]
    assert later.competing == {}
    assert later.core_hours == 4


def test_ties_are_decided_by_the_identifier():
    many = [contender(name, 0.0) for name in "cab"]
    assert names(select(many, Policy(top=3))) == ["a", "b", "c"]
