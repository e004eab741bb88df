"""How results are shown: tables, lanes, plots and files. Knows results and records only."""
