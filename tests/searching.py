"""How long hypothesis searches: the same examples in every run, or with `--hypothesis-profile=soak` others, and many.

`pytest --hypothesis-profile=soak tests/unit/test_decide_properties.py` searches for minutes; what it finds is printed
as a program that can be read, and kept in `.hypothesis` to be tried first the next time.
"""

from hypothesis import HealthCheck, Phase, settings

SOAK = "soak"
SOAK_TIMES = 50
"""Times as many examples."""


def register_soak() -> None:
    """So that pytest's option knows it."""
    settings.register_profile(SOAK, derandomize=False)


def search(examples: int, *, steps: int = 50, is_slow: bool = False) -> settings:
    """So many examples, each of at most so many steps where steps are counted; no deadlines, which depend on load.

    What `is_slow` is shortened only in a soak: it may take minutes, and the notes say enough to go on with.
    """
    soak = settings.get_current_profile_name() == SOAK
    return settings(
        max_examples=examples * (SOAK_TIMES if soak else 1),
        stateful_step_count=steps,
        derandomize=not soak,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.reuse, Phase.generate, *([] if is_slow and not soak else [Phase.shrink])],
    )
