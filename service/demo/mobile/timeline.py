"""Who did what, and when: shown to a person as it happens, and kept for programs."""

import time

import msgspec

from service.demo.screen import Screen

PHONE, NETWORK, SERVICE = "phone", "network", "service"


class Moment(msgspec.Struct, frozen=True):
    """Something that happened to `who`, so many seconds after the beginning."""

    at_s: float
    who: str
    what: str


class Timeline:
    """Without a screen it is kept only."""

    def __init__(self, screen: Screen | None) -> None:
        self.moments: list[Moment] = []
        self._screen = screen
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._began, 1)

    def scene(self, title: str) -> None:
        if self._screen is not None:
            self._screen.heading(title)

    def tell(self, who: str, what: str) -> None:
        """What is said again and again is said once."""
        if self.moments and (self.moments[-1].who, self.moments[-1].what) == (who, what):
            return
        moment = Moment(self.seconds, who, what)
        self.moments.append(moment)
        if self._screen is not None:
            self._screen.moment(moment.at_s, moment.who, moment.what)
