"""kvc.fastapi on a running uvicorn, asked over TCP."""
import json
import socket
import threading
import time
import unittest

import fastapi
import httpx
import kvc
import kvc.fastapi
import uvicorn

PROMPT = "In the beginning God created the heaven and the earth."


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = kvc.Engine(memory="64MiB")
        app = fastapi.FastAPI()
        app.add_middleware(kvc.fastapi.KvcMiddleware, engine=cls.engine, close=True)
        app.include_router(kvc.fastapi.router(cls.engine, tenant=lambda http: http.headers.get("x-who", "all"), max_tokens=3000),
                           prefix="/kvc")

        @app.get("/own")
        def own(request: fastapi.Request, fail: bool = False):
            return {"text": request.state.kvc.process(PROMPT, max_tokens=100000 if fail else 4).text}

        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        cls.server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        cls.thread = threading.Thread(target=cls.server.run, kwargs={"sockets": [listener]})
        cls.thread.start()
        cls.client = httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60)
        while not cls.server.started:
            time.sleep(0.01)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.server.should_exit = True
        cls.thread.join(30)
        assert cls.engine.closed, "close=True closes the engine at shutdown"

    def ask(self, path="/kvc/process", headers=None, **body):
        return self.client.post(path, json=body, headers=headers)

    def pieces(self, **body):
        with self.client.stream("POST", "/kvc/stream", json=body) as response:
            for line in response.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[6:])

    def wait_until_idle(self):
        deadline = time.monotonic() + 30
        while self.engine.stats().requests_active and time.monotonic() < deadline:
            time.sleep(0.005)

    def test_an_answer_and_its_reuse_by_the_same_tenant_alone(self):
        first, again = (self.ask(prompt=PROMPT, max_tokens=8, headers={"x-who": "one"}).json() for _ in range(2))
        other = self.ask(prompt=PROMPT, max_tokens=8, headers={"x-who": "somebody"}).json()
        self.assertEqual((first["text"], first["finish_reason"]), (again["text"], "length"))
        self.assertEqual([r["cached_tokens"] for r in (first, again, other)], [0, 54, 0])

    def test_a_stream_gives_the_text_in_pieces(self):
        whole = self.ask(prompt=PROMPT, max_tokens=12).json()["text"]
        pieces = [p["text"] for p in self.pieces(prompt=PROMPT, max_tokens=12) if "text" in p]
        self.assertGreater(len(pieces), 3)
        self.assertEqual("".join(pieces), whole)

    def test_errors_are_http_statuses_with_words(self):
        cases = ((dict(prompt="x" * 9000), 413, "KVC_E_CONTEXT"), (dict(tokens=[1, 999]), 400, "KVC_E_TOKEN"),
                 (dict(prompt="x", top_p=7), 400, "KVC_E_OUT_OF_RANGE"), (dict(messages=[{"role": "user", "content": "x"}]), 501, "KVC_E_UNSUPPORTED"),
                 (dict(prompt=PROMPT, max_tokens=3000, deadline_ms=30), 504, "KVC_E_DEADLINE"))
        for path in ("/kvc/process", "/kvc/stream"):
            for body, status, name in cases:
                if path == "/kvc/stream" and status == 504:
                    continue    # it has begun by then: told in an event
                response = self.ask(path, **body)
                self.assertEqual((response.status_code, response.json()["error"]["name"]), (status, name), path)
        self.assertEqual(self.ask(prompt="a", tokens=[1]).status_code, 400)
        self.assertEqual(self.ask(prompt="a", max_tokens=0).status_code, 422)
        self.assertIn("KVC_E_DEADLINE", str(list(self.pieces(prompt=PROMPT, max_tokens=3000, deadline_ms=100))[-1]))

    def test_a_client_that_leaves_ends_its_request(self):
        for path in ("/kvc/stream", "/kvc/process"):
            before = self.engine.stats().requests_cancelled
            try:
                with self.client.stream("POST", path, json=dict(prompt=PROMPT, max_tokens=3000), timeout=0.3) as response:
                    next(response.iter_lines())
            except httpx.TimeoutException:
                pass
            self.wait_until_idle()
            self.assertEqual(self.engine.stats().requests_cancelled, before + 1, path)

    def test_the_middleware_gives_the_engine_and_tells_errors(self):
        self.assertEqual(len(self.client.get("/own").json()["text"]), 4)
        response = self.client.get("/own", params={"fail": True})
        self.assertEqual((response.status_code, response.json()["error"]["name"]), (413, "KVC_E_CONTEXT"))

    def test_figures_and_description(self):
        self.assertEqual(self.client.get("/kvc/info").json()["model"]["name"], "builtin")
        self.assertIn("token_hit_rate", self.client.get("/kvc/stats").json())

    def test_many_at_once(self):
        results = []
        threads = [threading.Thread(target=lambda: results.append(self.ask(prompt=PROMPT, max_tokens=6).json()["text"]))
                   for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(results), len(set(results))), (16, 1))


if __name__ == "__main__":
    unittest.main()
