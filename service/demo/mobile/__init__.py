"""The phone, `holdfast demo mobile`: it books, loses the answer, is killed, is started again, and books exactly once.

Three real processes and a bad network: the server, this one with the proxy in it, and the phone, which is killed with
SIGKILL at the worst moments. The phone is an app as docs/client.md describes it, and knows nothing of all this.

    run.py        begins and ends everything; the exit code
    story.py      what happens to the network and to the phone, in which order
    handset.py    the phone from outside: switch it on, tap on it, hear what it says, kill it
    phone.py      the phone from inside: a process with an outbox and a client
    proof.py      pure: what the phone was told, against what the service has
    timeline.py   who did what, when; shown as it happens
"""
