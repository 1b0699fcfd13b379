"""Holdfast: reservations of seats and stock, exactly once.

The path of one request, file by file:

1. `http/edge.py`        gives it an id, measures it, catches what nothing else caught
2. `http/endpoint.py`    the one pipeline: authenticate, scope, rate, size, key, decode; then the handler
3. `reservations/routes.py`  makes a command of it (`reservations/commands.py`)
4. `idempotency/in_flight.py`  duplicates of a running request join it
5. `engine/lanes.py`     the command waits in its lane; all that waited make one batch (`engine/queues.py`)
6. `engine/batch.py`     one transaction for the batch: retry on conflict, halve on poison, look up a lost COMMIT
7. `reservations/read.py`    everything that the batch needs, and the database's clock
8. `reservations/decide/`    pure: snapshot and commands in, outcomes and changes out
9. `reservations/write.py`   guarded UPDATEs, then INSERTs; COMMIT; the outcomes go to their waiting requests

Whoever calls from outside: `client/`, for apps; `cli/desk.py`, for operators, which is that client on an app of the
command's own process or against a URL. What is wrong around a service, `doctor/` looks at.

Layers, each calling only those below it:
`cli` > `app`, `client`, `worker` > routes > `command_engine`, use cases > queries and the decision > `engine`,
`idempotency` > `database` > `ids`, `clock`, `names`, `refusals`, `settings`.
"""
