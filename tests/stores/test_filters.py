import pytest

from screening.errors import InputError
from stores.filters import parse_filter

ROWS = [
    {"material_id": "mat-1", "formula_pretty": "Li2S", "elements": ["Li", "S"], "nelements": 2,
     "chemsys": "Li-S", "energy_above_hull": 0.0, "is_stable": True, "symmetry": {"number": 225}},
    {"material_id": "mat-2", "formula_pretty": "MnS", "elements": ["Mn", "S"], "nelements": 2,
     "energy_above_hull": 0.03, "is_stable": False, "symmetry": {"number": 225}},
    {"material_id": "mat-3", "formula_pretty": "Li3MnS4", "elements": ["Li", "Mn", "S"],
     "nelements": 3, "energy_above_hull": 0.2, "is_stable": False,
     "dynamic_stability": "stable", "symmetry": {"number": 121}},
    {"material_id": "mat-4", "formula_pretty": "Mn.*", "elements": ["Mn"], "nelements": 1,
     "energy_above_hull": None, "is_stable": False, "symmetry": None},
]  # fmt: skip


@pytest.fixture(scope="module")
def filled(shared_database):
    shared_database.raw("materials").insert_many([dict(row) for row in ROWS])
    return shared_database


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1234"),
        ('elements HAS "Li"', "13"),
        ('elements HAS ALL "Mn","S"', "23"),
        ('elements HAS ONLY "Mn","S"', "24"),
        ('NOT elements HAS "S"', "4"),
        ("nelements=2", "12"),
        ("elements LENGTH >= 2", "123"),
        ("energy_above_hull<0.05", "12"),
        ("e_above_hull>=0.03 AND nelements<3", "2"),
        ("is_stable=TRUE", "1"),
        ("is_stable=FALSE AND nelements=2", "2"),
        ('dynamic_stability="stable" OR is_stable=TRUE', "13"),
        ("dynamic_stability IS UNKNOWN", "124"),
        ("spacegroup_number=121", "3"),
        ("symmetry.number=225", "12"),
        ('chemsys="S-Li"', "1"),
        ('formula="S4MnLi3"', "3"),
        ('chemical_formula_reduced="SMn"', "2"),
        ('NOT formula="SMn"', "134"),
        ("(" * 40 + "nelements=3" + ")" * 40, "3"),
        ('formula CONTAINS "MnS"', "23"),
        ('formula STARTS WITH "Mn"', "24"),
        ('formula ENDS WITH ".*"', "4"),
        ('id="mat-2"', "2"),
        ("2<nelements", "3"),
    ],
)
def test_filters_find_what_they_say(filled, text, expected):
    rows = filled.rows("materials", parse_filter(text), ["material_id"])
    assert "".join(sorted(row["material_id"][-1] for row in rows)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('elements HAS "mn"', "no element: did you mean 'Mn'"),
        ('elements HAS ANY "Li","Xx"', "'Xx', which is no element"),
        ('NOT elements HAS "xx"', "'xx', which is no element"),
        ('nelements="three"', "nelements is compared with 'three': write a number, without quotes"),
        ('known="yes"', "write TRUE or FALSE, without quotes: TRUE"),
        ("energy_source=3", "write a text in double quotes"),
        ('energy_above_hull<"0.1"', "write a number"),
        ('chemsys="Li-Xx"', "no element"),
        ("nsites=100000000000000000000000", "too large: numbers have 64 bits"),
        ("NOT (nsites>9223372036854775808 OR nelements=2)", "9223372036854775808 is too large"),
        ("energy_above_hull<1e400", "inf is too large"),
        ('formula="Xx2"', "unknown element"),
        ("(" * 41 + "nelements=2" + ")" * 41, "more than 40 brackets inside each other"),
        ('formula="' + "a" * 2000 + '"', "2,010 characters, at most 2,000 are read"),
        ("nothing=1", "unknown field 'nothing'; known are"),
        ("structure=1", "unknown field 'structure'"),
        ("$where=1", "not valid near column 1"),
        ("nelements=2 AND", "not valid near its end"),
        ("nelements~2", "not valid near column 10"),
        ('last_updated>"tomorrow"', "'tomorrow' is not a date"),
        ("elements:nelements HAS 1:2", "not supported"),
    ],
)
def test_wrong_filters_are_one_clear_line(text, message):
    with pytest.raises(InputError, match=message.replace("$", r"\$")) as caught:
        parse_filter(text)
    assert "\n" not in str(caught.value)


def test_dates_are_compared_as_dates():
    query = parse_filter('last_modified>="2026-01-31T00:00:00Z"')
    assert query["last_updated"]["$gte"].year == 2026


@pytest.mark.parametrize("name", ["formula_pretty", "chemical_formula_reduced", "formula"])
@pytest.mark.parametrize("collection", ["materials", "structures", "candidates"])
def test_the_formula_has_the_same_names_in_every_collection(name, collection):
    (query,) = parse_filter(f'{name}="SLi2"', collection).values()
    assert query == {"$eq": "Li2S"}
