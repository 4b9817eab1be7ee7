"""Ask for text twice - the second time the prompt's K/V is found in the cache - and read an answer as it comes."""
import asyncio

import kvc

PROMPT = ("In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was "
          "upon the face of the deep. And the Spirit of God moved upon the face of")


async def talk(engine):
    async for piece in engine.astream("And God said, Let there be light: and", max_tokens=16):
        print(piece, end="", flush=True)
    print()


with kvc.Engine() as engine:
    for _ in range(2):
        answer = engine.process(PROMPT, max_tokens=24)
        print(f"{answer.text!r} ({answer.cached_tokens} of {answer.prompt_tokens} prompt tokens were cached)")
    asyncio.run(talk(engine))
    try:
        engine.process(PROMPT, max_tokens=100_000)
    except kvc.KvcError as error:
        print(error.name)
