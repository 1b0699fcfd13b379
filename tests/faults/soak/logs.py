"""What the service's processes say in their logs: a fault is a warning at most, and an error is a bug."""

from tests.faults.soak.stack import Stack

ERROR = b'"level":"error"'
SHOWN = 2000


class Logs:
    """Reads on from where it read last."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._read: dict[str, int] = {}

    def new_errors(self) -> list[str]:
        """Lines of errors since the last call, each after the name of its process."""
        found: list[str] = []
        for member in self._stack.members:
            with member.process.log_path.open("rb") as log:
                log.seek(self._read.get(member.name, 0))
                errors = [line.decode(errors="replace").strip() for line in log if ERROR in line]
                found += [f"{member.name}: {line[:SHOWN]}" for line in errors]
                self._read[member.name] = log.tell()
        return found
