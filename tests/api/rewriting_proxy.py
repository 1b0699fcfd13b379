"""A proxy in front of a server of the MySQL family that changes what the service says to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url


@asynccontextmanager
async def rewriting_proxy(url: str, said: bytes, made_of_it: bytes) -> AsyncIterator[str]:
    """URL of a proxy in front of the server, one that tells it something else than what the service said."""
    assert len(said) == len(made_of_it), "packets know their length"
    upstream = make_url(url)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data.replace(said, made_of_it))
        writer.close()
        await writer.wait_closed()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        server_reader, server_writer = await asyncio.open_connection(upstream.host, upstream.port)
        await asyncio.gather(pump(reader, server_writer), pump(server_reader, writer))

    served: list[asyncio.Task[None] | None] = []
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        yield upstream.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        await asyncio.wait([task for task in served if task])
