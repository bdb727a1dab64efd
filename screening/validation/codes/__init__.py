"""From the documents of DFT codes' jobs to the documents of this project, a module per code."""
