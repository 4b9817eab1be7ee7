// Code written by bindings/generate from include/kvc/kvc.h; DO NOT EDIT.

package kvc

// Status is kvc_status_t of kvc.h.
type Status int32

// Values of Status.
const (
	OK Status = 0
	// End: a stream or an iteration is over
	End Status = 1
	// Pending: not ready within the time allowed: ask again
	Pending Status = 2
	// ErrInvalid: an argument makes no sense; the message says which
	ErrInvalid Status = -100
	// ErrNull: a required pointer or handle is NULL
	ErrNull Status = -101
	// ErrStructSize: struct_size is too small, or the unknown tail of a larger one is not 0
	ErrStructSize Status = -102
	// ErrUnknownOption: no option of that name; kvc_option_info lists them
	ErrUnknownOption Status = -103
	// ErrOutOfRange: a value outside of its documented range
	ErrOutOfRange Status = -104
	// ErrShape: a tensor's shape or strides do not fit the space or the buffer
	ErrShape Status = -105
	// ErrDtype: a tensor's dtype does not fit
	ErrDtype Status = -106
	// ErrToken: a token id is negative or beyond the vocabulary
	ErrToken Status = -107
	// ErrUtf8: text is not valid UTF-8
	ErrUtf8 Status = -108
	// ErrIdentity: a space's identity is incomplete: give the field or say "none"
	ErrIdentity Status = -109
	// ErrClosed: the handle was closed, or never was one
	ErrClosed Status = -200
	// ErrOrder: calls in the wrong order, or a position that is not the next one
	ErrOrder Status = -201
	// ErrMissingLayers: commit before every layer has its tokens
	ErrMissingLayers Status = -202
	// ErrForked: the handle belongs to the parent process
	ErrForked Status = -203
	// ErrBusy: the object is in use in a way that forbids this call now
	ErrBusy Status = -204
	// ErrCancelled: the request was cancelled
	ErrCancelled Status = -205
	// ErrDeadline: the request's deadline has passed
	ErrDeadline Status = -206
	// ErrNotFound: no such ticket or page
	ErrNotFound Status = -207
	// ErrNoMemory: the budget or the machine has no room; what is stored stays usable
	ErrNoMemory Status = -300
	// ErrBudget: the memory budget cannot hold even one page of this layout
	ErrBudget Status = -301
	// ErrContext: prompt (and answer) longer than the model's context
	ErrContext Status = -302
	// ErrQueueFull: too many requests wait
	ErrQueueFull Status = -303
	// ErrBuffer: the caller's buffer is too small; the needed size is reported
	ErrBuffer Status = -304
	// ErrIo: the operating system refused
	ErrIo Status = -400
	// ErrCorrupt: bytes failed their check
	ErrCorrupt Status = -500
	// ErrDevice: an accelerator failed
	ErrDevice Status = -600
	// ErrBackend: the model backend failed; the message has its words
	ErrBackend Status = -650
	// ErrInternal: a defect of kvc
	ErrInternal Status = -700
	// ErrUnsupported: known, but not in this build or not for this object
	ErrUnsupported Status = -701
	// ErrUser: free for callbacks to return; kvc itself never does
	ErrUser Status = -900
)

// DType is KVC_DTYPE_* of kvc.h.
type DType int32

// Values of DType.
const (
	// F32: IEEE 754 binary32
	F32 DType = 1
	// F16: IEEE 754 binary16
	F16 DType = 2
	// BF16: bfloat16
	BF16 DType = 3
	// U8: opaque bytes, e.g. rows that a runtime has quantised: stored and given back as they are
	U8 DType = 4
)

// Plane is KVC_PLANE_* of kvc.h.
type Plane int32

// Values of Plane.
const (
	Key Plane = 0
	Value Plane = 1
)

// Priority is KVC_PRIORITY_* of kvc.h.
type Priority int32

// Values of Priority.
const (
	PriorityBackground Priority = -200
	PriorityLow Priority = -100
	PriorityNormal Priority = 0
	PriorityHigh Priority = 100
	PriorityCritical Priority = 200
)

// CloseHint is KVC_CLOSE_* of kvc.h.
type CloseHint int32

// Values of CloseHint.
const (
	// CloseHintKeep: nothing: the policy decides
	CloseHintKeep CloseHint = 0
	// CloseHintFinished: it will not come back: pages that only it used leave first
	CloseHintFinished CloseHint = 1
	// CloseHintIdle: it comes back at about the given time: until then its own pages may leave
	CloseHintIdle CloseHint = 2
)

// Hint is KVC_HINT_* of kvc.h.
type Hint int32

// Values of Hint.
const (
	// HintNone: nothing: takes earlier hints back
	HintNone Hint = 0
	// HintTurnEnd: an answer ended; a person reads it, and may go on
	HintTurnEnd Hint = 1
	// HintToolCall: an answer asked for a tool; a program goes on, usually soon
	HintToolCall Hint = 2
	// HintOneOff: a request of its own: it belongs to no conversation
	HintOneOff Hint = 3
	// HintShared: a prefix (system prompt, document) that others will begin with
	HintShared Hint = 4
)

// Action is KVC_ACTION_* of kvc.h.
type Action int32

// Values of Action.
const (
	// ActionProcess: generate an answer
	ActionProcess Action = 0
	// ActionPrefetch: make the cached part of the prompt recent; compute nothing
	ActionPrefetch Action = 1
	// ActionStore: compute and cache what is missing of the prompt; generate nothing
	ActionStore Action = 2
	// ActionRetrieve: say how much of the prompt is cached; change nothing
	ActionRetrieve Action = 3
)

// FinishReason is KVC_FINISH_* of kvc.h.
type FinishReason int32

// Values of FinishReason.
const (
	// FinishReasonNone: nothing was to be generated
	FinishReasonNone FinishReason = 0
	// FinishReasonLength: max_tokens reached
	FinishReasonLength FinishReason = 1
	// FinishReasonStop: a stop string was met; it is not part of the text
	FinishReasonStop FinishReason = 2
	// FinishReasonEos: the model ended its text
	FinishReasonEos FinishReason = 3
	FinishReasonCancelled FinishReason = 4
	FinishReasonDeadline FinishReason = 5
	FinishReasonError FinishReason = 6
)

// MissReason is KVC_MISS_* of kvc.h.
type MissReason int32

// Values of MissReason.
const (
	// MissReasonNone: no miss: everything that can be reused was reused
	MissReasonNone MissReason = 0
	// MissReasonNew: this prefix was never stored here
	MissReasonNew MissReason = 1
	// MissReasonPartial: a part was found; from there on the tokens differ
	MissReasonPartial MissReason = 2
	// MissReasonIdentity: the tokens are stored, but in a space that differs (the text says in what)
	MissReasonIdentity MissReason = 3
	// MissReasonDisabled: reuse was switched off
	MissReasonDisabled MissReason = 4
	// MissReasonShort: the prompt has no token that could be reused
	MissReasonShort MissReason = 5
	// MissReasonTimeout: stored on disk, but it did not come within option disk_timeout
	MissReasonTimeout MissReason = 6
	// MissReasonRecompute: stored on disk, but to compute it is expected to be faster than to read it
	MissReasonRecompute MissReason = 7
	// MissReasonDamaged: stored on disk, but the bytes failed their check: they are not used
	MissReasonDamaged MissReason = 8
	// MissReasonCount: number of reasons above
	MissReasonCount MissReason = 9
)

// Tier is KVC_TIER_* of kvc.h.
type Tier int32

// Values of Tier.
const (
	TierHost Tier = 1
	TierDevice Tier = 2
	TierDisk Tier = 3
	TierRemote Tier = 4
)

// LogLevel is KVC_LOG_* of kvc.h.
type LogLevel int32

// Values of LogLevel.
const (
	LogLevelError LogLevel = 1
	LogLevelWarn LogLevel = 2
	LogLevelInfo LogLevel = 3
	LogLevelDebug LogLevel = 4
)

// Policy is KVC_POLICY_* of kvc.h.
type Policy int32

// Values of Policy.
const (
	// PolicyInserted: it came in
	PolicyInserted Policy = 1
	// PolicyUsed: a match found it, or kvc_get a tensor
	PolicyUsed Policy = 2
	// PolicyEnded: a session that led to it closed
	PolicyEnded Policy = 3
)

// OptionType is KVC_OPTION_* of kvc.h.
type OptionType int32

// Values of OptionType.
const (
	OptionTypeInteger OptionType = 1
	OptionTypeSize OptionType = 2
	OptionTypeTime OptionType = 3
	OptionTypeReal OptionType = 4
	OptionTypeSwitch OptionType = 5
	// OptionTypeChoice: one of the words in `choices`, separated by '|'
	OptionTypeChoice OptionType = 6
	OptionTypeText OptionType = 7
)

// Absent is KVC_NONE_* of kvc.h.
type Absent uint32

// Values of Absent.
const (
	AbsentTokenizer Absent = 1
	AbsentRope Absent = 2
	AbsentAdapters Absent = 4
	AbsentAttention Absent = 8
)

// Strategy is KVC_STRATEGY_* of kvc.h.
type Strategy int32

// Values of Strategy.
const (
	// StrategyFixed: its one rule
	StrategyFixed Strategy = 0
	// StrategyLearned: adaptive: what it learned of reuse
	StrategyLearned Strategy = 1
	// StrategyRecency: adaptive: what was used longest ago leaves first
	StrategyRecency Strategy = 2
)

// Reason is KVC_REASON_* of kvc.h.
type Reason int32

// Values of Reason.
const (
	// ReasonNone: it did not
	ReasonNone Reason = 0
	// ReasonLost: what it learned had cost hits that recency would have had
	ReasonLost Reason = 1
	// ReasonRetry: another try with what was learned meanwhile
	ReasonRetry Reason = 2
	// ReasonMetrics: kvc_adapt asked for another objective
	ReasonMetrics Reason = 3
)

// Objective is KVC_OBJECTIVE_* of kvc.h.
type Objective int32

// Values of Objective.
const (
	// ObjectiveHits: tokens found in the cache
	ObjectiveHits Objective = 0
	// ObjectiveTime: time of prefill spared: a token late in a sequence costs more to compute again
	ObjectiveTime Objective = 1
)

// BackendKind is KVC_BACKEND_* of kvc.h.
type BackendKind int32

// Values of BackendKind.
const (
	// BackendKindPaged: keeps no K/V: `forward` reads the past from the session and appends the new to it
	BackendKindPaged BackendKind = 1
	// BackendKindOwnKv: keeps its own K/V per sequence; kvc has it exported to, and imported from, sessions
	BackendKindOwnKv BackendKind = 2
)

// Constants that have no relatives.
const (
	AbiVersion = 0
	MaxDims = 8
	ModuleVersion = 1
)
