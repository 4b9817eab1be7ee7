"""Requests from asyncio code.

Pieces of text come from the engine's thread by on_text and are handed to the event loop at once; only for the end of a request
does a thread wait.
"""
import asyncio
import dataclasses

from .request import submit

_END = object()


async def process(engine, request):
    loop = asyncio.get_running_loop()
    ticket = submit(engine, request)
    waiting = loop.run_in_executor(engine.waiters(), ticket.wait)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        _give_up(ticket, waiting)
        raise


async def stream(engine, request):
    loop = asyncio.get_running_loop()
    pieces = asyncio.Queue()
    given = request.on_text

    def hand_over(piece):
        go_on = given(piece) if given is not None else None
        loop.call_soon_threadsafe(pieces.put_nowait, piece)
        return go_on

    ticket = submit(engine, dataclasses.replace(request, on_text=hand_over))
    waiting = loop.run_in_executor(engine.waiters(), ticket.wait)
    # The engine's thread hands the last piece over before the request ends, so the end comes after it.
    waiting.add_done_callback(lambda _done: pieces.put_nowait(_END))
    try:
        while (piece := await pieces.get()) is not _END:
            yield piece
        await waiting
    finally:
        if not waiting.done():
            _give_up(ticket, waiting)


def _give_up(ticket, waiting):
    """Cancels a request that nobody waits for any more. Its waiting thread ends with it and drops the answer."""
    waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
    ticket.cancel()
