"""Load: the benchmark, the scenarios of Locust, and the verifier of what their clients were told.

Traffic goes to loopback only, is bounded in count and time, and ends by itself.
"""
