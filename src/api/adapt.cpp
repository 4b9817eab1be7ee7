// Sizing and adapting a cache that runs.
#include <cmath>
#include <string>

#include "api/call.h"
#include "api/structs.h"

using namespace kvc;  // NOLINT: entry points only

kvc_status_t kvc_whatif(kvc_engine_t* engine, uint64_t budget, const char* policy, kvc_whatif_t* result) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    KVC_RETURN_IF_ERROR(check_output(result, "result"));
    std::string name;
    KVC_RETURN_IF_ERROR(name_argument(policy, "policy", &name));
    kvc_whatif_t full{};
    KVC_RETURN_IF_ERROR(object.engine->what_if(budget, name, &full));
    write_struct(full, result);
    return Status::ok();
  });
}

kvc_status_t kvc_trace_start(kvc_engine_t* engine, const char* path) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    std::string where;
    KVC_RETURN_IF_ERROR(path_argument(path, &where));
    Cache& cache = object.engine->cache();
    return cache.trace().start(where, cache.clock().now_ns());
  });
}

kvc_status_t kvc_trace_stop(kvc_engine_t* engine, uint64_t* sessions) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    uint64_t written = 0;
    const Status status = object.engine->cache().trace().stop(&written);
    if (sessions != nullptr) *sessions = written;
    return status;
  });
}

kvc_status_t kvc_adapt(kvc_engine_t* engine, const kvc_metrics_t* metrics) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    kvc_metrics_t full{};
    KVC_RETURN_IF_ERROR(read_struct(metrics, "metrics", &full));
    if (full.objective != KVC_OBJECTIVE_HITS && full.objective != KVC_OBJECTIVE_TIME) {
      return error(KVC_E_OUT_OF_RANGE, "metrics.objective is %d; give KVC_OBJECTIVE_HITS (0) or KVC_OBJECTIVE_TIME (1)",
                   full.objective);
    }
    if (full.reserved != 0) return error(KVC_E_INVALID, "metrics.reserved is %d; it must be 0", full.reserved);
    const auto check_number = [](double value, const char* name) -> Status {
      if (std::isfinite(value) && value >= 0) return Status::ok();
      return error(KVC_E_OUT_OF_RANGE, "metrics.%s is %g; give a number from 0", name, value);
    };
    KVC_RETURN_IF_ERROR(check_number(full.prefill_speed, "prefill_speed"));
    KVC_RETURN_IF_ERROR(check_number(full.balanced_position, "balanced_position"));
    return object.engine->cache().adapt({full.objective == KVC_OBJECTIVE_TIME, full.balanced_position},
                                        full.prefill_speed);
  });
}
