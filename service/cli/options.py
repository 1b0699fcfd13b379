"""Options that several commands share, gathered in one argument: a struct whose fields are typer's options."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, get_type_hints

import msgspec

P = ParamSpec("P")
T = TypeVar("T")
Options = TypeVar("Options", bound=msgspec.Struct)


def gathered(
    kind: type[Options], *, last: bool = False
) -> Callable[[Callable[Concatenate[Options, P], T]], Callable[P, T]]:
    """Give a command the options of `kind`; it gets them as its first argument. May be stacked.

    `--help` shows them before the command's own options, or after them if `last`.
    """
    fields = msgspec.structs.fields(kind)
    hints = get_type_hints(kind, include_extras=True)
    options = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields
    ]

    def decorate(command: Callable[Concatenate[Options, P], T]) -> Callable[P, T]:
        signature = inspect.signature(command)
        known = get_type_hints(command, include_extras=True)
        own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in signature.parameters.values()][1:]
        # Those that the decorators above this one will fill stay in front.
        theirs = [
            each for each in own if isinstance(known[each.name], type) and issubclass(known[each.name], msgspec.Struct)
        ]
        plain = [each for each in own if each not in theirs]

        @wraps(command)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            given: dict[str, Any] = {field.name: kwargs.pop(field.name, field.default) for field in fields}
            return command(kind(**given), *args, **kwargs)

        parameters = [*theirs, *plain, *options] if last else [*theirs, *options, *plain]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: known.get(each.name, each.annotation) for each in parameters}
        return run

    return decorate
