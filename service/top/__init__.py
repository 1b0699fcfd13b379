"""`holdfast top`: what a running Holdfast does now, from its /metrics.

readings.py  pure: the text of two moments in, figures out
sources.py   asks every source for its text; one that is gone says so
screen.py    figures as a table, for people
document.py  figures as one document, for programs
"""
