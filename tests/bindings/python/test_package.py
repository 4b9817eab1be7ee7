"""The Python package: what the conformance script does not show - life, threads, callbacks, arrays, asyncio, models."""
import array
import asyncio
import ctypes
import gc
import json
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

import kvc
import numpy
from kvc import _raw
from model_backends import Counting, OwnKv, desc

GOLDEN = json.loads((Path(__file__).resolve().parents[2] / "abi" / "layout.json").read_text())
PROMPT = "In the beginning God created the heaven and the earth."


def resident_kib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


class Layout(unittest.TestCase):
    def test_structs_lie_as_the_compiler_says(self):
        for name, struct in GOLDEN["structs"].items():
            kind = getattr(_raw, name)
            self.assertEqual(ctypes.sizeof(kind), struct["size"], name)
            for field, place in struct["fields"].items():
                found = getattr(kind, field)
                self.assertEqual((found.offset, found.size), (place["offset"], place["size"]), f"{name}.{field}")

    def test_constants_have_the_values_of_the_header(self):
        ours = {f"KVC_{name}": getattr(kvc, name) for name in ("ABI_VERSION", "MAX_DIMS", "MODULE_VERSION")}
        api = json.loads((Path(__file__).resolve().parents[3] / "bindings" / "api.json").read_text())
        from importlib import import_module
        sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bindings"))
        names = import_module("gen.names")
        for constant in api["constants"]:
            group = constant["group"]
            if group and group != "VERSION":
                values = [int(v) for v in getattr(kvc, names.group_name(group)).__members__.values()]
                self.assertIn(GOLDEN["constants"][constant["name"]], values, constant["name"])
        for name, value in ours.items():
            self.assertEqual(value, GOLDEN["constants"][name], name)

    def test_every_function_of_the_header_is_in_the_library(self):
        for name in _raw.FUNCTIONS:
            self.assertTrue(callable(getattr(kvc._lib, name)), name)
            self.assertNotEqual(getattr(kvc._lib, name).__name__ if hasattr(getattr(kvc._lib, name), "__name__") else name, "call")


class Errors(unittest.TestCase):
    def test_every_status_has_its_class_and_name(self):
        for status in kvc.Status:
            if status < 0:
                error = kvc.errors.error_of(status)
                self.assertEqual((error.code, error.name), (status, "KVC_E_" + status.name))
                self.assertTrue(error.message)

    def test_classes_are_those_that_python_programs_catch(self):
        self.assertTrue(issubclass(kvc.KvcMemoryError, MemoryError))
        self.assertTrue(issubclass(kvc.KvcValueError, ValueError))
        self.assertTrue(issubclass(kvc.KvcTimeoutError, TimeoutError))

    def test_a_deadline_gives_what_was_generated_until_then(self):
        with kvc.Engine() as engine:
            with self.assertRaises(kvc.KvcTimeoutError) as caught:
                engine.process(PROMPT, max_tokens=4000, deadline_ns=100_000_000)
            response = caught.exception.response
            self.assertEqual(response.finish_reason, kvc.FinishReason.DEADLINE)
            self.assertLess(len(response.tokens), 4000)

    def test_tokens_that_do_not_fit_are_refused_and_not_wrapped(self):
        with kvc.Engine() as engine:
            for tokens in ([2 ** 32 + 65], numpy.array([2 ** 32 + 65]), [-(2 ** 40)]):
                with self.assertRaises(kvc.KvcValueError) as caught:
                    engine.process(tokens, max_tokens=1)
                self.assertEqual(caught.exception.code, kvc.Status.TOKEN)
            with self.assertRaises(kvc.KvcValueError):
                engine.process("x", max_tokens=2 ** 32 + 1)
            with self.assertRaises(kvc.KvcValueError):
                engine.process("x", max_tokens=-1)

    def test_a_prompt_may_contain_a_zero(self):
        with kvc.Engine() as engine:
            self.assertEqual(engine.process("a\0b", max_tokens=1).prompt_tokens, 4)
            self.assertEqual(engine.detokenize(engine.tokenize("a\0b")), "a\0b")

    def test_text_of_an_answer_may_contain_a_zero(self):
        with kvc.Engine(backend=Counting()) as engine:
            # 0 follows when the sum is a multiple of 256.
            response = engine.process([128, 128], max_tokens=2)
            self.assertEqual(response.tokens[0], 0)
            self.assertEqual(response.text, "\0\0")


class Life(unittest.TestCase):
    def test_closing_twice_and_use_after_close(self):
        engine = kvc.Engine()
        engine.close()
        engine.close()
        self.assertTrue(engine.closed)
        for call in (engine.stats, engine.info, engine.space, engine.poll, lambda: engine.process("x"), lambda: engine.get("x")):
            with self.assertRaises(kvc.KvcClosedError):
                call()

    def test_closing_lets_a_running_call_end(self):
        engine = kvc.Engine()
        outcome = []

        def ask():
            try:
                engine.process(PROMPT, max_tokens=4000)
            except kvc.KvcError as error:
                outcome.append(error.code)

        thread = threading.Thread(target=ask)
        thread.start()
        while not engine.stats().requests_active:
            time.sleep(0.001)
        engine.close()
        thread.join(30)
        self.assertEqual(outcome, [kvc.Status.CANCELLED])

    def test_a_thousand_engines_leave_no_memory_behind(self):
        for cycle in range(1000):
            with kvc.Engine(memory="4MiB", model="none") as engine:
                engine.put("k", array.array("f", [1, 2, 3]))
                with engine.open_space(desc()) as space, space.open_session() as session:
                    session.match([1, 2, 3])
            if cycle == 200:
                before = resident_kib()
        gc.collect()
        self.assertLess(resident_kib() - before, 2048)

    def test_what_is_dropped_is_closed(self):
        with kvc.Engine() as engine:
            session = engine.space().open_session()
            self.assertEqual(engine.stats().sessions, 1)
            del session
            gc.collect()
            self.assertEqual(engine.stats().sessions, 0)
            ticket = engine.submit(PROMPT, max_tokens=4000, on_text=lambda piece: None)
            del ticket
            gc.collect()
            deadline = time.monotonic() + 30
            while engine.stats().requests_cancelled == 0 and time.monotonic() < deadline:
                time.sleep(0.001)
            self.assertEqual(engine.stats().requests_cancelled, 1)

    def test_a_process_ends_with_everything_open(self):
        program = ("import kvc; e = kvc.Engine(); s = e.space().open_session(); t = e.submit('And God', max_tokens=4000, "
                   "on_text=lambda p: None); print('ends')")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "ends\n", ""))

    def test_a_forked_child_is_told(self):
        program = ("import kvc, os; e = kvc.Engine(); pid = os.fork()\n"
                   "try:\n    e.stats(); os._exit(1 if pid == 0 else 0) if pid == 0 else None\n"
                   "except kvc.KvcClosedError as x:\n    os._exit(7 if x.name == 'KVC_E_FORKED' else 2)\n"
                   "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "7\n", done.stderr)


class Callbacks(unittest.TestCase):
    def test_what_on_text_raises_comes_out_of_process(self):
        with kvc.Engine() as engine:
            for ask in (engine.process, lambda *a, **b: engine.submit(*a, **b).wait()):
                with self.assertRaises(ZeroDivisionError):
                    ask(PROMPT, on_text=lambda piece: 1 / 0)
            self.assertEqual(engine.process(PROMPT, max_tokens=3).finish_reason, kvc.FinishReason.LENGTH)

    def test_on_text_cancels_by_false(self):
        pieces = []
        with kvc.Engine() as engine, self.assertRaises(kvc.KvcCancelledError) as caught:
            engine.process(PROMPT, max_tokens=500, on_text=lambda piece: pieces.append(piece) or len(pieces) < 3)
        self.assertEqual("".join(pieces), caught.exception.response.text[:len("".join(pieces))])
        self.assertLess(len(caught.exception.response.tokens), 500)

    def test_callbacks_come_from_a_foreign_thread(self):
        seen = set()
        with kvc.Engine() as engine:
            engine.process(PROMPT, max_tokens=4, on_text=lambda piece: seen.add(threading.get_ident()))
        self.assertEqual(len(seen), 1)
        self.assertNotIn(threading.get_ident(), seen)

    def test_logger_clock_and_allocator(self):
        lines, ticks = [], iter(range(10 ** 9, 10 ** 15, 1000))
        blocks = {}
        libc = ctypes.CDLL(None)
        libc.aligned_alloc.restype, libc.aligned_alloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t, ctypes.c_size_t]
        libc.free.argtypes = [ctypes.c_void_p]

        class Allocator:
            def allocate(self, size, alignment):
                alignment = max(alignment, 16)
                pointer = libc.aligned_alloc(alignment, -(-size // alignment) * alignment)
                blocks[pointer] = size
                return pointer

            def release(self, pointer, size, alignment):
                assert blocks.pop(pointer) == size
                libc.free(pointer)

        config = kvc.Config()
        config.set_logger(kvc.LogLevel.DEBUG, lambda level, message: lines.append((level, message)))
        config.set_clock(lambda: next(ticks))
        config.set_allocator(Allocator())
        with kvc.Engine(config) as engine:
            config.close()
            engine.process(PROMPT, max_tokens=2)
            self.assertGreater(len(blocks), 0)
        self.assertEqual(blocks, {})
        self.assertGreater(next(ticks), 10 ** 9 + 1000)
        self.assertTrue(lines)

    def test_an_allocator_that_fails_is_no_memory_and_not_a_crash(self):
        class Full:
            def allocate(self, size, alignment):
                raise MemoryError("nothing left")

            def release(self, pointer, size, alignment):
                pass

        config = kvc.Config()
        config.set_allocator(Full())
        raised, hook = [], sys.unraisablehook
        sys.unraisablehook = lambda unraisable: raised.append(unraisable.exc_type)
        try:
            with self.assertRaises(kvc.KvcMemoryError):
                with kvc.Engine(config) as engine:
                    engine.put("k", array.array("f", [1] * 100))
        finally:
            sys.unraisablehook = hook
        self.assertIn(MemoryError, raised)


class Streams(unittest.TestCase):
    def test_pieces_make_the_text(self):
        with kvc.Engine() as engine:
            whole = engine.process(PROMPT, max_tokens=20).text
            self.assertEqual("".join(engine.stream(PROMPT, max_tokens=20)), whole)

    def test_leaving_a_loop_midway_cancels(self):
        with kvc.Engine() as engine:
            for number, _piece in enumerate(engine.stream(PROMPT, max_tokens=4000)):
                if number == 3:
                    break
            deadline = time.monotonic() + 30
            while engine.stats().requests_active and time.monotonic() < deadline:
                time.sleep(0.001)
            stats = engine.stats()
            self.assertEqual((stats.requests_cancelled, stats.requests_active), (1, 0))

    def test_waiting_has_a_limit(self):
        with kvc.Engine(threads=0) as engine, engine.submit(PROMPT, max_tokens=3000) as ticket:
            self.assertIsNone(ticket.wait(timeout=0))
            self.assertEqual(ticket.next(timeout=0), "")

    def test_asyncio(self):
        async def many(engine):
            async def text():
                return "".join([piece async for piece in engine.astream(PROMPT, max_tokens=12)])
            streamed = await asyncio.gather(*[text() for _ in range(8)])
            whole = await engine.aprocess(PROMPT, max_tokens=12)
            self.assertEqual(set(streamed), {whole.text})

        with kvc.Engine() as engine:
            asyncio.run(many(engine))

    def test_a_cancelled_task_cancels_its_request(self):
        async def run(engine):
            async def read():
                async for _piece in engine.astream(PROMPT, max_tokens=4000):
                    started.set()
            for make in (read, lambda: engine.aprocess(PROMPT, max_tokens=4000)):
                started = asyncio.Event()
                task = asyncio.ensure_future(make())
                while not engine.stats().requests_active:
                    await asyncio.sleep(0.001)
                if make is read:
                    await started.wait()
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                deadline = time.monotonic() + 30
                while engine.stats().requests_active and time.monotonic() < deadline:
                    await asyncio.sleep(0.001)
            self.assertEqual(engine.stats().requests_cancelled, 2)

        with kvc.Engine() as engine:
            asyncio.run(run(engine))

    def test_errors_reach_asyncio(self):
        async def run(engine):
            with self.assertRaises(kvc.KvcError):
                await engine.aprocess("x", max_tokens=100000)
            with self.assertRaises(ZeroDivisionError):
                async for _piece in engine.astream("x", max_tokens=10, on_text=lambda piece: 1 / 0):
                    pass

        with kvc.Engine() as engine:
            asyncio.run(run(engine))

    def test_ctrl_c_ends_a_long_wait(self):
        program = ("import kvc, _thread, threading; e = kvc.Engine(threads=1)\n"
                   "threading.Timer(0.3, _thread.interrupt_main).start()\n"
                   "try:\n    e.process('And God', max_tokens=4000)\nexcept KeyboardInterrupt:\n    print('stopped')\n")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "stopped\n", done.stderr)


class Foreign:
    """Somebody's tensor that speaks DLPack alone."""

    def __init__(self, owner):
        self.owner = owner

    def __dlpack__(self, **_options):
        return self.owner.__dlpack__()

    def __dlpack_device__(self):
        return self.owner.__dlpack_device__()


class Arrays(unittest.TestCase):
    def setUp(self):
        self.engine = kvc.Engine(memory="16MiB", model="none")
        self.addCleanup(self.engine.close)

    def test_arrays_of_every_kind_are_read_where_they_lie(self):
        a = numpy.arange(24, dtype=numpy.float32).reshape(2, 3, 4)
        for owner, wanted in ((a, a), (a.T, a.T), (a[:, ::2], a[:, ::2]), (Foreign(a), a), (Foreign(a[:, 1:]), a[:, 1:]),
                              (memoryview(a), a), (array.array("f", range(5)), numpy.arange(5, dtype=numpy.float32)),
                              (a.astype(numpy.float16), a), (numpy.arange(6, dtype=numpy.uint8), numpy.arange(6))):
            self.engine.put("k", owner)
            self.assertTrue(numpy.array_equal(self.engine.get("k"), wanted), type(owner))
            self.assertEqual(kvc.tensors.tensor_of(a).c.data, a.ctypes.data)

    def test_arrays_of_every_kind_are_written_where_they_lie(self):
        a = numpy.arange(6, dtype=numpy.float32)
        self.engine.put("k", a)
        for out in (numpy.zeros(6, numpy.float32), Foreign(numpy.zeros(6, numpy.float32)), array.array("f", [0] * 6)):
            self.assertIs(self.engine.get("k", out=out), out)
            self.assertEqual(list(getattr(out, "owner", out)), list(a))

    def test_what_cannot_be_written_or_read_is_refused(self):
        a = numpy.arange(6, dtype=numpy.float32)
        self.engine.put("k", a)
        readonly = numpy.zeros(6, numpy.float32)
        readonly.flags.writeable = False
        for out in (readonly, bytes(24), [0.0] * 6):
            with self.assertRaises((kvc.KvcError, BufferError)):
                self.engine.get("k", out=out)
        for bad in (a.astype(numpy.float64), a[::-1], numpy.float32(1), [1.0], None, numpy.zeros((1,) * 9, numpy.float32)):
            with self.assertRaises(kvc.KvcError):
                self.engine.put("k", bad)
        self.assertEqual(list(self.engine.get("k")), list(a))

    def test_sessions_attend(self):
        space = self.engine.open_space(desc())
        info = space.info()
        shape = (5, info.n_kv_heads, info.k_head_dim)
        with space.open_session(exact=True) as session:
            k = numpy.zeros(shape, numpy.float32)
            v = numpy.arange(k.size, dtype=numpy.float32).reshape(shape)
            for layer in range(info.n_layers):
                session.append(layer, k, v)
            session.commit(range(5))
            query = numpy.ones((1, 2 * info.n_kv_heads, info.k_head_dim), numpy.float32)
            out = session.attend(0, query, sink_scores=[0.0] * query.shape[1])  # the sinks weigh as much as a sixth token
            wanted = numpy.repeat(v.sum(axis=0) / 6, 2, axis=0)
            self.assertTrue(numpy.allclose(out[0], wanted, rtol=1e-3), out)
            with self.assertRaises(kvc.KvcError):
                session.attend(0, query, alibi_slopes=[1.0])
            with self.assertRaises(kvc.KvcError):
                session.attend(0, query, scale=-1.0)

    def test_bfloat16_are_the_bits(self):
        bits = (numpy.arange(8, dtype=numpy.float32).view(numpy.uint32) >> 16).astype(numpy.uint16)
        self.engine.put("k", bits)
        self.assertEqual(self.engine.get("k").dtype, numpy.uint16)
        space = self.engine.open_space(desc(dtype=kvc.DType.BF16))
        with space.open_session() as session:
            rows = bits[:8].reshape(2, 1, 4)
            session.append_all([rows] * 2, [rows] * 2)
            back = session.read(0, kvc.Plane.KEY, 0, 2, numpy.zeros((2, 1, 4), numpy.float32))
            self.assertEqual(back.ravel().tolist(), list(range(8)))

    def test_a_buffer_is_held_only_during_the_call(self):
        data = bytearray(64)
        view = memoryview(data).cast("f")
        self.engine.put("k", view)
        view.release()
        data.extend(b"x")   # raises BufferError while somebody holds it


class Models(unittest.TestCase):
    def answers(self, backend):
        with kvc.Engine(backend=backend, memory="16MiB") as engine:
            for prompt in ("counting", "counting again", "counting again and again", "counting"):
                response = engine.process(prompt, max_tokens=12)
                self.assertEqual(response.tokens, Counting.expected(prompt, 12)[:len(response.tokens)])
                yield response
        self.assertTrue(backend.is_released)

    def test_a_model_in_python_answers_and_reuses(self):
        backend = Counting()
        responses = list(self.answers(backend))
        self.assertEqual([r.cached_tokens > 0 for r in responses], [False, True, True, True])
        self.assertEqual(sorted(backend.opened), sorted(backend.closed))

    def test_a_model_with_its_own_kv_gets_it_back(self):
        backend = OwnKv()
        responses = list(self.answers(backend))
        self.assertEqual([r.cached_tokens > 0 for r in responses], [False, True, True, True])
        self.assertEqual(backend.imported, sum(r.cached_tokens for r in responses))
        self.assertEqual(backend.sequences, {})

    def test_a_conversation_becomes_text_in_the_models_form(self):
        with kvc.Engine(backend=Counting()) as engine:
            text = engine.chat_text([("user", "Hi"), {"role": "assistant", "content": "Ho"}])
            self.assertEqual(text, "user: Hi\nassistant: Ho\nassistant:")
            self.assertEqual(engine.info()["model"]["name"], "counting")
        with kvc.Engine() as engine, self.assertRaises(kvc.KvcUnsupportedError):
            engine.chat_text([("user", "Hi")])

    def test_exceptions_in_a_model_fail_the_request_with_their_words(self):
        class Broken(Counting):
            fails = True

            def forward(self, items):
                if self.fails:
                    raise ValueError("the accelerator is on fire")
                super().forward(items)

        backend = Broken()
        with kvc.Engine(backend=backend) as engine:
            with self.assertRaises(kvc.KvcError) as caught:
                engine.process("hello", max_tokens=4)
            self.assertIn("ValueError: the accelerator is on fire", str(caught.exception))
            backend.fails = False
            self.assertEqual(engine.process("hello", max_tokens=4).tokens, Counting.expected("hello", 4))

    def test_a_model_that_cannot_describe_itself_makes_no_engine(self):
        class Mute(Counting):
            def describe(self):
                raise RuntimeError("no words")

        with self.assertRaises(kvc.KvcError) as caught:
            kvc.Engine(backend=Mute())
        self.assertIn("no words", str(caught.exception))

    def test_a_tokenizer_that_gives_too_much_or_nonsense_is_an_error(self):
        class Odd(Counting):
            def tokenize(self, text):
                return {"long": [1] * 100000, "negative": [-5], "huge": [2 ** 40], "words": ["a"]}[text.decode()]

        with kvc.Engine(backend=Odd()) as engine:
            for prompt in ("long", "negative", "huge", "words"):
                with self.assertRaises(kvc.KvcError):
                    engine.process(prompt, max_tokens=1)


if __name__ == "__main__":
    unittest.main(verbosity=1)
