"""How results are shown: tables, lanes, plots and files. Depends on results and records only."""
