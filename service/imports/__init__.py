"""Import of seats and stock from CSV files, for the command line: a file with a bad row is refused whole.

Seats are one transaction, stock a command a row: sending a file again finishes an import that was cut off.
"""
