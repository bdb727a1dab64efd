"""DFT codes behind one protocol: `makers.dft.code`; a module with the flows of each."""
