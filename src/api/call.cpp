#include "api/call.h"

namespace kvc {

thread_local constinit CallFrame* CallFrame::innermost_ = nullptr;

}  // namespace kvc
