"""Generate the compositions of a chemical system and judge their charges, without a database.

python examples/generate_compositions.py
"""

from screening.composition import CompositionArray
from screening.generation import make_generator
from screening.validity import check_validity

generator = make_generator("enumeration", chemsys=["Na", "Fe", "S"], max_atoms=8, seed=0)
formulas = generator.batch(0).formulas()
print(f"{len(formulas)} compositions, the first: {', '.join(formulas[:5])}")

candidates = ["Na2FeS2", "NaFeS2", "Na3S"]
verdicts = check_validity(CompositionArray.from_formulas(candidates))
for formula, valid in zip(candidates, verdicts.valid, strict=True):
    print(f"{formula}: {'charges balance' if valid else 'charges do not balance'}")
