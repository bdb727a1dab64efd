"""Fine-tuning of potentials towards the energies of a database."""
