import pytest
from pydantic import ValidationError

from screening.errors import InputError
from stores.queries.listings import (
    SORT_FIELDS,
    CandidateQuery,
    DiscoveryQuery,
    candidates,
    count_up_to,
    discoveries,
)


@pytest.fixture(scope="module")
def filled(shared_database):
    rows = [
        {
            "material_id": f"mat-{n:03d}", "formula_pretty": f"Li{n}S", "elements": ["Li", "S"],
            "chemsys": "Li-S", "nelements": 2, "nsites": n % 7, "density": n / 10,
            "energy_above_hull": n % 5 / 100, "formation_energy_per_atom": -n / 100,
            "symmetry": {"number": 1 + n % 230}, "method": "random", "last_updated": None,
        }
        for n in range(60)
    ]  # fmt: skip
    shared_database.raw("materials").insert_many(rows)
    return shared_database


def operators(value):
    if isinstance(value, dict):
        for key, item in value.items():
            if key.startswith("$"):
                yield key
            yield from operators(item)
    elif isinstance(value, list):
        for item in value:
            yield from operators(item)


@pytest.mark.parametrize("field", ["chemsys", "formula", "method", "campaign", "q"])
@pytest.mark.parametrize("value", [{"$gt": ""}, ["a", "b"], 7, "x" * 2000])
def test_only_short_texts_are_taken(field, value):
    with pytest.raises(ValidationError):
        DiscoveryQuery(**{field: value})


def test_a_text_is_never_an_operator():
    query = DiscoveryQuery(method='{"$ne": 1}', campaign="$where", elements="Li", phonons="none")
    assert set(operators(query.criteria())) == {"$and", "$all", "$regex"}


def test_too_many_elements_for_only():
    with pytest.raises(InputError, match="up to 10 elements"):
        DiscoveryQuery(elements="H,Li,Be,B,C,N,O,F,Na,Mg,Al", match="only").criteria()


@pytest.mark.parametrize("sort", sorted(SORT_FIELDS))
@pytest.mark.parametrize("sign", ["", "-"])
def test_pages_in_any_order_cover_everything_once(filled, sort, sign):
    query = DiscoveryQuery(sort=f"{sign}{sort}", limit=7)
    names = []
    while True:
        page = discoveries(filled, query)
        names += [row["material_id"] for row in page.rows]
        if page.after is None:
            break
        query = query.model_copy(update={"after": page.after})
    assert sorted(names) == [f"mat-{n:03d}" for n in range(60)]


@pytest.mark.parametrize("field", sorted(SORT_FIELDS.values()))
@pytest.mark.parametrize("way", [1, -1])
def test_every_order_is_read_from_an_index(filled, field, way):
    cursor = filled.raw("materials").find({}).sort([(field, way), ("material_id", way)])
    plan = str(cursor.explain()["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in plan
    assert "'SORT'" not in plan


def test_counts_end_at_a_limit(filled):
    assert count_up_to(filled, DiscoveryQuery()) == (60, True)
    assert count_up_to(filled, DiscoveryQuery(), limit=10) == (10, False)
    assert count_up_to(filled, DiscoveryQuery(e_hull_max=0.0)) == (12, True)


def test_candidates_by_predicted_energy(filled):
    filled.raw("candidates").insert_many(
        {
            "candidate_id": f"cand-{n}", "campaign_id": "a", "formula": "Li2S", "chemsys": "Li-S",
            "rank": n, "energy": {"formation_energy_per_atom": -n},
        }
        for n in range(5)
    )  # fmt: skip
    query = CandidateQuery(chemsys="S-Li", sort="e_form", limit=3)
    page = candidates(filled, query)
    assert [row["rank"] for row in page.rows] == [4, 3, 2]
    rest = candidates(filled, query.model_copy(update={"after": page.after}))
    assert [row["rank"] for row in rest.rows] == [1, 0]


def test_a_search_that_takes_too_long_says_what_to_do(filled, monkeypatch):
    from stores.queries import listings

    monkeypatch.setattr(listings, "FIND_MS", 1)
    slow = {"$where": "sleep(50) || true"}
    monkeypatch.setattr(DiscoveryQuery, "criteria", lambda _self: slow)
    with pytest.raises(InputError, match="add an element"):
        discoveries(filled, DiscoveryQuery())
