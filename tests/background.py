"""What goes on in threads of a test while something else happens."""

from abc import ABC, abstractmethod
from threading import Event, Thread
from types import TracebackType
from typing import Self


class Background(ABC):
    """A context manager: each thread calls `once` with its number, again and again, until the block ends.

    Then every call that has begun is finished, and the first failure is raised.
    """

    def __init__(self, threads: int) -> None:
        self.failures: list[BaseException] = []
        self._over = Event()
        self._threads = [Thread(target=self._run, args=(number,)) for number in range(threads)]

    @abstractmethod
    def prepare(self) -> None:
        """Make what has to be there before the first call."""

    @abstractmethod
    def once(self, number: int) -> None:
        """One thing that goes on, in thread `number`."""

    def __enter__(self) -> Self:
        self.prepare()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if error is None and self.failures:
            raise self.failures[0]

    def _run(self, number: int) -> None:
        try:
            while not self._over.is_set():
                self.once(number)
        except BaseException as failure:  # noqa: BLE001 - told by whoever ends the block
            self.failures.append(failure)
