"""Drives the kvc program as a user does: exit statuses, what goes where, JSON.

    python3 cli_test.py build/release/bin/kvc [unittest options]
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

KVC = ""
PROMPT = ("In the beginning God created the heaven and the earth. "
          "And the earth was without form, and void; and darkness was.")


def kvc(*words, stdin="", encoding="utf-8"):
    return subprocess.run([KVC, *words], input=stdin, capture_output=True, encoding=encoding, timeout=240)


class Case(unittest.TestCase):
    def assert_refused(self, done, status, *words):
        """Failed as a program should: this exit status, nothing on stdout, a message of kvc's own on stderr."""
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertTrue(done.stderr.startswith("kvc: "), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def answers(self, *words, **keys):
        done = kvc("run", "--json", *words, **keys)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)


class Help(Case):
    def test_every_command_helps_on_stdout(self):
        for words in (["--help"], ["-h"], ["run", "--help"], ["info", "--help"], ["bench", "--help"],
                      ["bench", "core", "-h"]):
            done = kvc(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""), words)
            self.assertIn("usage: kvc", done.stdout)

    def test_version(self):
        done = kvc("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^kvc \d+\.\d+\.\d+\n$")


class Usage(Case):
    def test_command_lines_that_make_no_sense_exit_with_2(self):
        for words, said in [
            ([], "no command"),
            (["frobnicate"], "frobnicate"),
            (["--frobnicate"], "--frobnicate"),
            (["run"], "--prompt"),
            (["run", "--frobnicate"], "--frobnicate"),
            (["run", "--prompt"], "--prompt"),
            (["run", "--json=yes", "--prompt", "x"], "--json"),
            (["run", "stray"], "stray"),
            (["run", "--prompt", "x", "--max-tokens", "many"], "many"),
            (["run", "--prompt", "x", "--max-tokens", "-1"], "-1"),
            (["run", "--prompt", "x", "--max-tokens", "0"], "max-tokens"),
            (["run", "--prompt", "x", "--repeat", "0"], "repeat"),
            (["run", "--prompt", "x", "--temperature", "warm"], "warm"),
            (["run", "--prompt", "x", "--temperature", "-1"], "temperature"),
            (["run", "--prompt", "x", "--top-p", "1.5"], "top_p"),
            (["run", "--prompt", "x", "--seed", "99999999999999999999"], "seed"),
            (["run", "--prompt", "x", "--preset", "nonsense"], "seamless"),
            (["run", "--prompt", "x", "--set", "memory"], "key=value"),
            (["run", "--prompt", "x", "--set", "nonsense=1"], "nonsense"),
            (["run", "--prompt", "x", "--set", "memory=lots"], "lots"),
            (["run", "--prompt", "x", "--conversation", "--repeat", "2"], "--repeat"),
            (["run", "--prompt", "x", "--chat", "--conversation"], "--conversation"),
            (["run", "--prompt", "x", "--system", "be brief"], "--chat"),
            (["info", "--set", "policy=nonsense"], "nonsense"),
            (["bench"], "core"),
            (["bench", "nonsense"], "nonsense"),
            (["bench", "core", "extra"], "extra"),
        ]:
            with self.subTest(words=words):
                self.assert_refused(kvc(*words), 2, said, "--help" if said != "top_p" and said != "temperature" else "")


class Failures(Case):
    def test_missing_file(self):
        self.assert_refused(kvc("run", "--file", "/nonexistent/prompt"), 1, "/nonexistent/prompt", "No such file")

    def test_directory_as_a_file(self):
        self.assert_refused(kvc("run", "--file", "/"), 1, "'/'")

    def test_model_that_is_not_there(self):
        done = kvc("run", "--prompt", "x", "--model", "/nonexistent/model")
        self.assert_refused(done, 1, "'/nonexistent/model'", "builtin")

    def test_no_model(self):
        self.assert_refused(kvc("run", "--prompt", "x", "--set", "model=none"), 1, "KVC_E_UNSUPPORTED")

    def test_chat_with_a_model_that_has_no_form_for_it(self):
        self.assert_refused(kvc("run", "--chat", stdin="Hello\n"), 1, "chat template", "UNSUPPORTED")

    def test_budget_too_small_for_a_page(self):
        self.assert_refused(kvc("run", "--prompt", "x", "--set", "memory=0"), 1, "KVC_E_BUDGET", "memory")

    def test_prompt_longer_than_the_context(self):
        self.assert_refused(kvc("run", "--file", "-", stdin="word " * 2000), 1, "KVC_E_CONTEXT")

    def test_prompt_that_is_not_utf8(self):
        done = kvc("run", "--file", "-", stdin=b"\xff\xfe\xfd", encoding=None)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"KVC_E_UTF8", done.stderr)

    def test_refusal_as_json_is_still_json(self):
        done = kvc("run", "--json", "--prompt", "good", "--max-tokens", "2", "--file", "-", stdin="word " * 2000)
        self.assertEqual(done.returncode, 1)
        good, bad = json.loads(done.stdout)
        self.assertEqual((good["status_name"], bad["status_name"]), ("KVC_OK", "KVC_E_CONTEXT"))
        self.assertLess(bad["status"], 0)
        self.assertTrue(bad["error"])
        self.assertIn("KVC_E_CONTEXT", done.stderr)

    def test_full_disk_is_an_error(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([KVC, "info"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=240)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)

    def test_closed_pipe_ends_quietly(self):
        # SIGPIPE as a shell leaves it, and ignored as some parents do.
        for restore in (True, False):
            reader, writer = os.pipe()
            os.close(reader)
            done = subprocess.run([KVC, "info"], stdout=writer, stderr=subprocess.PIPE, restore_signals=restore,
                                  timeout=240)
            os.close(writer)
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(done.stderr, b"")


class Run(Case):
    def test_text_on_stdout_figures_on_stderr(self):
        done = kvc("run", "--prompt", PROMPT, "--max-tokens", "8")
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.endswith("\n"))
        self.assertEqual(done.stdout[:-1], self.answers("--prompt", PROMPT, "--max-tokens", "8")[0]["text"])
        self.assertRegex(done.stderr, r"^kvc: \d+ prompt tokens: 0 cached, \d+ computed; first token after \d+\.\d+ s;")

    def test_json_has_the_fields_of_a_response(self):
        answer, = self.answers("--prompt", PROMPT, "--max-tokens", "8")
        for field in ("status", "text_size", "n_tokens", "prompt_tokens", "cached_tokens", "computed_tokens",
                      "queue_ns", "prefill_ns", "decode_ns", "total_ns", "ttft_ns", "saved_ns", "ticket"):
            self.assertIs(type(answer[field]), int, field)
        for field in ("status_name", "finish_reason", "text", "miss_reason", "miss_text", "error"):
            self.assertIs(type(answer[field]), str, field)
        self.assertEqual((answer["status"], answer["status_name"], answer["error"]), (0, "KVC_OK", ""))
        self.assertEqual((answer["finish_reason"], len(answer["tokens"]), answer["n_tokens"]), ("length", 8, 8))
        self.assertEqual(len(answer["text"].encode()), answer["text_size"])
        self.assertEqual(answer["queue_ns"] + answer["prefill_ns"] + answer["decode_ns"], answer["total_ns"])

    def test_repeat_is_cold_then_warm_and_equal(self):
        # The answer is long enough to fill the page that the prompt ends in: only full pages outlive a request.
        cold, warm, again = self.answers("--prompt", PROMPT, "--max-tokens", "64", "--repeat", "3")
        self.assertEqual((cold["cache_hit"], cold["cached_tokens"], cold["miss_reason"]), (False, 0, "new"))
        self.assertEqual((warm["cache_hit"], warm["computed_tokens"]), (True, 1))
        self.assertEqual(warm["cached_tokens"] + warm["computed_tokens"], warm["prompt_tokens"])
        self.assertEqual([cold["tokens"]] * 2, [warm["tokens"], again["tokens"]])

    def test_no_cache_finds_nothing(self):
        for answer in self.answers("--prompt", PROMPT, "--max-tokens", "2", "--repeat", "2", "--no-cache"):
            self.assertEqual((answer["cache_hit"], answer["miss_reason"]), (False, "disabled"))

    def test_prompts_share_one_engine_in_order(self):
        first, longer = self.answers("--prompt", PROMPT, "--prompt", PROMPT + " And so", "--max-tokens", "2")
        self.assertEqual(first["cached_tokens"], 0)
        self.assertGreaterEqual(longer["cached_tokens"], 64)

    def test_conversation_sends_everything_said_before(self):
        first, second = self.answers("--conversation", "--prompt", PROMPT, "--prompt", "And then", "--max-tokens", "64")
        self.assertEqual(second["prompt_tokens"],
                         first["prompt_tokens"] + len((first["text"] + "And then").encode()))
        self.assertGreaterEqual(second["cached_tokens"], first["prompt_tokens"])

    def test_standard_input_equals_prompt(self):
        piped, = self.answers("--file", "-", "--max-tokens", "6", stdin=PROMPT)
        given, = self.answers("--prompt", PROMPT, "--max-tokens", "6")
        self.assertEqual(piped["tokens"], given["tokens"])

    def test_file_with_text_beyond_ascii(self):
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write("Grüße, κόσμε \"quoted\" \\ \t 🙂\n")
            file.flush()
            answer, = self.answers("--file", file.name, "--max-tokens", "4", "--temperature", "100", "--seed", "7")
        self.assertEqual(answer["status"], 0)
        self.assertEqual(answer["prompt_tokens"], 1 + len("Grüße, κόσμε \"quoted\" \\ \t 🙂\n".encode()))

    def test_same_seed_same_answer(self):
        words = ("--prompt", PROMPT, "--max-tokens", "16", "--temperature", "1.5", "--top-k", "50", "--top-p",
                 "0.95", "--seed")
        one, same = (self.answers(*words, "1")[0] for _ in range(2))
        others = [self.answers(*words, str(seed))[0]["tokens"] for seed in range(2, 6)]
        self.assertEqual(one["tokens"], same["tokens"])
        self.assertTrue(any(tokens != one["tokens"] for tokens in others))

    def test_stop_ends_before_the_text(self):
        whole, = self.answers("--prompt", PROMPT, "--max-tokens", "24")
        stop = whole["text"][5:8]
        cut, = self.answers("--prompt", PROMPT, "--max-tokens", "24", "--stop", stop, "--stop", "never met")
        self.assertEqual(cut["finish_reason"], "stop")
        self.assertEqual(cut["text"], whole["text"][:whole["text"].index(stop)])

    def test_tenant_session_and_preset_are_accepted(self):
        answer, = self.answers("--prompt", PROMPT, "--max-tokens", "2", "--tenant", "a", "--session", "s", "--preset",
                               "memory_efficient", "--set", "policy=fifo", "--set", "max_batch=1", "--model=builtin")
        self.assertEqual(answer["n_tokens"], 2)


class Info(Case):
    def test_json(self):
        done = kvc("info", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        info = json.loads(done.stdout)
        self.assertEqual("kvc " + info["version"] + "\n", kvc("--version").stdout)
        names = [option["name"] for option in info["options"]]
        self.assertEqual(len(names), len(set(names)))
        for name in ("model", "memory", "policy", "page_tokens", "threads"):
            self.assertIn(name, names)
        for option in info["options"]:
            self.assertTrue(option["doc"] and option["since"] and option["type"] != "unknown", option)
        self.assertEqual(list(info["presets"]),
                         ["seamless", "adaptive", "high_performance", "memory_efficient", "bulk_optimized"])
        self.assertEqual(info["presets"]["seamless"], {})
        self.assertTrue(info["presets"]["memory_efficient"])
        for settings in info["presets"].values():
            self.assertTrue(set(settings) <= set(names), settings)
        self.assertIs(type(info["build"]), dict)
        self.assertIs(type(info["engine"]), dict)

    def test_text_names_every_option_and_preset(self):
        info = json.loads(kvc("info", "--json").stdout)
        text = kvc("info").stdout
        for word in [option["name"] for option in info["options"]] + list(info["presets"]):
            self.assertIn(word, text)

    def test_shows_the_engine_that_options_describe(self):
        engines = [json.dumps(json.loads(kvc("info", "--json", "--set", "memory=" + size).stdout)["engine"])
                   for size in ("64MiB", "128MiB")]
        self.assertNotEqual(*engines)


class Bench(Case):
    KEYS = ["identity_ns_per_16_tokens", "match_4096_us", "read_vs_memcpy", "append_vs_memcpy",
            "match_scaling_2_threads", "metadata_bytes_per_page", "idle_rss_mb", "ttft_warm_over_cold", "lib_mb"]

    def test_json_has_the_promised_keys(self):
        done = kvc("bench", "core", "--quick", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        figures = json.loads(done.stdout)
        for key in self.KEYS:
            self.assertIn(type(figures[key]), (int, float), key)
        # What no noise can change.
        for key in ("identity_ns_per_16_tokens", "match_4096_us", "read_vs_memcpy", "append_vs_memcpy", "lib_mb"):
            self.assertGreater(figures[key], 0, key)
        self.assertLess(figures["lib_mb"], figures["lib_with_weights_mb"])
        self.assertTrue(figures["quick"])

    def test_table_names_every_figure(self):
        done = kvc("bench", "core", "--quick")
        self.assertEqual(done.returncode, 0, done.stderr)
        for key in self.KEYS:
            self.assertIn(key, done.stdout)


class BenchDisk(Case):
    def test_json_has_the_figure(self):
        done = kvc("bench", "disk", "--quick", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        figures = json.loads(done.stdout)
        for key in ("ttft_disk_over_cold", "ttft_disk_ms", "ttft_computed_ms", "disk_read_mb"):
            self.assertGreater(figures[key], 0, key)
        self.assertGreater(figures["prompt_tokens"], 150)


class BenchStore(Case):
    def test_one_object_with_all_figures(self):
        # Without the throughput beside fio and RocksDB, and without a model: those are null.
        environment = {name: value for name, value in os.environ.items() if name != "KVC_TEST_MODEL"}
        done = subprocess.run([KVC, "bench", "store", "--quick", "--json", "--mib", "0"], capture_output=True, text=True,
                              env=environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        figures = json.loads(done.stdout)
        for key in ("put_vs_fio", "get_vs_fio", "put_cpu_s_per_gb", "get_cpu_s_per_gb", "overshoot_bytes", "write_amplification",
                    "put_p99_ms", "reopen_1m_ms", "lossless_ratio_f16", "lossless_ratio_bf16", "ttft_disk_over_cold"):
            self.assertIsNone(figures[key], key)
        self.assertEqual(figures["hits_kept_after_kill"], 1)
        self.assertEqual(figures["reopened_pages"], 2000)
        self.assertLess(figures["ram_bytes_per_page"], 96)


class Stores(Case):
    """inspect, verify, compact and export of a directory that `kvc run` filled."""

    LONG = PROMPT * 3

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.store = os.path.join(folder.name, "store")
        self.pack = os.path.join(folder.name, "prefix.pack")

    def fill(self, *words):
        return self.answers("--prompt", self.LONG, "--max-tokens", "8", "--set", "disk_path=" + self.store, *words)[0]

    def report(self, command, *words, status=0):
        done = kvc(command, *words, "--json")
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout)

    def damage(self):
        """Changes one byte of every block of the segments that holds something, but for headers."""
        changed = 0
        for name in os.listdir(self.store):
            if not name.startswith("seg-"):
                continue
            with open(os.path.join(self.store, name), "r+b") as file:
                data = file.read()
                for at in range(4096, len(data), 4096):
                    block = data[at:at + 4096]
                    if any(block) and not block.startswith((b"pgrecord", b"pgtable")):
                        file.seek(at + 2000)
                        file.write(bytes([block[2000] ^ 1]))
                        changed += 1
        return changed

    def test_a_filled_directory_hits_and_is_whole(self):
        cold, warm = self.fill(), self.fill()
        self.assertEqual((cold["cached_tokens"], warm["computed_tokens"]), (0, 1))
        self.assertEqual(cold["tokens"], warm["tokens"])
        held = self.report("inspect", self.store)
        self.assertGreaterEqual(held["pages"], len(self.LONG) // 64)
        self.assertEqual((held["checked_bytes"], held["damaged"], held["pack"], held["encrypted"]), (0, 0, 0, 0))
        self.assertGreaterEqual(held["file_bytes"], held["stored_bytes"])
        whole = self.report("verify", self.store)
        self.assertEqual((whole["damaged"], whole["checked_bytes"]), (0, held["stored_bytes"]))
        compact = self.report("compact", self.store)
        self.assertEqual(compact["pages"], held["pages"])
        self.assertLessEqual(compact["file_bytes"], held["file_bytes"])
        self.assertEqual(self.fill()["tokens"], cold["tokens"])
        text = kvc("inspect", self.store)
        self.assertEqual((text.returncode, text.stderr), (0, ""))
        self.assertIn("a directory of pages", text.stdout)

    def test_damage_is_told_counted_and_never_used(self):
        cold = self.fill()
        self.assertGreater(self.damage(), 0)
        done = kvc("verify", self.store, "--json")
        self.assertEqual(done.returncode, 1)
        self.assertGreater(json.loads(done.stdout)["damaged"], 0)
        self.assertIn("KVC_E_CORRUPT", done.stderr)
        self.assertEqual(self.fill()["tokens"], cold["tokens"])

    def test_a_key_is_needed_and_told_of(self):
        key = "0123456789abcdef" * 4
        self.fill("--set", "disk_key=" + key)
        self.assert_refused(kvc("verify", self.store), 1, "encrypted")
        self.assert_refused(kvc("verify", self.store, "--key", key[::-1]), 1, "key")
        whole = self.report("verify", self.store, "--key", key)
        self.assertEqual((whole["encrypted"], whole["damaged"], whole["locked"]), (1, 0, 0))

    def test_export_writes_what_is_stored_of_a_prefix(self):
        self.fill()
        done = kvc("export", self.store, self.pack, "--prefix", self.LONG)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(f"{len(self.LONG) + 1} of {len(self.LONG) + 1} tokens", done.stdout)
        held = self.report("verify", self.pack)
        self.assertEqual((held["pack"], held["damaged"]), (1, 0))
        self.assertGreaterEqual(held["pages"], len(self.LONG) // 64)
        self.assertIn("a prefix pack", kvc("inspect", self.pack).stdout)
        with open(self.pack, "r+b") as file:
            file.truncate(5000)
        self.assertEqual(kvc("verify", self.pack).returncode, 1)
        done = kvc("export", self.store, self.pack, "--prefix", self.LONG, "--tenant", "another")
        self.assert_refused(done, 1, "KVC_E_NOT_FOUND")

    def test_what_is_no_store_is_refused(self):
        for command in ("inspect", "verify", "compact"):
            self.assert_refused(kvc(command, self.store), 1, "KVC_E_NOT_FOUND")
            self.assert_refused(kvc(command), 2, "--help")
        self.assert_refused(kvc("export", self.store, self.pack), 2, "--prefix")
        self.assert_refused(kvc("export", self.store, "--prefix", "x"), 2, "--help")
        self.assertFalse(os.path.exists(self.store))


class Replay(Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.requests = []
        fresh = 1000
        for i in range(400):  # ten conversations that grow in turn, and prompts that nobody asks again
            if i % 2:
                ids, last = list(range(10 * (i % 10) * 100, 10 * (i % 10) * 100 + 3 + i // 20)), 512
            else:
                ids, last = list(range(10**6 + fresh, 10**6 + fresh + 7)), 100
                fresh += 7
            self.requests.append({"timestamp": 1000 * i, "input_length": 512 * (len(ids) - 1) + last,
                                  "output_length": 10, "hash_ids": ids})
        self.trace = self.path("trace.jsonl", "".join(json.dumps(r) + "\n" for r in self.requests))

    def path(self, name, text=None):
        path = os.path.join(self.folder.name, name)
        if text is not None:
            with open(path, "w") as file:
                file.write(text)
        return path

    def lru_hits(self, size):
        """Leaf-first LRU is plain LRU where a chain is touched from its end."""
        order, hits = {}, 0
        for request in self.requests:
            ids = request["hash_ids"]
            for block in ids:
                if block not in order:
                    break
                hits += 1
            for block in reversed(ids):
                order.pop(block, None)
                order[block] = True
            while len(order) > size:
                del order[next(iter(order))]
        return hits

    def test_lru_hits_what_lru_hits_and_nothing_beats_the_minimum(self):
        done = kvc("replay", "--trace", self.trace, "--pages", "40,150", "--policy",
                   "lru,lfu,fifo,clock,sieve,s3fifo,arc,wtinylfu,lecar,gdsf,adaptive", "--json", "--plot", self.path("plot.svg"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        report = json.loads(done.stdout)
        accesses = sum(len(r["hash_ids"]) for r in self.requests)
        self.assertEqual(report["page_accesses"], accesses)
        best = {r["pages"]: r["page_hit_ratio"] for r in report["results"] if r["policy"] == "minimum"}
        for result in report["results"]:
            self.assertLessEqual(result["page_hit_ratio"], best[result["pages"]] + 1e-9, result)
            if result["policy"] == "lru":
                self.assertAlmostEqual(result["page_hit_ratio"] * accesses, self.lru_hits(result["pages"]), delta=0.01)
        with open(self.path("plot.svg")) as file:
            self.assertIn("adaptive", file.read())

    def test_a_referee_finds_every_claimed_hit(self):
        for policy in ("lru", "arc", "adaptive"):
            log = self.path("log")
            done = kvc("replay", "--trace", self.trace, "--pages", "60", "--policy", policy, "--log", log,
                       "--hints", "0.5", "--false-hints", "0.2")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            numbers, held = {}, set()
            with open(log) as file:
                lines = file.read().splitlines()
            self.assertEqual(len(lines), len(self.requests))
            for request, line in zip(self.requests, lines):
                ids = [numbers.setdefault(block, len(numbers)) for block in request["hash_ids"]]
                hits = next((i for i, block in enumerate(ids) if block not in held), len(ids))
                claimed, *changes = line.split()
                self.assertEqual(int(claimed), hits)
                for change in changes:
                    block = int(change[1:])
                    if change[0] == "+":
                        self.assertIn(block, ids)
                        held.add(block)
                    else:
                        held.remove(block)
                self.assertLessEqual(len(held), 60)

    def test_what_is_no_trace_is_refused(self):
        self.assert_refused(kvc("replay", "--pages", "10"), 2, "--trace")
        self.assert_refused(kvc("replay", "--trace", self.trace), 2, "--pages")
        self.assert_refused(kvc("replay", "--trace", self.trace, "--pages", "10", "--policy", "best"), 2, "best")
        bad = self.path("bad", '{"timestamp": 1}\n')
        self.assert_refused(kvc("replay", "--trace", bad, "--pages", "10"), 1, "bad:1")
        self.assert_refused(kvc("replay", "--trace", self.path("none"), "--pages", "10"), 1, "none")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: cli_test.py PROGRAM [unittest options]")
    KVC = os.path.abspath(sys.argv.pop(1))
    unittest.main()
