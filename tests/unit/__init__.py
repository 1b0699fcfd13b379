"""Pure code: no I/O, no server, together under a second or two."""
