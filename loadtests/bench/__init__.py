"""`make bench`: throughput as ratios, measured side by side on this machine and in this one run.

Requests per second do not travel from one machine to another; ratios do. Each figure is the median of interleaved
rounds, as a ratio to `POST /bench/echo` of the same app (which authenticates, decodes, fingerprints and answers as many
bytes as a hold, without the database), to the plain implementation (`loadtests/plain.py`), or to another run of the
same.

figures.py    what is measured, what each is to reach, and the arithmetic; no input or output
requests.py   the requests that are sent
bed.py        the servers under test, and what one run of the generator costs each of them
stages/       one module for each group of figures, in the order in which they run
report/       table, JSON, plots, HTML page, the README's table

Everything runs on loopback: a private MySQL-family server with durable commits, and a SQLite file. After each store's
figures the auditor must find nothing, and every answer must have the expected status. A figure that is not reached is a
finding, not a failure: machines differ.
"""
