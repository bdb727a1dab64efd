"""Random OPTIMADE filters against a brute-force search."""

import random

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'dashboard'")

PREFIX = "_screening_"
SYMBOLS = ("Ag", "Cu", "Pd", "Li", "S")
WORDS = ("prototypes", "random", "rand", ".*", "(((a+", "chgnet")
NUMBERS = {"nelements": (1, 4), "nsites": (1, 12), "space_group_it_number": (1, 230)}
ENERGIES = ("energy_above_hull", "formation_energy_per_atom")
COMPARE = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b, "=": lambda a, b: a == b, "!=": lambda a, b: a != b,
}  # fmt: skip
MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}


def entry(generator, n):
    elements = sorted(generator.sample(SYMBOLS, generator.randint(1, 4)))
    return {
        "id": f"mat-{n}", "last_modified": None, "elements": elements, "nelements": len(elements),
        "nsites": generator.randint(1, 12), "space_group_it_number": generator.randint(1, 230),
        "chemical_formula_reduced": "".join(elements), "method": generator.choice(WORDS),
        "energy_above_hull": generator.choice((0.0, 0.01, 0.05, 0.3)),
        "formation_energy_per_atom": round(generator.uniform(-2, 0.2), 2),
        "is_stable": generator.random() < 0.5,
    }  # fmt: skip


def condition(generator):  # noqa: PLR0911 - one return for each kind
    """A comparison as text, and what it means."""
    kind = generator.choice(("number", "energy", "boolean", "text", "has", "length", "unknown"))
    if kind in {"number", "energy"}:
        if kind == "number":
            field = name = generator.choice(sorted(NUMBERS))
            value = generator.randint(*NUMBERS[field])
        else:
            field = generator.choice(ENERGIES)
            name, value = PREFIX + field, generator.choice((0.0, 0.01, 0.05, -0.5, 0.3))
        operator = generator.choice(sorted(COMPARE))
        if generator.random() < 0.3:
            return f"{value}{MIRROR[operator]}{name}", lambda e: COMPARE[operator](e[field], value)
        return f"{name} {operator} {value}", lambda e: COMPARE[operator](e[field], value)
    if kind == "boolean":
        wanted = generator.random() < 0.5
        return f"{PREFIX}is_stable={str(wanted).upper()}", lambda e: e["is_stable"] is wanted
    if kind == "text":
        word = generator.choice(WORDS)
        how, test = generator.choice(
            (
                ("CONTAINS", lambda text: word in text),
                ("STARTS WITH", lambda text: text.startswith(word)),
                ("ENDS", lambda text: text.endswith(word)),
                ("=", lambda text: text == word),
            )
        )
        return f'{PREFIX}method {how} "{word}"', lambda e: test(e["method"])
    if kind == "length":
        n = generator.randint(1, 4)
        return f"elements LENGTH {n}", lambda e: len(e["elements"]) == n
    if kind == "unknown":
        known = generator.random() < 0.5
        word = "KNOWN" if known else "UNKNOWN"
        return f"{PREFIX}min_frequency IS {word}", lambda _: not known
    some = set(generator.sample(SYMBOLS, generator.randint(1, 3)))
    listed = ",".join(f'"{symbol}"' for symbol in sorted(some))
    how, test = generator.choice(
        (
            ("HAS ALL", lambda e: some <= set(e["elements"])),
            ("HAS ANY", lambda e: bool(some & set(e["elements"]))),
            ("HAS ONLY", lambda e: set(e["elements"]) <= some),
        )
    )
    return f"elements {how} {listed}", test


def filter_of(generator, depth=2):
    """A filter as text, and what it means."""
    if depth == 0 or generator.random() < 0.3:
        return condition(generator)
    if generator.random() < 0.25:
        text, test = filter_of(generator, depth - 1)
        return f"NOT ({text})", lambda e: not test(e)
    (left, first), (right, second) = (filter_of(generator, depth - 1) for _ in range(2))
    if generator.random() < 0.5:
        return f"({left}) AND ({right})", lambda e: first(e) and second(e)
    return f"({left}) OR ({right})", lambda e: first(e) or second(e)


@pytest.fixture(scope="module")
def entries(shared_database):
    generator = random.Random(3)
    rows = [entry(generator, n) for n in range(60)]
    shared_database.raw("optimade").insert_many([dict(row) for row in rows])
    return rows


def matches(shared_database, entries, n, seed):
    from dashboard.optimade import create_optimade

    served = create_optimade(shared_database, "http://localhost").app
    collection = served.state.entry_collections["structures"]
    generator = random.Random(seed)
    wrong = []
    for _ in range(n):
        text, test = filter_of(generator)
        query = collection.transformer.transform(collection.parser.parse(text))
        found = {row["id"] for row in collection.collection.find(filter=query)}
        if found != {row["id"] for row in entries if test(row)}:
            wrong.append(text)
    return wrong


def test_random_filters_find_what_they_say(shared_database, entries):
    assert matches(shared_database, entries, 120, seed=0) == []


@pytest.mark.slow
def test_ten_thousand_random_filters_find_what_they_say(shared_database, entries):
    assert matches(shared_database, entries, 10_000, seed=1) == []
