"""The demonstration, `make demo`: the service does its main job before the user's eyes, and proves it.

What it touches is its own: the files `demo.*` in `var/`, whose database is kept from run to run, with a new account for
each run. It reads none of the shell's HOLDFAST_* settings.

    run.py         begins and ends everything, also on Ctrl-C and on failure: lock, server process, story, verdict
    place.py       the files, and the lock that keeps a second demonstration away
    server.py      the real server as a process of its own
    stage.py       account, key, venue and stock, by the service's own use cases and imports
    calls.py       HTTP over sockets that may be cut
    customers.py   who wants what, and how they insist on it
    story.py       the acts: hold, confirm and release, expire, try again
    found.py       what the API says in the end
    verdict.py     pure: everything that clients were told, against that
    screen.py      what the user sees, on a terminal or in a pipe
    mobile/        `holdfast demo mobile`: one phone, a bad network, a battery that dies
    tcp_proxy.py   the bad network, which the fault tests use, too; ports.py finds its port

The customers are strangers to the service: they use its HTTP alone and believe nothing that they were not told.
"""
