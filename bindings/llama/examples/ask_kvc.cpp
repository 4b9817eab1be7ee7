// Answers questions about a document with llama.cpp and kvc: what questions share is computed once.
//
//     ask_kvc MODEL.gguf DOCUMENT QUESTION...        environment GGML_LIB: folder with ggml's libraries, if not beside the program
#include <ggml-backend.h>
#include <kvc/kvc_llama.h>
#include <llama.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  std::stringstream document;
  document << std::ifstream(argc > 2 ? argv[2] : "").rdbuf();
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  ggml_backend_load_all_from_path(std::getenv("GGML_LIB"));
  llama_model* model = argc > 3 ? llama_model_load_from_file(argv[1], llama_model_default_params()) : nullptr;
  if (model == nullptr) return std::fprintf(stderr, "usage: %s MODEL.gguf DOCUMENT QUESTION...\n", argv[0]), 1;
  const llama_vocab* vocab = llama_model_get_vocab(model);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 4096;
  params.kv_unified = true, params.n_seq_max = 2;  // kvc exchanges ranges through a sequence of its own
  params.n_threads = params.n_threads_batch = 1;
  llama_context* context = llama_init_from_model(model, params);
  if (context == nullptr) return 1;
  llama_sampler* sampler = llama_sampler_init_greedy();
  kvc_engine_t* engine = nullptr;
  kvc_llama_t* cache = nullptr;
  if (kvc_engine_create(nullptr, &engine) != KVC_OK) return 1;
  if (kvc_llama_attach(engine, context, &params, argv[1], nullptr, &cache, nullptr) != KVC_OK) return 1;

  for (int q = 3; q < argc; ++q) {
    const auto start = std::chrono::steady_clock::now();
    const std::string prompt = document.str() + "\n\nQuestion: " + argv[q] + "\nAnswer:";
    std::vector<llama_token> tokens(prompt.size() + 8);
    tokens.resize(static_cast<size_t>(llama_tokenize(vocab, prompt.data(), static_cast<int>(prompt.size()), tokens.data(),
                                                     static_cast<int>(tokens.size()), true, false)));
    size_t done = 0;  // tokens whose K/V the context holds
    llama_memory_clear(llama_get_memory(context), false);
    kvc_llama_restore(cache, 0, tokens.data(), tokens.size(), &done);
    const size_t computed = tokens.size() - done;
    double first_token = 0;
    std::string answer;
    for (int n = 0; n < 24; ++n) {
      while (done < tokens.size()) {
        const size_t some = std::min<size_t>(512, tokens.size() - done);
        if (llama_decode(context, llama_batch_get_one(tokens.data() + done, static_cast<int>(some))) != 0) return 1;
        done += some;
      }
      tokens.push_back(llama_sampler_sample(sampler, context, -1));
      if (n == 0) first_token = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      char piece[64];
      const int size = llama_token_to_piece(vocab, tokens.back(), piece, sizeof piece, 0, false);
      if (size > 0) answer.append(piece, static_cast<size_t>(size));
      if (llama_vocab_is_eog(vocab, tokens.back()) || answer.find('\n', 1) != std::string::npos) break;
    }
    kvc_llama_save(cache, 0, tokens.data(), done);
    std::printf("%s\n", answer.c_str());
    std::fprintf(stderr, "%zu tokens computed, first token after %.3f s\n", computed, first_token);
  }
  kvc_llama_detach(cache), kvc_engine_destroy(engine);
  llama_sampler_free(sampler);
  llama_free(context);
  llama_model_free(model);
}
