"""The SQLite file: where it lies, on what kind of disk, with how much room, and with which SQLite."""

import os
import sqlite3
from pathlib import Path
from typing import Final

from service.doctor.findings import Finding, not_looked_at, ok, told, warning, wrong
from service.doctor.patient import Patient
from service.settings import PREFIX

URL = f"{PREFIX}DATABASE_URL"
ELSEWHERE = f"{URL}=sqlite+aiosqlite:///FILE on a local disk"

NETWORK: Final = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "beegfs",
    "ncpfs",
    "davfs",
}
NETWORK_FUSE: Final = ("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse")
PASSING: Final = {"tmpfs", "ramfs"}

MOUNTS = Path("/proc/self/mounts")

GIGABYTE: Final = 1_000_000_000
ROOM_LEAST: Final = 200_000_000
ROOM_SOON: Final = 2 * GIGABYTE

CHECKPOINT_BUG_MENDED: Final = (3, 51, 3)


def path_of(patient: Patient) -> Path:
    return Path(patient.url.database or "").absolute()


async def reached(patient: Patient) -> Finding:
    """Opens the file for reading. Makes none where there is none."""
    if URL in patient.wrong:
        return not_looked_at(f"{URL} is wrong")
    path = path_of(patient)
    try:
        if not path.exists():
            return _absent(path)
        if not path.is_file():
            return wrong(f"{path} is no file", ELSEWHERE)
        async with patient.store.read() as reader:
            await reader.rows("SELECT COUNT(*) FROM sqlite_master")
    except Exception as error:  # noqa: BLE001 - every reason not to be opened has one advice
        return wrong(f"{path}: {told(error)}", f"ls -l {path}", ELSEWHERE)
    return ok(f"{path}, {path.stat().st_size / 1_000_000:,.1f} MB")


def _absent(path: Path) -> Finding:
    above = path.parent
    while not above.exists():
        above = above.parent
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        return wrong(f"there is no {path}, and none can be made in {above}", f"chown {_user()} {above}", ELSEWHERE)
    if above.stat().st_dev == Path("/proc").stat().st_dev:
        return wrong(f"there is no {path}, and {above} holds no files", ELSEWHERE)
    return wrong(f"there is no {path} yet", "holdfast db upgrade")


def _user() -> str:
    return str(os.geteuid())


async def writable(patient: Patient) -> Finding:
    """The file and its directory, in which the log, its index and the writers' lock lie."""
    path = path_of(patient)
    beside = [path.with_name(path.name + end) for end in ("-wal", "-shm", ".lock")]
    closed = [str(one) for one in (path, *beside) if one.exists() and not os.access(one, os.R_OK | os.W_OK)]
    if not os.access(path.parent, os.W_OK | os.X_OK):
        closed.append(str(path.parent))
    if closed:
        return wrong(
            f"may not be written by user {_user()}: {', '.join(closed)}", f"chown {_user()} {' '.join(closed)}"
        )
    return ok(f"{path.parent} and the file may be written")


async def disk(patient: Patient) -> Finding:
    """The kind of file system: locks and memory maps of one on a network cannot be relied on."""
    path = path_of(patient)
    kind, mount = file_system(path, _mounts())
    if kind in NETWORK or kind.startswith(NETWORK_FUSE):
        return wrong(f"{mount} is on a network ({kind}): the file can be corrupted", ELSEWHERE)
    if kind in PASSING:
        return warning(f"{mount} is memory ({kind}): all is lost when the machine stops", ELSEWHERE)
    if kind == "overlay":
        return warning(
            f"{mount} is a container's own layer: all is lost with the container", f"a volume at {path.parent}"
        )
    return ok(f"{kind or 'unknown'}, at {mount or path.parent}")


def _mounts() -> str:
    return MOUNTS.read_text() if MOUNTS.exists() else ""


def file_system(path: Path, mounts: str) -> tuple[str, str]:
    """Kind and place of the file system that `path` is on, by the lines of /proc/self/mounts."""
    found = ("", "")
    for line in mounts.splitlines():
        _, place, kind, *_ = line.split(" ")
        place = place.encode().decode("unicode_escape")
        if path.is_relative_to(place) and len(place) >= len(found[1]):
            found = (kind, place)
    return found


async def room(patient: Patient) -> Finding:
    free = os.statvfs(path_of(patient).parent)
    size = free.f_bavail * free.f_frsize
    seen = f"{size / GIGABYTE:,.1f} GB free"
    advice = f"make room on the disk of {path_of(patient).parent}: about 1 GB for each 500,000 reservations"
    if size < ROOM_LEAST:
        return wrong(seen, advice)
    return warning(seen, advice) if size < ROOM_SOON else ok(seen)


async def library(_patient: Patient) -> Finding:
    """Its known bug, and why it does not matter here (`file_lock.py`)."""
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < CHECKPOINT_BUG_MENDED:
        return ok(
            f"SQLite {version}; before 3.51.3 two writers at once could corrupt the log, and Holdfast lets in one at a "
            "time: let no other program write to the file"
        )
    return ok(f"SQLite {version}")
