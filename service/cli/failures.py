"""What a person at the terminal is told when a command cannot do its work, and the exit code that goes with it."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import traceback
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from service.client.problems import HoldfastError


class ExitCode(IntEnum):
    """The same for every command; the package's docstring explains them."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    STORE = 3
    INTERRUPTED = 130


class CommandFailed(Exception):
    """A command that ends here. The message says what to do next."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.REFUSED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Failure(msgspec.Struct, frozen=True):
    """One line for standard error, and the exit code."""

    message: str
    exit_code: int


def describe(error: Exception) -> Failure:
    """What `error` means to the person who ran the command. An unknown one is a bug and shows its trace."""
    from service.accounts.use_cases import AccountError, BadHoldTimes, BadName, UnknownScope
    from service.client.problems import HoldfastError
    from service.database.errors import StoreError
    from service.database.revisions import MigrationError
    from service.database.session import SessionError
    from service.imports.csv_rows import FileRefused
    from service.refusals import Overloaded, Refusal, StoreUnavailable
    from service.settings import SettingsError

    exit_code: int
    match error:
        case CommandFailed():
            message, exit_code = str(error), error.exit_code
        case SettingsError():
            message, exit_code = f"{error}. Correct the setting and try again.", ExitCode.USAGE
        case BadName() | BadHoldTimes() | UnknownScope() | FileRefused():
            message, exit_code = str(error), ExitCode.USAGE
        case AccountError() | MigrationError():
            message, exit_code = str(error), ExitCode.REFUSED
        case SessionError():
            message, exit_code = f"the database cannot be used as it is set up: {error}.", ExitCode.STORE
        case StoreError() | StoreUnavailable() | Overloaded():
            message, exit_code = _store_message(error), ExitCode.STORE
        case OSError() if error.filename:
            message, exit_code = f"{error.filename}: {error.strerror}.", ExitCode.STORE
        case Refusal():
            message, exit_code = f"refused: {error}", ExitCode.REFUSED
        case HoldfastError():
            message, exit_code = _answer_message(error)
        case _:
            traceback.print_exception(error)
            message, exit_code = "this is a bug in Holdfast; its report needs the lines above.", ExitCode.REFUSED
    return Failure(message, exit_code)


def _answer_message(error: "HoldfastError") -> tuple[str, ExitCode]:
    """What the service said to an operator's command, or that it said nothing."""
    from service.client import problems

    exit_code = ExitCode.USAGE
    match error:
        case problems.Unreached():
            message, exit_code = f"the service cannot be reached ({error}). Check --url and try again.", ExitCode.STORE
        case problems.Unauthenticated():
            message = "the service does not know this API key. Check --key; `holdfast keys list` shows those there are."
        case problems.Forbidden():
            advice = (
                f"on the service's host `holdfast keys scopes PREFIX --scope {error.scope} …` says anew what it may do"
            )
            message = f"the API key lacks the scope {error.scope}: {advice}."
        case problems.InvalidRequest():
            told = "; ".join(_told(each.path.strip("$./?"), each.message) for each in error.errors)
            message = f"{told}. Correct it and try again."
        case problems.StoreUnavailable() | problems.Overloaded() | problems.RateLimited() | problems.Internal():
            message, exit_code = f"{error} Nothing is known to have happened; try again.", ExitCode.STORE
        case problems.UnknownProblem():
            message, exit_code = f"what answers there is no Holdfast of this version: {error}", ExitCode.STORE
        case _:
            message, exit_code = f"refused: {getattr(error, 'detail', error)}", ExitCode.REFUSED
    return message, exit_code


def _told(name: str, message: str) -> str:
    """What is wrong with an argument; a message that is a sentence of its own is left as it is."""
    return message if message.startswith(("a reference", "its last symbol")) else f"{name} {message}"


def _store_message(error: Exception) -> str:
    advice = "Check HOLDFAST_DATABASE_URL and that the server runs, then try again."
    return f"the database cannot be reached ({_reason(error)}). {advice}"


def _reason(error: BaseException) -> str:
    """The driver's own words, which name the host or the file, where a driver spoke."""
    from sqlalchemy.exc import DBAPIError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DBAPIError) and cause.orig is not None and cause.orig.args:
            return str(cause.orig.args[-1])
        cause = cause.__cause__
    return str(error) or type(error).__name__
