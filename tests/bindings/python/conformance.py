"""Replays tests/bindings/conformance.json with the Python package. Arrays are numpy's."""
import json
import shutil
import tempfile
from pathlib import Path

import kvc
import numpy

SCRIPT = Path(__file__).resolve().parents[1] / "conformance.json"


def tokens_of(step):
    tokens = step["tokens"]
    return list(range(tokens[0], tokens[2])) if len(tokens) == 3 and tokens[1] == "to" else tokens


def kv(layer, plane, first, n, heads, dim):
    t, h, d = numpy.ogrid[first:first + n, 0:heads, 0:dim]
    return ((2 * layer + plane) * 1000 + t * 10 + h + d / 16).astype(numpy.float32)


def plain(shape):
    return (numpy.arange(numpy.prod(shape), dtype=numpy.float32) / 2).reshape(shape)


class Replay:
    """One case. Each do_<operation>(step) returns what `expect` is compared with."""

    def __init__(self):
        self.named = {}
        self.folder = None

    def path(self, name):
        """A name in a folder of this case's own."""
        self.folder = self.folder or tempfile.mkdtemp(prefix="kvc-conformance-")
        return str(Path(self.folder) / name)

    def run(self, case):
        for index, step in enumerate(case["steps"]):
            where = f"{case['name']}, step {index + 1} ({step['do']})"
            try:
                result = getattr(self, "do_" + step["do"].replace(".", "_"))(step)
            except kvc.KvcError as error:
                assert error.name == step.get("error"), f"{where}: {error}, expected {step.get('error', 'success')}"
                continue
            assert "error" not in step, f"{where}: succeeded, expected {step['error']}"
            if "as" in step:
                self.named[step["as"]] = result
            if "expect" in step:
                self.compare(result, step["expect"], where)
        for item in self.named.values():
            if hasattr(item, "close"):
                item.close()
        if self.folder:
            shutil.rmtree(self.folder)

    def compare(self, result, expected, where):
        if not isinstance(expected, dict):
            assert result == expected, f"{where}: {result!r}, expected {expected!r}"
            return
        for name, value in expected.items():
            if name == "same as":
                assert result["ids"] == self.named[value]["ids"], f"{where}: other identities than {value}"
                continue
            found = result[name] if isinstance(result, dict) else getattr(result, name, None)
            if name == "n_tokens" and found is None:
                found = len(result.tokens)
            if isinstance(value, dict):
                value = self.named[value["same as"]].text
            assert found == value, f"{where}: {name} is {found!r}, expected {value!r}"

    def on(self, step):
        return self.named[step["on"]]

    def request(self, step):
        fields = ("max_tokens", "top_p", "priority", "action", "no_cache", "tenant", "stop", "session_id")
        values = {name: step[name] for name in fields if name in step}
        return kvc.Request(step["prompt"] if "prompt" in step else tokens_of(step), **values)

    def do_status_name(self, step):
        return kvc._lib.kvc_status_name(step["code"]).decode()

    def do_has_feature(self, step):
        return kvc.has_feature(step["name"])

    def do_option(self, step):
        return next(o for o in kvc.options() if o.name == step["name"])

    def do_config(self, step):
        return kvc.Config(step.get("preset"))

    def do_config_set(self, step):
        self.on(step).set(step["key"], step["value"])

    def do_config_get(self, step):
        return self.on(step).get(step["key"])

    def do_engine(self, step):
        options = dict(step.get("options", {}))
        if "disk_path" in options:
            options["disk_path"] = self.path(options["disk_path"])
        return kvc.Engine(**options)

    def do_engine_close(self, step):
        self.on(step).close()

    def do_process(self, step):
        return self.on(step).process(self.request(step))

    def do_process_batch(self, step):
        batch = self.on(step).process_batch([self.request(r) for r in step["requests"]])
        texts = {r.text for r in batch.responses if r}
        return {"error": batch.error.name if batch.error else None, "answered": [r is not None for r in batch.responses],
                "text": texts.pop() if len(texts) == 1 else texts}

    def do_text_lacks(self, step):
        assert step["what"] not in self.on(step).text

    def do_submit(self, step):
        return self.on(step).submit(self.request(step))

    def do_stream(self, step):
        return {"text": "".join(self.on(step))}

    def do_wait(self, step):
        return self.on(step).wait()

    def do_cancel(self, step):
        self.on(step).cancel()

    def do_poll(self, step):
        return len(self.on(step).poll())

    def do_step(self, step):
        return self.on(step).step()

    def do_stats(self, step):
        return self.on(step).stats()

    def do_tokenize(self, step):
        return self.on(step).tokenize(step["text"])

    def do_detokenize(self, step):
        return self.on(step).detokenize(step["tokens"])

    def do_space(self, step):
        d = step["desc"]
        values = {name: None for name in ("tokenizer", "rope", "adapters", "attention") if name != d.get("without")}
        return self.on(step).open_space(weights=d["weights"].encode(), n_layers=d["layers"], n_kv_heads=d["heads"],
                                        k_head_dim=d["dim"], page_tokens=d["page_tokens"], **values)

    def do_space_info(self, step):
        return self.on(step).info()

    def do_diff(self, step):
        return self.on(step).diff(self.named[step["other"]])

    def do_page_ids(self, step):
        ids = self.on(step).page_ids(tokens_of(step))
        return {"count": len(ids), "ids": ids}

    def do_session(self, step):
        return self.on(step).open_session(tenant=step.get("tenant"), publish=step.get("publish", True))

    def do_session_close(self, step):
        self.on(step).close(step.get("hint", 0), step.get("until_ns", 0))

    def do_match(self, step):
        return self.on(step).match(tokens_of(step))

    def do_miss(self, step):
        return self.on(step).miss()[0]

    def do_append(self, step):
        shape = step["from"], step["n"], step["heads"], step["dim"]
        self.on(step).append(step["layer"], kv(step["layer"], 0, *shape), kv(step["layer"], 1, *shape))

    def do_append_all(self, step):
        shape = step["from"], step["n"], step["heads"], step["dim"]
        self.on(step).append_all([kv(i, 0, *shape) for i in range(step["layers"])],
                                 [kv(i, 1, *shape) for i in range(step["layers"])])

    def do_commit(self, step):
        self.on(step).commit(tokens_of(step))

    def do_read(self, step):
        found = self.on(step).read(step["layer"], step["plane"], step["from"], step["n"])
        wanted = kv(step["layer"], step["plane"], step["from"], step["n"], step["heads"], step["dim"])
        assert numpy.array_equal(found, wanted), step

    def do_read_all(self, step):
        planes = self.on(step).read_all(step["from"], step["n"])
        for plane, layers in enumerate(planes):
            assert len(layers) == step["layers"]
            for layer, found in enumerate(layers):
                assert numpy.array_equal(found, kv(layer, plane, step["from"], step["n"], step["heads"], step["dim"]))

    def do_attend(self, step):
        heads, dim, layer = step["heads"], step["dim"], step["layer"]
        zeros = numpy.zeros((step["n"], step["query_heads"], dim), numpy.float32)
        found = self.on(step).attend(layer, zeros, window=step.get("window", 0))
        first, to = step["mean_of_tokens"]
        # Attention of queries of zeros is the mean of V over the tokens that they see.
        mean = kv(layer, 1, first, to - first, heads, dim).mean(axis=0).repeat(step["query_heads"] // heads, axis=0)
        assert numpy.allclose(found, mean, rtol=1e-3), step

    def do_hint(self, step):
        self.on(step).hint(step["hint"])

    def do_expect(self, step):
        self.on(step).expect(step["in_ns"])

    def do_chat_text(self, step):
        return self.on(step).chat_text(step["messages"], step.get("answer", True))

    def do_persist(self, step):
        return self.on(step).persist()

    def do_persist_to(self, step):
        return self.on(step).persist_to(self.path(step["path"]), step.get("tenant"))

    def do_load(self, step):
        return self.on(step).load(self.path(step["path"]))

    def do_pack_write(self, step):
        return self.on(step).write_pack(tokens_of(step), self.path(step["path"]), step.get("tenant"))

    def do_pack_open(self, step):
        return self.on(step).open_pack(self.path(step["path"]))

    def do_purge(self, step):
        return self.on(step).purge(step.get("tenant"))

    def do_trace_start(self, step):
        self.on(step).trace_start(self.path(step["path"]))

    def do_trace_stop(self, step):
        return self.on(step).trace_stop()

    def do_whatif(self, step):
        return self.on(step).whatif(step.get("budget", 0), step.get("policy"))

    def do_adapt(self, step):
        self.on(step).adapt(step.get("objective") == 1, step.get("prefill_speed", 0.0))

    def do_session_info(self, step):
        return self.on(step).info()

    def do_session_tokens(self, step):
        return self.on(step).tokens(step["from"], step["n"])

    def do_truncate(self, step):
        self.on(step).truncate(step["n"])

    def do_fork(self, step):
        return self.on(step).fork()

    def do_pin(self, step):
        self.on(step).pin(step["pinned"])

    def do_set_priority(self, step):
        self.on(step).set_priority(step["priority"])

    def do_trim(self, step):
        return self.on(step).trim(step["bytes"])

    def do_pages(self, step):
        pages = list(self.on(step).pages())
        return {"count": len(pages), "positions": [p.position for p in pages], "n_tokens": [p.n_tokens for p in pages],
                "codec": pages[0].codec, "ids": [p.id for p in pages]}

    def page_id(self, step):
        return self.named[step["page"]]["ids"][step["index"]] if "page" in step else bytes.fromhex(step["id"]) * 32

    def do_page_tokens(self, step):
        return self.on(step).page_tokens(self.page_id(step))

    def do_page_info(self, step):
        return self.on(step).page_info(self.page_id(step))

    def do_put(self, step):
        self.on(step).put(step["key"], plain(step["shape"]))

    def do_get(self, step):
        found = self.on(step).get(step["key"], tenant=step.get("tenant"))
        if found is None:
            return None
        assert numpy.array_equal(found, plain(found.shape))
        return list(found.shape)

    def do_contains(self, step):
        return self.on(step).contains(step["key"])

    def do_remove(self, step):
        return self.on(step).remove(step["key"])


def main():
    cases = json.loads(SCRIPT.read_text(encoding="utf-8"))["cases"]
    failed = 0
    for case in cases:
        try:
            Replay().run(case)
        except (AssertionError, kvc.KvcError) as error:
            failed += 1
            print(error)
    print(f"{len(cases)} cases, {sum(len(c['steps']) for c in cases)} steps, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
