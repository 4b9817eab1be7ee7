"""bench.c through the Python package: the same figures."""
import time

import kvc
import numpy

CALLS, CHUNKS, TOKENS, HEADS, DIM, READS, PIECES = 10000, 20, 4096, 8, 64, 20, 400

with kvc.Engine() as engine:
    engine.put("key", numpy.ones(1, numpy.float32))
    chunks = []
    for _ in range(CHUNKS):
        begin = time.perf_counter_ns()
        for _ in range(CALLS):
            engine.contains(b"key")
        chunks.append(time.perf_counter_ns() - begin)
    print(f"contains_ns {min(chunks) / CALLS:.2f}")

    space = engine.open_space(weights=b"w", tokenizer=None, rope=None, adapters=None, attention=None, n_layers=1, n_kv_heads=HEADS,
                              k_head_dim=DIM, page_tokens=64)
    with space.open_session() as session:
        rows = numpy.zeros((TOKENS, HEADS, DIM), numpy.float32)
        session.append_all([rows], [rows])
        session.commit(range(TOKENS))
        best = min(-time.perf_counter_ns() + (session.read(0, kvc.Plane.KEY, 0, TOKENS, rows), time.perf_counter_ns())[1]
                   for _ in range(READS))
        print(f"read_ns {best}")

with kvc.Engine(threads=0) as engine, engine.submit("In the beginning", max_tokens=PIECES) as ticket:
    took, begin = [], time.perf_counter_ns()
    for _piece in ticket:
        now = time.perf_counter_ns()
        took.append(now - begin)
        begin = now
    print(f"piece_ns {sorted(took)[len(took) // 2]}")
