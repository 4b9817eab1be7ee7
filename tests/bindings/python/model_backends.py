"""Models for the tests: small, written in Python, whose answers show whether K/V came back right."""
import kvc
import numpy

LAYERS, HEADS, DIM, VOCAB = 2, 1, 4, 256


def desc(**changes):
    values = dict(weights=b"counting", tokenizer=None, rope=None, adapters=None, attention=None, n_layers=LAYERS,
                  n_kv_heads=HEADS, k_head_dim=DIM, page_tokens=8, vocab_size=VOCAB)
    return kvc.SpaceDesc(**{**values, **changes})


def rows(tokens):
    """K/V of tokens: each row has its token."""
    return numpy.broadcast_to(numpy.asarray(tokens, numpy.float32)[:, None, None], (len(tokens), HEADS, DIM)).copy()


class Counting(kvc.Backend):
    """The next token is the sum of all before it, read back from K/V, modulo 256 - so every page is looked at."""

    def __init__(self):
        self.opened, self.closed, self.is_released, self.computed = [], [], False, 0

    def describe(self):
        return kvc.ModelInfo("counting", desc(), context=512, ends=[13], details="adds up")

    def tokenize(self, text):
        return list(text)

    def detokenize(self, token):
        return bytes([token])

    def chat_text(self, messages, answer):
        return "".join(f"{role}: {content}\n" for role, content in messages) + ("assistant:" if answer else "")

    def sequence_open(self, sequence):
        self.opened.append(sequence)

    def sequence_close(self, sequence):
        self.closed.append(sequence)

    def forward(self, items):
        for item in items:
            new = rows(item.tokens)
            self.computed += len(item.tokens)
            item.session.append_all([new] * LAYERS, [new + 1] * LAYERS)
            if item.logits is None:
                continue
            n = item.position + len(item.tokens)
            out = numpy.empty((n, HEADS, DIM), numpy.float32)
            item.session.read(1, kvc.Plane.VALUE, 0, n, out)
            logits = numpy.asarray(item.logits)
            logits[:] = 0
            logits[int((out[:, 0, 0] - 1).sum()) % VOCAB] = 1

    def released(self):
        self.is_released = True

    @staticmethod
    def expected(prompt, n):
        tokens = list(prompt.encode())
        for _ in range(n):
            tokens.append(sum(tokens) % VOCAB)
            if tokens[-1] == 13:
                break
        return tokens[len(prompt.encode()):]


class OwnKv(Counting):
    """The same with K/V of its own, which kvc carries out and in."""
    kind = kvc.BackendKind.OWN_KV

    def __init__(self):
        super().__init__()
        self.sequences, self.imported = {}, 0

    def sequence_open(self, sequence):
        self.sequences[sequence] = []

    def sequence_close(self, sequence):
        del self.sequences[sequence]

    def forward(self, items):
        for item in items:
            own = self.sequences[item.sequence]
            assert len(own) == item.position and item.session is None
            own += item.tokens
            self.computed += len(item.tokens)
            if item.logits is not None:
                logits = numpy.asarray(item.logits)
                logits[:] = 0
                logits[sum(own) % VOCAB] = 1

    def export_kv(self, sequence, session, start, n):
        new = rows(self.sequences[sequence][start:start + n])
        for layer in range(LAYERS):
            session.append(layer, new, new + 1)

    def import_kv(self, sequence, session, tokens, start):
        assert len(self.sequences[sequence]) == start
        out = numpy.empty((len(tokens), HEADS, DIM), numpy.float32)
        session.read(0, kvc.Plane.KEY, start, len(tokens), out)
        assert out[:, 0, 0].astype(int).tolist() == tokens
        self.sequences[sequence] += tokens
        self.imported += len(tokens)

    def truncate(self, sequence, n):
        del self.sequences[sequence][n:]
