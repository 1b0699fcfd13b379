"""Reservations: the state machine, the decision, and everything that reads or writes them."""
