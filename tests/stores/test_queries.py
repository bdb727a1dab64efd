import random

import pytest

from screening.errors import InputError
from stores.collections import COLLECTIONS
from stores.queries.documents import count, find, find_campaign


@pytest.fixture(scope="module")
def filled(shared_database):
    generator = random.Random(0)
    rows = [
        {
            "material_id": f"mat-{n:03d}",
            "energy_above_hull": generator.choice([None, 0.0, 0.01, 0.02, 0.3]),
            "chemsys": generator.choice(["Li-S", "Mn-S"]),
        }
        for n in range(137)
    ]
    generator.shuffle(rows)
    shared_database.raw("materials").insert_many(rows)
    return shared_database


@pytest.mark.parametrize("sort", ["energy_above_hull", "-energy_above_hull", "material_id", "-id"])
@pytest.mark.parametrize("limit", [1, 10, 137])
def test_pages_cover_everything_once_in_order(filled, sort, limit):
    names, after = [], None
    while True:
        page = find(filled, fields=["material_id"], sort=sort, limit=limit, after=after)
        names += [row["material_id"] for row in page.rows]
        after = page.after
        if after is None:
            break
    whole = find(filled, fields=["material_id"], sort=sort, limit=1000)
    assert names == [row["material_id"] for row in whole.rows]
    assert len(set(names)) == 137


def test_filters_hold_on_every_page(filled):
    text = 'chemsys="Li-S" AND energy_above_hull<0.1'
    seen, after = 0, None
    while True:
        page = find(filled, text, fields=["chemsys"], limit=7, after=after)
        assert {row["chemsys"] for row in page.rows} <= {"Li-S"}
        seen += len(page.rows)
        after = page.after
        if after is None:
            break
    assert seen == count(filled, text) > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sort": "nothing"}, "cannot sort by 'nothing'"),
        ({"sort": "$where"}, "cannot sort by"),
        ({"sort": "elements"}, "cannot sort by 'elements', which is no single value"),
        ({"sort": "-symmetry"}, "no single value"),
        ({"sort": "origins.rank"}, "no single value"),
        ({"limit": 0}, "must be 1 to"),
        ({"after": "rubbish"}, "page token is not valid"),
        ({"after": "e30="}, "page token is not valid"),
    ],
)
def test_wrong_arguments(filled, arguments, message):
    with pytest.raises(InputError, match=message):
        find(filled, **arguments)


def plan_stages(plan):
    if isinstance(plan, dict):
        if isinstance(plan.get("stage"), str):
            yield plan["stage"]
        for value in plan.values():
            yield from plan_stages(value)
    elif isinstance(plan, list):
        for value in plan:
            yield from plan_stages(value)


LISTED = [
    ("materials", {}, {"energy_above_hull": 1, "material_id": 1}),
    ("materials", {"campaign_ids": "c"}, {"energy_above_hull": 1, "material_id": 1}),
    ("materials", {"chemsys": "Li-S"}, {"energy_above_hull": 1, "material_id": 1}),
    ("materials", {"elements": {"$all": ["Li", "S"]}}, {"energy_above_hull": 1, "material_id": 1}),
    ("materials", {"material_id": "mat-1"}, None),
    ("materials", {"structure_id": "s"}, None),
    ("candidates", {"campaign_id": "c"}, {"rank": 1, "candidate_id": 1}),
    ("candidates", {"formula": "Li2S"}, None),
    ("structures", {"parent_id": "s"}, None),
    ("structures", {"structure_id": {"$in": ["a", "b"]}}, None),
    (
        "structures",
        {"chemsys": {"$in": ["Li", "S"]}, "stage": "relaxed", "relaxation.engine": "e"},
        None,
    ),
    ("tasks", {"task_key": "k"}, None),
    ("tasks", {"campaign_ids": "c", "state": "finished"}, None),
    ("symmetries", {"formula": {"$in": ["Li2S"]}}, None),
    ("hulls", {"chemsys": "Li-S", "energy_source": "e"}, {"version": -1}),
    ("outputs", {"uuid": "u"}, {"index": -1}),
    ("campaigns", {}, {"updated": -1}),
]


@pytest.mark.parametrize(("collection", "query", "sort"), LISTED)
def test_no_listed_query_scans_a_collection(filled, collection, query, sort):
    cursor = filled.raw(collection).find(query)
    cursor = cursor.sort(list(sort.items())) if sort else cursor
    stages = set(plan_stages(cursor.explain()["queryPlanner"]["winningPlan"]))
    assert "COLLSCAN" not in stages
    assert "SORT" not in stages or "$all" in str(query)  # the planner chooses between two indexes
    assert stages & {"IXSCAN", "IDHACK", "EOF"}


def test_every_key_is_unique(filled):
    for name, collection in COLLECTIONS.items():
        index = filled.raw(name).index_information()[f"{collection.key}_1"]
        assert index["unique"]


def test_no_campaign_says_what_to_do(database):
    with pytest.raises(InputError, match="screening init"):
        find_campaign(database, None)
    with pytest.raises(InputError, match="no campaign 'x'"):
        find_campaign(database, "x")
