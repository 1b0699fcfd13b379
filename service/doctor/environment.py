"""The HOLDFAST_* variables: values that cannot be, and names that are no settings. Either stops every process."""

import difflib

import msgspec

from service.doctor.findings import Finding, ok, wrong
from service.doctor.patient import Patient
from service.settings import PREFIX, Settings

NAMES = [f"{PREFIX}{field.name.upper()}" for field in msgspec.structs.fields(Settings)]

LINKS = ("_SERVICE_HOST", "_SERVICE_PORT", "_TCP", "_TCP_PROTO", "_TCP_PORT", "_TCP_ADDR")
"""Ends of the names that Kubernetes makes of a Service called `holdfast`."""

UNLINK = "enableServiceLinks: false in the pod's spec, or a Service of another name than `holdfast`"


async def values(patient: Patient) -> Finding:
    """Every wrong value at once."""
    found = {name: told for name, told in patient.wrong.items() if name in NAMES}
    if not found:
        given = sum(name in NAMES for name in patient.environ)
        return ok(f"{given} set, the others have their defaults")
    return wrong("; ".join(found.values()), *(_correction(name, patient.environ[name]) for name in found))


def _correction(name: str, value: str) -> str:
    if value.startswith("tcp://"):
        return UNLINK
    field = next(field for field in msgspec.structs.fields(Settings) if f"{PREFIX}{field.name.upper()}" == name)
    schema = msgspec.json.schema(field.type)
    if "minimum" in schema:
        return f"{name}=… from {schema['minimum']} to {schema['maximum']}, or `unset {name}` for {field.default}"
    return f"{name}=… as `holdfast serve --help` explains it, or `unset {name}` for {field.default!r}"


async def names(patient: Patient) -> Finding:
    """Every variable that looks like a setting and is none."""
    found = [name for name in patient.wrong if name not in NAMES]
    if not found:
        return ok(f"every {PREFIX}* variable is a setting")
    return wrong(f"no settings, and so nothing starts: {', '.join(found)}", *(_advice(name) for name in found))


def _advice(name: str) -> str:
    if name.endswith(LINKS):
        return UNLINK
    near = difflib.get_close_matches(name.upper(), NAMES, n=1, cutoff=0.75)
    return f"unset {name}" + (f" (did you mean {near[0]}?)" if near else "")
