"""Faults of the service's own processes: killed, stopped, told to end, deployed anew, with a wrong clock."""

import signal
from email.utils import parsedate_to_datetime
from time import time

from service.demo.tcp_proxy import Direction
from tests.accounts import http_client
from tests.faults.fuse import COMMITTED, READ, SEQUENCE, WRITTEN
from tests.faults.fused import wait_until_dead, wait_until_stopped
from tests.faults.other_version import VERSION
from tests.faults.soak.scene import HAPPENS_WITHIN_S, Scene
from tests.faults.soak.stack import CLOCK, DEADLINE_S, GRACE_S, Api, Worker, set_environment
from tests.running import RunningService

COMMANDS = ("CreateReservation", "CreateReservation", "ConfirmReservation", "ExtendReservation", "ReleaseReservation")
EXPIRE = "ExpireReservation"
LATE_S = 8.0
PAST_ALL_S = DEADLINE_S + 0.5, 4.0 * DEADLINE_S
SERVER_PATIENCE_S = 32.0
"""Longer than the 30 s after which the database ends a session that says nothing."""
SELDOM = 0.15
OTHER = "2"
HOUR_S = 3600


def kill_api(scene: Scene) -> str:
    # Not at the moment at which everybody has just been answered.
    scene.last(0.1, 0.5)
    return _kill(scene, scene.any_api())


def kill_worker(scene: Scene) -> str:
    return _kill(scene, scene.any_worker())


def _kill(scene: Scene, member: Api | Worker) -> str:
    member.process.kill()
    assert member.process.process.exit_code == -signal.SIGKILL, f"{member.name} had ended by itself"
    scene.last(0, 3)
    member.process.start()
    return member.name


def kill_api_in_transaction(scene: Scene) -> str:
    return _burn(scene, scene.any_api(), scene.random.choice((READ, WRITTEN)), scene.random.choice(COMMANDS))


def kill_api_after_commit(scene: Scene) -> str:
    return _burn(scene, scene.any_api(), COMMITTED, scene.random.choice(COMMANDS))


def kill_worker_in_sweep(scene: Scene) -> str:
    return _burn(scene, scene.any_worker(), scene.random.choice((READ, WRITTEN, COMMITTED)), EXPIRE)


def kill_worker_in_publishing(scene: Scene) -> str:
    return _burn(scene, scene.any_worker(), scene.random.choice((WRITTEN, COMMITTED)), SEQUENCE)


def _burn(scene: Scene, member: Api | Worker, place: str, command: str) -> str:
    """The process kills itself at that place of a transaction with such a command."""
    member.fuse.lay(place, signal.SIGKILL, command)
    scene.until(lambda: member.fuse.has_burnt, f"{member.name} is killed at {place} {command}")
    wait_until_dead(member.process)
    member.process.start()
    return f"{member.name} at {place} of {command}"


def kill_api_while_it_answers(scene: Scene) -> str:
    """Answers are on their way and reach nobody; then the process is killed."""
    api = scene.any_api()
    before = scene.counted(api, "holdfast_requests_total", method="POST")
    api.front.swallow(Direction.TO_CLIENT)
    try:
        scene.until(
            lambda: scene.counted(api, "holdfast_requests_total", method="POST") > before, "an answer is on its way"
        )
        _kill(scene, api)
    finally:
        api.front.heal()
    return api.name


def pause_api(scene: Scene) -> str:
    return _pause(scene, scene.any_api())


def pause_worker(scene: Scene) -> str:
    return _pause(scene, scene.any_worker())


def _pause(scene: Scene, member: Api | Worker) -> str:
    member.process.pause()
    try:
        wait_until_stopped(member.process)
        scene.last(*PAST_ALL_S)
    finally:
        member.process.resume()
    return member.name


def pause_api_in_transaction(scene: Scene) -> str:
    """Stopped with its locks in hand; now and then for so long that the database gives up its session."""
    api, place = scene.any_api(), scene.random.choice((READ, WRITTEN, COMMITTED))
    command = scene.random.choice(COMMANDS)
    api.fuse.lay(place, signal.SIGSTOP, command)
    try:
        scene.until(lambda: api.fuse.has_burnt, f"{api.name} is stopped at {place} {command}")
        wait_until_stopped(api.process)
        is_long = not scene.brief and scene.random.random() < SELDOM
        scene.last(*((SERVER_PATIENCE_S, SERVER_PATIENCE_S) if is_long else PAST_ALL_S))
    finally:
        api.process.resume()
    return f"{api.name} at {place} of {command}{', until its session was ended' if is_long else ''}"


def tell_api_to_end(scene: Scene) -> str:
    api = scene.any_api()
    _end(scene, api)
    api.process.start()
    return api.name


def tell_worker_to_end(scene: Scene) -> str:
    worker = scene.any_worker()
    _end(scene, worker)
    worker.process.start()
    return worker.name


def _end(scene: Scene, member: Api | Worker) -> None:
    began = time()
    code = member.process.stop()
    assert code == 0, f"{member.name} left with {code}\n{member.process.process.log_tail()}"
    assert time() - began < GRACE_S + LATE_S, f"{member.name} took {time() - began:.1f} s to leave"
    scene.last(0, 2)


def deploy(scene: Scene) -> str:
    """A process is replaced by one of another version, or back, while its clients try again and again."""
    api = scene.any_api()
    is_other = (api.process.process.environment or {}).get(VERSION) is None
    _end(scene, api)
    set_environment(api.process, {VERSION: OTHER if is_other else None})
    api.process.start()
    if is_other:
        sql = f"SELECT COUNT(*) FROM idempotency_records WHERE fingerprint_version = {OTHER}"
        before = scene.stored(sql)
        scene.until(lambda: scene.stored(sql) > before, "the other version stores its own fingerprints")
    return f"{api.name} to {'another version' if is_other else 'the version of today'}"


def set_clock_wrong(scene: Scene) -> str:
    """The host of a process has another time, by hours."""
    api = scene.any_api()
    hours = scene.random.choice((-1, 1)) * scene.random.randint(1, 48)
    _end(scene, api)
    set_environment(api.process, {CLOCK: str(hours * HOUR_S)})
    api.process.start()
    wrong_by = _shown_time(api.process) - time()
    assert abs(wrong_by - hours * HOUR_S) < HAPPENS_WITHIN_S, f"{api.name} is wrong by {wrong_by:.0f} s"
    return f"{api.name} by {hours} h"


def _shown_time(service: RunningService) -> float:
    with http_client(service.url) as client:
        return parsedate_to_datetime(client.get("/healthz").headers["Date"]).timestamp()
