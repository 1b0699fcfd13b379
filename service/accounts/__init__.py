"""Accounts and their API keys: who may call, as whom, and for what."""
