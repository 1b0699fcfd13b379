"""Names of the house: the words of the domain, and no module that could hold anything."""

from tests.house.tree import project_files, shown

SAY_NOTHING = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "base", "misc", "shared", "lib"}


def test_no_module_or_folder_is_named_for_nothing() -> None:
    named_for_nothing = [
        shown(path)
        for path in project_files("service", "tests", "loadtests", "migrations")
        if SAY_NOTHING & {path.stem, *path.parent.parts}
    ]
    assert not named_for_nothing, "\n".join(named_for_nothing)


def test_folder_of_the_service_holds_more_than_one_file() -> None:
    files: dict[str, list[str]] = {}
    for path in project_files("service"):
        if path.suffix == ".py" and path.stem != "__init__":
            files.setdefault(shown(path.parent), []).append(path.name)
    alone = [f"{folder} holds only {names[0]}" for folder, names in files.items() if len(names) == 1]
    assert not alone, "a folder that would hold one file is a file:\n" + "\n".join(alone)
