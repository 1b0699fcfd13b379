"""What is left of a run: the table on the screen, and a folder with JSON, plots and a page."""
