"""Launcher: the service as the soak runs it, `python -m tests.faults.soak.launcher serve …`.

With a fuse (fuse.py), on a host whose clock may be wrong (wrong_clock.py), on SQLite on a disk that may fill up
(full_disk.py), perhaps of another version (other_version.py), perhaps broken on purpose (control.py).
"""

import os

from tests.faults import wrong_clock

if __name__ == "__main__":
    wrong_clock.install()
    # Whatever is of the service comes after the clock.
    from service import cli
    from tests.faults import full_disk, fuse, other_version
    from tests.faults.soak import control

    fuse.install()
    if os.environ["HOLDFAST_DATABASE_URL"].startswith("sqlite"):
        full_disk.install()
    if other_version.VERSION in os.environ:
        other_version.install()
    if control.VARIABLE in os.environ:
        control.install(os.environ[control.VARIABLE])
    cli.main()
