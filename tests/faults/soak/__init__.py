"""The soak: one fault after the other, at random, for as long as asked, while customers never stop.

`python -m tests.faults.soak --minutes 10`, or `make soak MINUTES=10`. Real processes, signals and sockets; every kind
of fault belongs to a row of reliability.md and counts only when it was seen to happen. After each of them every
operation that was under way must be acknowledged within a bounded time; after every few of them the auditor and the
verifier of the customers' ledger look at all there is. Anything lost, doubled or stuck ends the soak with status 1.

`stack.py` starts the processes, `crowd.py` is the customers, `scene.py` what a fault sees of both, `catalogue.py` all
kinds of faults, `soak.py` the run itself. `control.py` breaks the service on purpose: then the soak must fail.
"""
