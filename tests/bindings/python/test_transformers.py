"""kvc.transformers and a real transformers model behind kvc.Backend: a small Llama with random weights, on the CPU."""
import unittest
import warnings

import kvc
import numpy
import torch
import transformers
import transformers.generation.utils as generation
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

import kvc.transformers  # noqa: E402 - needs torch

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
if torch.__version__ < "2":    # Debian's torch 1.13 cannot import what this asks on Python 3.11
    generation.is_fsdp_managed_module = lambda module: False

CONFIG = dict(vocab_size=128, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=512, bos_token_id=None, eos_token_id=None, pad_token_id=0)


def llama(seed=0, dtype=torch.float32, **changes):
    torch.manual_seed(seed)
    # Larger weights than the default: the answers vary.
    return LlamaForCausalLM(LlamaConfig(**{**CONFIG, "initializer_range": 0.4, **changes})).to(dtype).eval()


def ids(n, seed=1):
    return torch.randint(1, 128, (1, n), generator=torch.Generator().manual_seed(seed))


class Computed:
    """Counts the tokens that a model computes."""

    def __init__(self, model):
        self.tokens = 0
        model.model.layers[0].mlp.register_forward_pre_hook(lambda module, args: self._add(args[0].shape[1]))

    def _add(self, n):
        self.tokens += n

    def take(self):
        taken, self.tokens = self.tokens, 0
        return taken


def generate(model, prompt, n, cache=None):
    with torch.no_grad():
        return model.generate(prompt, attention_mask=torch.ones_like(prompt),
                              past_key_values=cache if cache is not None else DynamicCache(), max_new_tokens=n, do_sample=False)


class Generate(unittest.TestCase):
    def test_the_output_is_the_same_and_the_prefix_is_not_computed(self):
        model = llama()
        computed, prompt = Computed(model), ids(100)
        plain = generate(model, prompt, 20)
        self.assertEqual(computed.take(), 119)
        self.assertGreater(len(set(plain[0, 100:].tolist())), 5)
        with kvc.transformers.Store(model, memory="64MiB", page_tokens=16) as store:
            for reused in (0, 99):
                with store.cache(prompt) as cache:
                    self.assertEqual(cache.reused, reused)
                    output = generate(model, prompt, 20, cache)
                    self.assertTrue(torch.equal(output, plain))
                    self.assertEqual(computed.take(), 119 - reused)
                    self.assertEqual(cache.commit(output), 119)
            # The conversation goes on: what was answered is known as well.
            longer = torch.cat([plain, ids(10, 2)], 1)
            expected = generate(model, longer, 8)
            computed.take()
            with store.cache(longer) as cache:
                self.assertEqual(cache.reused, 119)
                self.assertTrue(torch.equal(generate(model, longer, 8, cache), expected))
            self.assertEqual(computed.take(), 130 + 7 - 119)

    def test_half_precision_comes_back_to_the_bit(self):
        for dtype in (torch.bfloat16, torch.float16):
            model = llama(dtype=torch.float32).to(dtype)
            prompt = ids(40)
            with kvc.transformers.Store(model, memory="64MiB", page_tokens=16) as store:
                k = [torch.randn(1, 2, 40, 16).to(dtype) for _ in range(3)]
                with store.cache(prompt) as cache:
                    for layer, t in enumerate(k):
                        cache.update(t, -t, layer)
                    cache.commit(prompt)
                with store.cache(torch.cat([prompt, prompt], 1)) as cache:
                    self.assertEqual(cache.reused, 40)
                    for (found_k, found_v), t in zip(cache._layers(), k):
                        self.assertTrue(torch.equal(found_k, t) and torch.equal(found_v, -t))

    def test_other_weights_or_options_are_another_model(self):
        prompt = ids(50)
        engine = kvc.Engine(model="none", memory="64MiB")
        model = llama()
        with kvc.transformers.Store(model, engine).cache(prompt) as cache:
            cache.commit(generate(model, prompt, 4, cache))
        for other in (llama(seed=5), llama(rope_theta=500000.0), llama(rms_norm_eps=1e-3)):
            with kvc.transformers.Store(other, engine).cache(prompt) as cache:
                self.assertEqual(cache.reused, 0)
        store = kvc.transformers.Store(model, engine)
        with store.cache(prompt) as cache:
            self.assertEqual(cache.reused, 49)
        with torch.no_grad():
            model.model.layers[1].self_attn.k_proj.weight.mul_(1.01)
        with store.cache(prompt) as cache:
            self.assertEqual(cache.reused, 0)
        engine.close()

    def test_tenants_do_not_share(self):
        model, prompt = llama(), ids(50)
        with kvc.transformers.Store(model, memory="64MiB") as store:
            with store.cache(prompt, tenant="a") as cache:
                cache.commit(generate(model, prompt, 4, cache))
            with store.cache(prompt, tenant="b") as cache:
                self.assertEqual(cache.reused, 0)

    def test_what_cannot_be_kept_is_refused(self):
        model, prompt = llama(), ids(20)
        with kvc.transformers.Store(model, memory="64MiB") as store:
            with self.assertRaises(kvc.KvcError):
                store.cache(torch.cat([prompt, prompt]))
            with store.cache(prompt) as cache:
                output = generate(model, prompt, 4, cache)
                with self.assertRaises(kvc.KvcError):
                    cache.commit(torch.flip(output, [1]))
                with self.assertRaises(kvc.KvcError):
                    cache.commit(prompt)

    def test_every_codec_makes_it_smaller_and_stays_near(self):
        model, prompt = llama(), ids(192)
        sizes = {}
        # Random weights have no few directions that hold the energy of the keys, so cutting the others off costs there.
        nearness = {"svd": 0.7}
        choices = next(o for o in kvc.options() if o.name == "codec").choices.split("|")
        for codec in choices:
            with kvc.transformers.Store(model, memory="64MiB", codec=codec, page_tokens=64) as store:
                with store.cache(prompt) as cache:
                    output = generate(model, prompt, 2, cache)
                    exact = [k.clone() for k, _v in cache._layers()]
                    cache.commit(output)
                sizes[codec] = store.engine.stats().memory_payload
                with store.cache(output) as cache:
                    self.assertEqual(cache.reused, 193)
                    for (found, _v), wanted in zip(cache._layers(), exact):
                        a, b = found.flatten().double(), wanted[:, :, :193].flatten().double()
                        self.assertGreater(float(a @ b / (a.norm() * b.norm())), nearness.get(codec, 0.95), codec)
                    if codec == "identity":
                        self.assertTrue(all(torch.equal(f, w[:, :, :193]) for (f, _v), w in zip(cache._layers(), exact)))
        for codec in choices:
            if codec == "sparse":  # what it leaves out of memory goes to disk, and there is none
                continue
            self.assertLessEqual(sizes[codec], sizes["identity"], codec)


class TransformersBackend(kvc.Backend):
    """A transformers model behind the engine: K/V of the past is read from kvc's pages, the new is appended to them."""

    def __init__(self, model):
        self.model, self.computed = model, 0
        self.config = model.config
        self.dim = self.config.hidden_size // self.config.num_attention_heads

    def describe(self):
        desc = kvc.transformers.identity_of(self.model, page_tokens=16)
        return kvc.ModelInfo("random llama", desc, context=512)

    def tokenize(self, text):
        return [b % 128 for b in text]

    def detokenize(self, token):
        return bytes([token])

    @torch.no_grad()
    def forward(self, items):
        for item in items:
            cache, n = DynamicCache(), len(item.tokens)
            if item.position:
                shape = (1, self.config.num_key_value_heads, item.position, self.dim)
                k, v = ([torch.empty(shape) for _ in range(self.config.num_hidden_layers)] for _ in range(2))
                item.session.read_all(0, item.position, [t[0].permute(1, 0, 2) for t in k], [t[0].permute(1, 0, 2) for t in v])
                for layer in range(len(k)):
                    cache.update(k[layer], v[layer], layer)
            out = self.model(torch.tensor([item.tokens]), past_key_values=cache, use_cache=True)
            self.computed += n
            new_k, new_v = ([t[0, :, item.position:].permute(1, 0, 2) for t in plane] for plane in (cache.key_cache, cache.value_cache))
            item.session.append_all(new_k, new_v)
            if item.logits is not None:
                numpy.asarray(item.logits)[:] = out.logits[0, -1].numpy()


class Backend(unittest.TestCase):
    def test_a_transformers_model_behind_the_engine_answers_as_generate_does(self):
        model, prompt = llama(), ids(60)
        plain = generate(model, prompt, 12)[0, 60:].tolist()
        backend = TransformersBackend(model)
        with kvc.Engine(backend=backend, memory="64MiB") as engine:
            first = engine.process(prompt[0].tolist(), max_tokens=12)
            computed = backend.computed
            again = engine.process(prompt[0].tolist(), max_tokens=12)
            self.assertEqual((first.tokens, again.tokens), (plain, plain))
            self.assertEqual((first.cached_tokens, again.cached_tokens), (0, 59))
            self.assertEqual((computed, backend.computed - computed), (71, 12))
            self.assertEqual("".join(engine.stream(prompt[0].tolist(), max_tokens=12)), first.text)


if __name__ == "__main__":
    unittest.main()
