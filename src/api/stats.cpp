// Statistics.
#include "api/call.h"
#include "api/structs.h"

using namespace kvc;  // NOLINT: entry points only

kvc_status_t kvc_stats(kvc_engine_t* engine, kvc_stats_t* stats) noexcept {
  return on_engine(engine, [&](EngineObject& object) -> Status {
    KVC_RETURN_IF_ERROR(check_output(stats, "stats"));
    write_struct(object.engine->stats(), stats);
    return Status::ok();
  });
}
