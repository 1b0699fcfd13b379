"""`holdfast doctor`: what is wrong around a Holdfast, and the command that mends it.

    findings.py     what a check says; one check after the other, none of which can end the examination
    patient.py      what is looked at: the environment, the settings, a store that is opened without asking it for much
    checks.py       which checks there are, in which order, and which need which
    environment.py  settings: values, and names that are none
    server.py       a server of the MySQL family: reached, its version, whether it takes writes, its sessions
    file.py         the SQLite file: its place, its file system, its room, the library
    durability.py   whether what was committed outlives a power cut
    permissions.py  what the database's user may do
    schema.py       revision, drift
    limits.py       connections, packets, open files
    clock.py        the host's clock and the database's
    redis.py        the locks of hot rows
    port.py         who answers where `holdfast serve` listens
    work.py         whether somebody does the worker's work
    outside.py      a Holdfast behind a URL, as its clients see it

It changes nothing: what is tried is rolled back, or is a key of Redis of its own.
"""
