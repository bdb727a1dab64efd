"""Predict the crystals of one formula, and follow the best one back to its template.

SCREENING_DATA_DIR=/tmp/example python examples/predict_formula.py
"""

from flows.launch import run_campaign
from flows.predict import prediction_campaign
from stores import dataframe, open_database

run_campaign(prediction_campaign("MgO", methods={"prototypes": 3}, top=3))
database = open_database()
crystals = dataframe(database, "materials", 'formula_pretty="MgO"', sort="energy_above_hull")
print(crystals[["symmetry.symbol", "nsites", "energy_above_hull"]])

best = next(database.rows("materials", {"material_id": crystals.index[0]}, ["origins"]))
for origin in best["origins"]:
    print(f"{origin['method']}, rank {origin['rank']}: {origin['template']}")
