"""Run a small campaign from Python, and read its crystals as a data frame.

SCREENING_DATA_DIR=/tmp/example python examples/campaign.py
"""

from flows.campaign import CampaignMaker
from flows.launch import run_campaign
from makers.generation import GenerationMaker
from makers.structure import StructureMaker
from stores import dataframe, open_database

campaign = CampaignMaker(
    name="sodium-chloride",
    until="hull",
    generation=GenerationMaker(method="formulas", formulas=["NaCl"]),
    structure=StructureMaker(methods={"prototypes": 2}),
)
document = run_campaign(campaign)  # running it again executes nothing
print(f"{document.name} is {document.state.value}")

crystals = dataframe(open_database(), "materials", sort="energy_above_hull")
print(crystals[["formula_pretty", "symmetry.symbol", "energy_above_hull", "energy_source"]])
