"""Free ports: two processes that choose at the same time never get the same one, though nothing listens on it yet."""

import random
import subprocess
import sys

from service.demo.ports import free_port

CHOOSE = "import random; random.seed(7); from service.demo.ports import free_port; print(free_port(), free_port())"


def test_port_that_one_process_was_given_is_not_given_to_another() -> None:
    state = random.getstate()
    random.seed(7)
    ours = {free_port(), free_port()}
    random.setstate(state)
    done = subprocess.run([sys.executable, "-c", CHOOSE], capture_output=True, text=True, check=True)
    theirs = {int(port) for port in done.stdout.split()}
    assert len(ours) == len(theirs) == 2
    assert not ours & theirs
    again = subprocess.run([sys.executable, "-c", CHOOSE], capture_output=True, text=True, check=True)
    assert {int(port) for port in again.stdout.split()} == theirs, "claims end with their process"
