// A program with a runtime of its own: it computes K and V, kvc remembers them.
#include <cstdint>
#include <iostream>
#include <kvc/kvc.hpp>

namespace {

constexpr uint32_t kLayers = 4, kHeads = 2, kDim = 64;

// Stands for the model: K and V of `n` tokens of one layer as [tokens][heads][dim].
std::vector<float> compute(uint32_t layer, const int32_t* tokens, size_t n) {
  std::vector<float> rows;
  for (size_t t = 0; t < n; ++t)
    for (uint32_t i = 0; i < kHeads * kDim; ++i)
      rows.push_back(static_cast<float>(tokens[t]) + 0.001f * static_cast<float>(layer + i));
  return rows;
}

}  // namespace

int main() {
  try {
    kvc::Config config;
    config.set("model", "none");
    config.set("memory", "64MiB");
    kvc::Engine engine(config);

    // Everything that K/V depends on besides the tokens. What is left out and not said to be absent is an error.
    kvc::Space space = engine.open_space(kvc::SpaceDesc()
                                             .weights("sha256 of the weights goes here")
                                             .tokenizer("and of the tokenizer here")
                                             .rope(10000, kDim)
                                             .no_adapters()
                                             .no_attention()
                                             .layers(kLayers)
                                             .kv_heads(kHeads)
                                             .head_dim(kDim)
                                             .dtype(KVC_F32));

    std::vector<int32_t> prompt(200);
    for (size_t i = 0; i < prompt.size(); ++i) prompt[i] = static_cast<int32_t>(i);

    for (int round = 0; round < 2; ++round) {
      kvc::Session session = space.open_session();
      const size_t reused = session.match(prompt);  // at most once per prompt: to the token
      const size_t missing = prompt.size() - reused;
      std::cout << reused << " tokens reused, " << missing << " computed\n";
      for (uint32_t layer = 0; layer < kLayers && missing > 0; ++layer) {
        const std::vector<float> rows = compute(layer, prompt.data() + reused, missing);
        const kvc::Tensor kv = kvc::tensor_thd(rows.data(), missing, kHeads, kDim);
        session.append(layer, kv, kv, missing);
      }
      if (missing > 0) session.commit(prompt.data() + reused, missing);

      // Attention needs K of all tokens: one gather, as [heads][tokens][dim].
      std::vector<float> keys(prompt.size() * kHeads * kDim);
      session.read(3, KVC_KEY, 0, prompt.size(), kvc::tensor_htd(keys.data(), prompt.size(), kHeads, kDim));
      std::cout << "K of layer 3, head 1, token 150 begins with " << keys[(1 * prompt.size() + 150) * kDim] << '\n';
    }

    // What has no tokens goes under a key.
    const std::vector<float> image(2 * 3 * 4, 0.5f);
    engine.put("image 17", kvc::tensor(image, {2, 3, 4}));
    std::cout << "stored: " << engine.contains("image 17") << ", pages: " << engine.stats().pages << '\n';
  } catch (const kvc::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
