"""Load: the benchmark and what it sends.

Traffic goes to loopback only, is bounded in count and time, and ends by itself.
"""
