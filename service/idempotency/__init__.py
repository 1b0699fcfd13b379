"""One key, one effect (R3): the syntax, scope and fingerprint of idempotency keys, and their records."""
