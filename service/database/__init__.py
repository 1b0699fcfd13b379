"""The store: connections, transactions, error codes and what differs between SQLite and the MySQL family.

The only place that begins, commits and retries. Knows no table but its own marker of batches.
"""
