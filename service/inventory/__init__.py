"""What can be claimed: events with their seats, and stock.

Definitions are changed here by plain transactions; states and counts by commands alone (`reservations`).
"""
