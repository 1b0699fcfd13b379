"""The contract, through HTTP, on every store."""
