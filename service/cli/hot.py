"""`holdfast hot`: which rows processes fight for now."""

from typing import TYPE_CHECKING

from service.cli.desk import Where, at_desk, run_at_desk
from service.cli.output import JsonOption, print_json, print_line, print_table

if TYPE_CHECKING:
    from service.reservations.hot_rows import HotRowView


@at_desk
def hot(where: Where, as_json: JsonOption = False) -> None:
    """Show the rows that are hot now, by process: conflicts, locks, and how long was waited for them.

    A row is hot where several processes lose to each other on it again
    and again; they then take turns by a short lock. That is as it should
    be. What helps: fewer processes, or one process for what is popular.
    """
    found = run_at_desk(where, lambda desk: desk.client.hot_rows())
    if as_json:
        print_json(found)
        return
    if not found.hot_rows:
        print_line(f"No row is hot, as of {found.as_of}.")
        return
    print_table(
        ["row", "process", "conflicts now", "just now", "locks", "in vain", "waited", "seen"],
        [
            [
                _name(row),
                row.process,
                f"{row.conflicts:.1f}",
                f"{row.conflicts_lately:,}",
                f"{row.locks:,}",
                f"{row.lock_timeouts:,}",
                f"{row.lock_wait_ms / 1000:,.1f} s",
                row.seen_at,
            ]
            for row in found.hot_rows
        ],
    )


def _name(row: "HotRowView") -> str:
    named = {
        "stock": f"{row.sku} at {row.location}",
        "seat": f"{row.event} {row.seat}",
        "category": f"{row.event}, category {row.category}",
        "reservation": f"{row.reference}",
    }
    return f"{row.kind} {named.get(row.kind, '')}".strip()
