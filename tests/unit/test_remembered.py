"""What a process remembers of recent reservations: enough, and never more than its bound."""

from service.reservations.remembered import Queued, Remembered

ACCOUNT, OTHER = b"account-00000001", b"account-00000002"


def test_the_last_ones_are_known_and_no_more_than_twice_as_many_are_kept() -> None:
    remembered = Remembered(least=10)
    for number in range(95):
        remembered.put(ACCOUNT, f"R{number}", Queued(("event", number % 3), 1))
        assert len(remembered) <= 20
    known = [number for number in range(95) if remembered.get(ACCOUNT, f"R{number}") is not None]
    assert known == list(range(80, 95))
    assert remembered.get(ACCOUNT, "R94") == Queued(("event", 94 % 3), 1)


def test_one_reference_in_two_accounts_is_two_reservations() -> None:
    remembered = Remembered(least=10)
    remembered.put(ACCOUNT, "R1", Queued("here", 1))
    assert remembered.get(OTHER, "R1") is None


def test_what_is_known_last_counts() -> None:
    remembered = Remembered(least=2)
    for lines in (1, 2, 3, 4):
        remembered.put(ACCOUNT, "R1", Queued("here", lines))
        remembered.put(ACCOUNT, f"other {lines}", Queued("there", 1))
        assert remembered.get(ACCOUNT, "R1") == Queued("here", lines)


def test_reservations_of_one_place_share_what_is_remembered() -> None:
    remembered = Remembered(least=10)
    remembered.put(ACCOUNT, "R1", Queued(("event", "A"), 2))
    remembered.put(ACCOUNT, "R2", Queued(("event", "A"), 2))
    assert remembered.get(ACCOUNT, "R1") is remembered.get(ACCOUNT, "R2")
