// Names and meanings of status codes.
#include "kvc/kvc.h"

namespace {

struct Row {
  kvc_status_t status;
  const char* name;
  const char* text;
};

#define ROW(status, text) \
  { status, #status, text }
constexpr Row kRows[] = {
    ROW(KVC_OK, "The call did what it says."),
    ROW(KVC_END, "The stream or iteration is over."),
    ROW(KVC_PENDING, "Not ready within the time allowed; ask again."),
    ROW(KVC_E_INVALID, "An argument makes no sense; the handle's last error says which."),
    ROW(KVC_E_NULL, "A required pointer or handle is NULL; the handle's last error says which."),
    ROW(KVC_E_STRUCT_SIZE,
        "A struct_size is too small, or the unknown tail of a larger struct is not 0; set it to sizeof the struct."),
    ROW(KVC_E_UNKNOWN_OPTION, "There is no option of that name; kvc_option_info lists them."),
    ROW(KVC_E_OUT_OF_RANGE, "A value is outside of its documented range."),
    ROW(KVC_E_SHAPE, "A tensor's shape or strides do not fit the space or the buffer."),
    ROW(KVC_E_DTYPE, "A tensor's dtype does not fit."),
    ROW(KVC_E_TOKEN, "A token id is negative or beyond the vocabulary."),
    ROW(KVC_E_UTF8, "Text is not valid UTF-8."),
    ROW(KVC_E_IDENTITY,
        "The identity of a space is incomplete; give the field or say in `none` that the model has none."),
    ROW(KVC_E_CLOSED, "The handle was closed, or never was one."),
    ROW(KVC_E_ORDER, "Calls came in the wrong order, or a position is not the next one."),
    ROW(KVC_E_MISSING_LAYERS, "Commit came before every layer had its tokens; append the missing layers first."),
    ROW(KVC_E_FORKED, "The handle belongs to the parent process; make a new engine in this one."),
    ROW(KVC_E_BUSY, "The object is in use in a way that forbids this call now."),
    ROW(KVC_E_CANCELLED, "The request was cancelled."),
    ROW(KVC_E_DEADLINE, "The request's deadline has passed."),
    ROW(KVC_E_NOT_FOUND, "There is no such ticket or page."),
    ROW(KVC_E_NO_MEMORY,
        "The budget or the machine has no room; what is stored stays usable. Close sessions, unpin, or raise the "
        "budget."),
    ROW(KVC_E_BUDGET, "The memory budget cannot hold even one page of this layout; raise option memory."),
    ROW(KVC_E_CONTEXT, "The prompt, with its answer, is longer than the model's context."),
    ROW(KVC_E_QUEUE_FULL, "Too many requests wait; try again later or raise option max_queue."),
    ROW(KVC_E_BUFFER, "The caller's buffer is too small; the needed size is reported."),
    ROW(KVC_E_IO, "The operating system refused."),
    ROW(KVC_E_CORRUPT, "Bytes failed their check."),
    ROW(KVC_E_DEVICE, "An accelerator failed."),
    ROW(KVC_E_BACKEND, "The model backend failed; the handle's last error has its words."),
    ROW(KVC_E_INTERNAL, "A defect of kvc; please report it with the handle's last error."),
    ROW(KVC_E_UNSUPPORTED, "Known, but not in this build or not for this object."),
    ROW(KVC_E_USER, "A callback of the program returned its own error."),
};
#undef ROW

const Row* find(kvc_status_t status) {
  for (const Row& row : kRows) {
    if (row.status == status) return &row;
  }
  return nullptr;
}

}  // namespace

const char* kvc_status_name(kvc_status_t status) noexcept {
  const Row* row = find(status);
  return row != nullptr ? row->name : "KVC_E_UNKNOWN";
}

const char* kvc_status_text(kvc_status_t status) noexcept {
  const Row* row = find(status);
  return row != nullptr ? row->text : "A status that this version of kvc does not know.";
}
