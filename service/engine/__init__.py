"""Group commit: commands that wait together become one transaction. Knows nothing of reservations.

A command is any object; what it means, and which rows it touches, is the domain's business (`Domain` in batch.py).
"""
