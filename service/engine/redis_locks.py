"""Redis as the place of short locks: what it says, or that it cannot be asked. Loaded only where there is one."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.engine.row_locks import RedisLost

TIMEOUT_SECONDS = 0.1

RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"


class RedisLocks:
    """Locks by name, each held under a token, for so many milliseconds at most. All of it raises RedisLost."""

    def __init__(self, url: str) -> None:
        self._redis: Redis = Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            # The default retries ten times: an outage would stall requests and could double a command.
            retry=Retry(NoBackoff(), 0),
        )

    async def take(self, name: str, token: str, lock_ms: int) -> bool:
        """Whether it was free and is now held under the token."""
        try:
            return bool(await self._redis.set(name, token, nx=True, px=lock_ms))
        except (RedisError, OSError, TimeoutError) as error:
            raise RedisLost(type(error).__name__) from error

    async def release(self, name: str, token: str) -> None:
        """Free it, if it is still held under the token."""
        try:
            await self._redis.eval(RELEASE, 1, name, token)
        except (RedisError, OSError, TimeoutError) as error:
            raise RedisLost(type(error).__name__) from error

    async def close(self) -> None:
        await self._redis.aclose()
