// The entries of this module: what kvc.h says of kvc_module_open and kvc_module_describe.
#include <kvc/kvc.h>

#include <cstring>
#include <filesystem>

#include "failure.h"
#include "model.h"

using namespace kvc_llama;

namespace {

Model* model_of(void* user_data) { return static_cast<Model*>(user_data); }

kvc_status_t describe(void* self, kvc_model_info_t* info, char*, size_t) {
  model_of(self)->describe(info);
  return KVC_OK;
}

kvc_status_t tokenize(void* self, const char* text, size_t size, int32_t* tokens, size_t capacity, size_t* n,
                      char* error, size_t error_size) {
  return guarded(error, error_size, [&] {
    std::vector<int32_t> all;
    model_of(self)->tokens_of({text, size}, &all);
    *n = all.size();
    if (!all.empty()) std::memcpy(tokens, all.data(), std::min(capacity, all.size()) * sizeof(int32_t));
  });
}

kvc_status_t detokenize(void* self, int32_t token, char* bytes, size_t capacity, size_t* size, char* error,
                        size_t error_size) {
  return guarded(error, error_size, [&] { *size = model_of(self)->text_of(token, bytes, capacity); });
}

kvc_status_t sequence_open(void* self, uint64_t sequence, char* error, size_t error_size) {
  return guarded(error, error_size, [&] { model_of(self)->open(sequence); });
}

void sequence_close(void* self, uint64_t sequence) { model_of(self)->close(sequence); }

kvc_status_t forward(void* self, const kvc_forward_t* items, uint32_t n, char* error, size_t error_size) {
  return guarded(error, error_size, [&] { model_of(self)->forward(items, n); });
}

kvc_status_t export_kv(void* self, uint64_t sequence, kvc_session_t* session, uint32_t from, uint32_t n, char* error,
                       size_t error_size) {
  return guarded(error, error_size, [&] { model_of(self)->store(sequence, session, from, n); });
}

kvc_status_t import_kv(void* self, uint64_t sequence, kvc_session_t* session, const int32_t* tokens, uint32_t from,
                       uint32_t n, char* error, size_t error_size) {
  return guarded(error, error_size, [&] { model_of(self)->restore(sequence, session, tokens, from, n); });
}

kvc_status_t truncate(void* self, uint64_t sequence, uint32_t n, char* error, size_t error_size) {
  return guarded(error, error_size, [&] { model_of(self)->truncate(sequence, n); });
}

void destroy(void* self) { delete model_of(self); }

kvc_status_t chat_text(void* self, const kvc_message_t* messages, size_t n, int32_t answer, char* text, size_t capacity,
                       size_t* size, char* error, size_t error_size) {
  return guarded(error, error_size, [&] {
    const std::string all = model_of(self)->chat_text(messages, n, answer != 0);
    *size = all.size();
    if (!all.empty()) std::memcpy(text, all.data(), std::min(capacity, all.size()));
  });
}

kvc_status_t save_state(void* self, uint64_t sequence, uint32_t n, void* bytes, size_t capacity, size_t* size,
                        char* error, size_t error_size) {
  return guarded(error, error_size, [&] { *size = model_of(self)->save_state(sequence, n, bytes, capacity); });
}

kvc_status_t load_state(void* self, uint64_t sequence, const int32_t* tokens, uint32_t n, const void* bytes,
                        size_t size, char* error, size_t error_size) {
  return guarded(error, error_size, [&] { model_of(self)->load_state(sequence, tokens, n, bytes, size); });
}

void set_stop(void* self, kvc_stop_fn stop, void* data) { model_of(self)->set_stop(stop, data); }

void check_request(const kvc_module_request_t* request) {
  if (request->version != KVC_MODULE_VERSION) {
    fail(KVC_E_UNSUPPORTED, "this module is of version %d, kvc asks for version %u: install both from one release",
         KVC_MODULE_VERSION, request->version);
  }
}

std::string json_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

}  // namespace

extern "C" __attribute__((visibility("default"))) kvc_status_t kvc_module_open(const kvc_module_request_t* request,
                                                                               kvc_backend_t* backend, char* error,
                                                                               size_t error_size) {
  return guarded(error, error_size, [&] {
    check_request(request);
    Options options = read_options(*request);
    const Library& library = load_library(options.library);
    auto model = std::make_unique<Model>(library, std::move(options), request->host);
    kvc_backend_t table{};
    table.struct_size = sizeof table;
    table.user_data = model.release();
    table.kind = KVC_BACKEND_OWN_KV;
    table.describe = describe;
    table.tokenize = tokenize;
    table.detokenize = detokenize;
    table.sequence_open = sequence_open;
    table.sequence_close = sequence_close;
    table.forward = forward;
    table.export_kv = export_kv;
    table.import_kv = import_kv;
    table.truncate = truncate;
    table.destroy = destroy;
    table.chat_text = chat_text;
    table.save_state = save_state;
    table.load_state = load_state;
    table.set_stop = set_stop;
    *backend = table;
  });
}

extern "C" __attribute__((visibility("default"))) kvc_status_t kvc_module_describe(const kvc_module_request_t* request,
                                                                                   char* text, size_t capacity,
                                                                                   size_t* length) {
  return guarded(nullptr, 0, [&] {
    std::string object;
    try {
      check_request(request);
      const Library& library = load_library(read_options(*request).library);
      object = "{\"runtime\":\"llama.cpp\",\"version\":" + json_text(library.version) +
               ",\"library\":" + json_text(library.path) + ",\"devices\":" + json_text(device_names(library)) + "}";
    } catch (const Failure& failure) {
      object = "{\"runtime\":\"none\",\"why\":" + json_text(failure.what()) + "}";
    }
    *length = object.size();
    if (capacity > 0) {
      const size_t n = std::min(capacity - 1, object.size());
      std::memcpy(text, object.data(), n);
      text[n] = 0;
    }
  });
}
