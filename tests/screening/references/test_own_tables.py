"""Tables of a user's own, and reactions between known compounds."""

import pandas as pd
import pytest

from screening.errors import InputError
from screening.references import reference_table
from screening.references.extend import extend_table
from screening.references.reactions import reaction


def write(path, **energies):
    columns = {"formula": list(energies), "formation_energy_per_atom": list(energies.values())}
    pd.DataFrame(columns).to_parquet(path)
    return path


def test_a_table_is_extended_or_replaced(tmp_path):
    file = write(tmp_path / "mine.parquet", MnS4=-0.7, MnS=-0.9, O=0.01)
    bundled = reference_table()
    card = extend_table(bundled, file, tmp_path / "more", date="2026-12")
    more = reference_table(str(tmp_path / "more"))
    assert len(more) == len(bundled) + 1 == card.metrics["compositions"]
    assert more.energy("MnS4") == pytest.approx(-0.7)
    assert more.energy("MnS") == pytest.approx(-0.9)
    assert more.energy("O2") == 0.0
    assert more.energy("Li2S") == bundled.energy("Li2S")
    assert more.sources == ("mine.parquet", *bundled.sources)
    assert more.date.startswith("2026-12; ")
    extend_table(None, file, tmp_path / "alone", date="2026-12")
    assert len(reference_table(str(tmp_path / "alone"))) == 3
    with pytest.raises(InputError, match="two scales are never mixed"):
        extend_table(bundled, file, tmp_path / "no", date="2026", scale="r2SCAN")


def test_reactions_are_balanced_and_have_the_energy_of_hess():
    table = reference_table()
    made = reaction(table, "Li6MnS4", ["Li2S", "MnS"])
    assert made.amounts == pytest.approx({"Li2S": 3.0, "MnS": 1.0})
    by_hand = table.energy("Li6MnS4") * 11 - 3 * 3 * table.energy("Li2S") - 2 * table.energy("MnS")
    assert made.energy == pytest.approx(by_hand)
    assert made.energy_per_atom == pytest.approx(by_hand / 11)
    assert str(made) == "3 Li2S + 1 MnS -> Li6MnS4"
    elements = reaction(table, "MnS")
    assert elements.energy_per_atom == pytest.approx(table.energy("MnS"))
    assert reaction(table, "MnS4", energy=-0.5).energy == pytest.approx(-2.5)


@pytest.mark.parametrize(
    ("product", "precursors", "message"),
    [
        ("MnS4", ["Mn", "S"], "does not list MnS4"),
        ("MnS", ["Li2S", "Mn"], "cannot make MnS without something else"),
        ("MnS", ["Xx"], "unknown element"),
    ],
)
def test_impossible_reactions(product, precursors, message):
    with pytest.raises(InputError, match=message):
        reaction(reference_table(), product, precursors)
