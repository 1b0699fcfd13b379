"""Messages: the outbox that every change of state is written to, and readers that catch up with it."""
