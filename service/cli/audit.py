def audit() -> None:
    pass
