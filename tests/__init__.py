"""Tests of Holdfast: `unit` is pure, `api` speaks HTTP on every store, `races` and `faults` use real processes.

`house` holds the rules of the code and of its documents. `make.py` has the builders, `conftest.py` the fixtures.
"""
