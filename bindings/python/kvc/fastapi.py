"""kvc in a FastAPI application.

    app = fastapi.FastAPI()
    app.add_middleware(kvc.fastapi.KvcMiddleware, engine=engine)      # request.state.kvc; errors become HTTP statuses
    app.include_router(kvc.fastapi.router(engine), prefix="/kvc")     # POST /kvc/process, /kvc/stream; GET /kvc/stats, /kvc/info

The tenant of a request is said by the application (tenant=lambda request: ...), never by the client.
"""
import asyncio
import dataclasses
import json
from typing import List, Optional, Union

import fastapi
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field

from .constants import FinishReason, Status
from .errors import KvcError
from .request import Request

_HTTP = {Status.CONTEXT: 413, Status.QUEUE_FULL: 429, Status.DEADLINE: 504, Status.CANCELLED: 499, Status.UNSUPPORTED: 501,
         Status.NOT_FOUND: 404, Status.CLOSED: 503, Status.NO_MEMORY: 503, Status.BUDGET: 503}


class Ask(BaseModel):
    """Body of a request: one of prompt (text), tokens and messages, and how to answer."""
    prompt: Optional[str] = None
    tokens: Optional[List[int]] = None
    messages: Optional[List[dict]] = None
    max_tokens: int = Field(128, ge=1)
    temperature: float = 0.0
    top_k: int = Field(0, ge=0)
    top_p: float = 1.0
    seed: int = Field(0, ge=0)
    stop: Union[str, List[str]] = Field(default_factory=list)
    session_id: Optional[str] = None
    priority: int = 0
    deadline_ms: int = Field(0, ge=0)


def http_status(error):
    """The HTTP status that says what a KvcError says."""
    return _HTTP.get(error.code) or (400 if -200 < error.code <= -100 else 500)


def _body(error):
    # What the model or the machine says of its inside is not for clients.
    message = error.message if http_status(error) < 500 else error.name
    return {"error": {"code": error.code, "name": error.name, "message": message}}


class KvcMiddleware:
    """ASGI: request.state.kvc is the engine, a KvcError that a handler raises becomes a response, and with close=True the engine is
    closed when the application shuts down."""

    def __init__(self, app, engine, close=False):
        self.app, self.engine, self.close = app, engine, close

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            async def watch(message):
                if self.close and message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                    await asyncio.get_running_loop().run_in_executor(None, self.engine.close)
                await send(message)
            await self.app(scope, receive, watch)
            return
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})["kvc"] = self.engine
        begun = False

        async def note(message):
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, note)
        except KvcError as error:
            if begun or scope["type"] != "http":
                raise
            headers = {"Retry-After": "1"} if error.code == Status.QUEUE_FULL else None
            await JSONResponse(_body(error), http_status(error), headers)(scope, receive, send)


def router(engine, tenant=None, max_tokens=4096):
    """An APIRouter: POST /process, POST /stream (server-sent events), GET /stats, GET /info.

    tenant      function of the fastapi.Request that says whose cache is used; None: all share one
    max_tokens  the longest answer that a client may ask for
    """
    routes = fastapi.APIRouter()

    def request_of(ask, http):
        given = [v for v in (ask.prompt, ask.tokens, ask.messages) if v is not None]
        if len(given) != 1:
            raise fastapi.HTTPException(400, "give one of prompt, tokens and messages")
        prompt = given[0] if ask.messages is None else engine.chat_text(
            [(str(m.get("role", "")), str(m.get("content", ""))) for m in ask.messages])
        return Request(prompt, max_tokens=min(ask.max_tokens, max_tokens), temperature=ask.temperature, top_k=ask.top_k,
                       top_p=ask.top_p, seed=ask.seed, stop=[ask.stop] if isinstance(ask.stop, str) else ask.stop,
                       session_id=ask.session_id, priority=ask.priority, deadline_ns=ask.deadline_ms * 1_000_000,
                       tenant=tenant(http) if tenant is not None else None)

    def failure(error):
        return JSONResponse(_body(error), http_status(error), {"Retry-After": "1"} if error.code == Status.QUEUE_FULL else None)

    @routes.post("/process")
    async def process(ask: Ask, http: fastapi.Request):
        try:
            answering = asyncio.ensure_future(engine.aprocess(request_of(ask, http)))
            leaving = asyncio.ensure_future(_gone(http))
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if not answering.done():
                answering.cancel()  # nobody is there to read it
                return fastapi.Response(status_code=499)
            response = answering.result()
        except KvcError as error:
            return failure(error)
        shown = dataclasses.asdict(response)
        for name in ("status", "error", "ticket"):
            shown.pop(name)
        shown["finish_reason"] = FinishReason(response.finish_reason).name.lower()
        return shown

    @routes.post("/stream")
    async def stream(ask: Ask, http: fastapi.Request):
        try:
            pieces = engine.astream(request_of(ask, http))
            first = await pieces.__anext__()    # what is refused is a status, not an event
        except StopAsyncIteration:
            first = ""
        except KvcError as error:
            return failure(error)

        async def events():
            try:
                yield _event({"text": first})
                async for piece in pieces:
                    yield _event({"text": piece})
                yield "event: end\ndata: {}\n\n"
            except KvcError as error:
                yield "event: error\n" + _event(_body(error))
            finally:
                await pieces.aclose()   # the client is gone: the request ends
        return StreamingResponse(events(), media_type="text/event-stream")

    @routes.get("/stats")
    def stats():
        return dataclasses.asdict(engine.stats())

    @routes.get("/info")
    def info():
        return engine.info()

    return routes


def _event(data):
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


async def _gone(http):
    """Returns when the client closes its connection; the body is read already."""
    while (await http.receive())["type"] != "http.disconnect":
        pass
