"""Import of seats and stock from CSV files, for the command line: a file is taken whole or not at all."""
