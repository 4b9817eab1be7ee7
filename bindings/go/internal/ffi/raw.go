// Package ffi is kvc.h for Go: structs, and every function as a call through its address.
//
// Code written by bindings/generate from include/kvc/kvc.h; DO NOT EDIT.

package ffi

import "unsafe"

// Version and AbiVersion are those of the header that this was made from.
const (
	Version    = "0.1.0"
	AbiVersion = 0
)

// KvcErrorT is kvc_error_t, 520 bytes.
type KvcErrorT struct {
	StructSize uintptr
	Status     int32
	Message    [508]byte
}

// KvcAllocatorT is kvc_allocator_t, 32 bytes.
type KvcAllocatorT struct {
	StructSize uintptr
	UserData   uintptr
	Allocate   uintptr
	Release    uintptr
}

// KvcLoggerT is kvc_logger_t, 32 bytes.
type KvcLoggerT struct {
	StructSize uintptr
	UserData   uintptr
	Level      int32
	Log        uintptr
}

// KvcClockT is kvc_clock_t, 24 bytes.
type KvcClockT struct {
	StructSize uintptr
	UserData   uintptr
	NowNs      uintptr
}

// KvcPolicyPageT is kvc_policy_page_t, 72 bytes.
type KvcPolicyPageT struct {
	StructSize uintptr
	Key        uint64
	NowNs      uint64
	Score      float64
	Bytes      uint64
	Depth      uint32
	Tokens     uint32
	Hits       uint32
	Hint       int32
	ReturnNs   uint64
	Generated  uint64
}

// KvcPolicyT is kvc_policy_t, 40 bytes.
type KvcPolicyT struct {
	StructSize uintptr
	UserData   uintptr
	Name       unsafe.Pointer
	Score      uintptr
	Removed    uintptr
}

// KvcCodecPageT is kvc_codec_page_t, 40 bytes.
type KvcCodecPageT struct {
	StructSize uintptr
	NLayers    uint32
	NKvHeads   uint32
	KHeadDim   uint32
	VHeadDim   uint32
	PageTokens uint32
	Dtype      int32
	Position   uint64
}

// KvcCodecT is kvc_codec_t, 56 bytes.
type KvcCodecT struct {
	StructSize  uintptr
	UserData    uintptr
	Name        unsafe.Pointer
	Version     uint32
	Reserved    uint32
	EncodedSize uintptr
	Encode      uintptr
	Decode      uintptr
}

// KvcOptionInfoT is kvc_option_info_t, 72 bytes.
type KvcOptionInfoT struct {
	StructSize   uintptr
	Type         int32
	Reserved     int32
	Name         unsafe.Pointer
	DefaultValue unsafe.Pointer
	Minimum      unsafe.Pointer
	Maximum      unsafe.Pointer
	Choices      unsafe.Pointer
	Doc          unsafe.Pointer
	Since        unsafe.Pointer
}

// KvcRequestT is kvc_request_t, 136 bytes.
type KvcRequestT struct {
	StructSize  uintptr
	Action      int32
	Priority    int32
	Prompt      unsafe.Pointer
	PromptSize  uintptr
	Tokens      unsafe.Pointer
	NTokens     uintptr
	MaxTokens   uint32
	TopK        uint32
	Temperature float64
	TopP        float64
	Seed        uint64
	Stop        unsafe.Pointer
	NStop       uint32
	NoCache     uint32
	SessionId   unsafe.Pointer
	Tenant      unsafe.Pointer
	DeadlineNs  uint64
	OnText      uintptr
	UserData    uintptr
}

// KvcResponseT is kvc_response_t, 152 bytes.
type KvcResponseT struct {
	StructSize        uintptr
	Status            int32
	FinishReason      int32
	Text              unsafe.Pointer
	TextSize          uintptr
	Tokens            unsafe.Pointer
	NTokens           uintptr
	CacheHit          uint32
	PromptTokens      uint32
	CachedTokens      uint32
	ComputedTokens    uint32
	QueueNs           uint64
	PrefillNs         uint64
	DecodeNs          uint64
	TotalNs           uint64
	TtftNs            uint64
	SavedNs           uint64
	MissReason        int32
	Reserved          int32
	MissText          unsafe.Pointer
	Error             unsafe.Pointer
	Ticket            uint64
	ApproximateTokens uint32
	Reserved2         uint32
}

// KvcMessageT is kvc_message_t, 24 bytes.
type KvcMessageT struct {
	StructSize uintptr
	Role       unsafe.Pointer
	Content    unsafe.Pointer
}

// KvcAdapterT is kvc_adapter_t, 32 bytes.
type KvcAdapterT struct {
	StructSize uintptr
	Digest     unsafe.Pointer
	DigestSize uintptr
	Scale      float64
}

// KvcRopeT is kvc_rope_t, 80 bytes.
type KvcRopeT struct {
	StructSize      uintptr
	Base            float64
	FreqScale       float64
	Scaling         unsafe.Pointer
	Factor          float64
	AttnFactor      float64
	BetaFast        float64
	BetaSlow        float64
	Dims            uint32
	OriginalContext uint32
	Interleaved     int32
	Applied         int32
}

// KvcSpaceDescT is kvc_space_desc_t, 112 bytes.
type KvcSpaceDescT struct {
	StructSize          uintptr
	Label               unsafe.Pointer
	WeightsDigest       unsafe.Pointer
	WeightsDigestSize   uintptr
	TokenizerDigest     unsafe.Pointer
	TokenizerDigestSize uintptr
	Rope                unsafe.Pointer
	Adapters            unsafe.Pointer
	NAdapters           uint32
	None                uint32
	Attention           unsafe.Pointer
	NLayers             uint32
	NKvHeads            uint32
	KHeadDim            uint32
	VHeadDim            uint32
	Dtype               int32
	PageTokens          uint32
	VocabSize           int32
	Reserved            uint32
}

// KvcSpaceInfoT is kvc_space_info_t, 80 bytes.
type KvcSpaceInfoT struct {
	StructSize uintptr
	Digest     [32]uint8
	NLayers    uint32
	NKvHeads   uint32
	KHeadDim   uint32
	VHeadDim   uint32
	Dtype      int32
	PageTokens uint32
	PageBytes  uint64
	VocabSize  int32
	Reserved   int32
}

// KvcTensorT is kvc_tensor_t, 160 bytes.
type KvcTensorT struct {
	StructSize uintptr
	Data       unsafe.Pointer
	Size       uint64
	Dtype      int32
	NDims      uint32
	Shape      [8]int64
	Strides    [8]int64
}

// KvcSessionOptionsT is kvc_session_options_t, 48 bytes.
type KvcSessionOptionsT struct {
	StructSize uintptr
	Tenant     unsafe.Pointer
	SessionId  unsafe.Pointer
	Priority   int32
	NoPublish  uint32
	Exact      uint32
	Reserved   uint32
	NoAged     uint32
}

// KvcAttendT is kvc_attend_t, 88 bytes.
type KvcAttendT struct {
	StructSize    uintptr
	Scale         float64
	Softcap       float64
	Window        uint64
	Sinks         uint64
	Later         uint64
	Bidirectional uint32
	NThreads      uint32
	AlibiSlopes   unsafe.Pointer
	SinkScores    unsafe.Pointer
	LeftOut       unsafe.Pointer
	Restore       uint32
	Reserved      uint32
}

// KvcSessionInfoT is kvc_session_info_t, 88 bytes.
type KvcSessionInfoT struct {
	StructSize  uintptr
	Length      uint64
	Matched     uint64
	Pages       uint64
	Pending     uint64
	TailBytes   uint64
	Priority    int32
	Pinned      uint32
	Domain      uint64
	Approximate uint64
	Sparse      uint64
	Aged        uint64
}

// KvcPutOptionsT is kvc_put_options_t, 24 bytes.
type KvcPutOptionsT struct {
	StructSize uintptr
	Codec      unsafe.Pointer
	Plane      int32
	Reserved   uint32
}

// KvcTensorInfoT is kvc_tensor_info_t, 48 bytes.
type KvcTensorInfoT struct {
	StructSize  uintptr
	Codec       unsafe.Pointer
	Bytes       uint64
	RawBytes    uint64
	Error       float64
	Approximate uint32
	Plane       int32
}

// KvcPageInfoT is kvc_page_info_t, 208 bytes.
type KvcPageInfoT struct {
	StructSize    uintptr
	Id            [32]uint8
	Parent        [32]uint8
	Space         [32]uint8
	Position      uint64
	Bytes         uint64
	MetadataBytes uint64
	Hits          uint64
	AgeNs         uint64
	IdleNs        uint64
	NTokens       uint32
	References    uint32
	Children      uint32
	Tier          int32
	Priority      int32
	Pinned        uint32
	Codec         [16]byte
	Approximate   uint32
	Reserved      uint32
	Aged          uint32
	Reserved2     uint32
}

// KvcStoreReportT is kvc_store_report_t, 104 bytes.
type KvcStoreReportT struct {
	StructSize   uintptr
	Pages        uint64
	Clues        uint64
	PayloadBytes uint64
	StoredBytes  uint64
	FileBytes    uint64
	Segments     uint64
	CheckedBytes uint64
	Damaged      uint64
	Locked       uint64
	Encrypted    uint32
	Pack         uint32
	Tensors      uint64
	Calibrations uint64
}

// KvcStatsT is kvc_stats_t, 848 bytes.
type KvcStatsT struct {
	StructSize        uintptr
	Requests          uint64
	RequestsCompleted uint64
	RequestsFailed    uint64
	RequestsCancelled uint64
	RequestsRefused   uint64
	RequestsQueued    uint64
	RequestsActive    uint64
	RequestHits       uint64
	RequestMisses     uint64
	HitRate           float64
	PromptTokens      uint64
	CachedTokens      uint64
	ComputedTokens    uint64
	GeneratedTokens   uint64
	TokenHitRate      float64
	SavedNs           uint64
	LatencyAvgNs      uint64
	LatencyP50Ns      uint64
	LatencyP95Ns      uint64
	LatencyP99Ns      uint64
	TtftAvgNs         uint64
	TtftP50Ns         uint64
	TtftP95Ns         uint64
	TtftP99Ns         uint64
	Matches           uint64
	MatchHits         uint64
	MatchedTokens     uint64
	MatchAskedTokens  uint64
	MissesByReason    [8]uint64
	Pages             uint64
	PagesSealed       uint64
	PagesDeduplicated uint64
	PagesEvicted      uint64
	PagesPinned       uint64
	Sessions          uint64
	Tensors           uint64
	TensorsEvicted    uint64
	MemoryBudget      uint64
	MemoryUsed        uint64
	MemoryPayload     uint64
	MemoryMetadata    uint64
	MemoryPooled      uint64
	MemoryPeak        uint64
	HostBytes         uint64
	DeviceBytes       uint64
	DiskBytes         uint64
	RemoteBytes       uint64
	GpuUtilization    float64
	UptimeNs          uint64
	ApproximateTokens uint64
	PagesEncoded      uint64
	PagesKeptClear    uint64
	EncodedRawBytes   uint64
	EncodedBytes      uint64
	CodecKeyError     float64
	CodecValueError   float64
	MissesDamaged     uint64
	DiskLimit         uint64
	DiskPages         uint64
	DiskHits          uint64
	DiskHitTokens     uint64
	DiskMisses        uint64
	DiskWritten       uint64
	DiskDemoted       uint64
	DiskDropped       uint64
	DiskDamaged       uint64
	DiskTimeouts      uint64
	DiskRecomputed    uint64
	DiskErrors        uint64
	DiskWrittenBytes  uint64
	DiskReadBytes     uint64
	DiskWaiting       uint64
	DiskDurableNs     uint64
	PolicyStrategy    int32
	PolicyReason      int32
	PolicyChanges     uint64
	PolicyChangedNs   uint64
	DeviceLimit       uint64
	DevicePages       uint64
	DeviceHits        uint64
	DevicePromoted    uint64
	DeviceDemoted     uint64
	DeviceInBytes     uint64
	DeviceOutBytes    uint64
	Devices           uint64
	DevicesLost       uint64
	CodecFailures     uint64
	PagesSparse       uint64
	SparseByRecency   uint64
	SparseRestored    uint64
	SparseMassLeftOut float64
	CodecChecked      uint64
	CodecRaised       uint64
	CodecHeadsExact   uint64
	CodecBoundError   float64
	PagesAged         uint64
	AgedBeforeBytes   uint64
	AgedBytes         uint64
	AgedTokens        uint64
}

// KvcWhatifT is kvc_whatif_t, 72 bytes.
type KvcWhatifT struct {
	StructSize   uintptr
	TokenHitRate float64
	PageHitRate  float64
	Pages        uint64
	Sessions     uint64
	Tokens       uint64
	SpanNs       uint64
	SavedNs      uint64
	Sampled      float64
}

// KvcMetricsT is kvc_metrics_t, 32 bytes.
type KvcMetricsT struct {
	StructSize       uintptr
	Objective        int32
	Reserved         int32
	PrefillSpeed     float64
	BalancedPosition float64
}

// KvcModelInfoT is kvc_model_info_t, 72 bytes.
type KvcModelInfoT struct {
	StructSize     uintptr
	Name           unsafe.Pointer
	Space          unsafe.Pointer
	Context        uint32
	MaxBatchTokens uint32
	Bos            int32
	Eos            int32
	Ends           unsafe.Pointer
	NEnds          uint32
	TotalTokens    uint32
	StateTokens    uint32
	Reserved       uint32
	Details        unsafe.Pointer
}

// KvcForwardT is kvc_forward_t, 48 bytes.
type KvcForwardT struct {
	StructSize uintptr
	Sequence   uint64
	Session    uintptr
	Tokens     unsafe.Pointer
	N          uint32
	Position   uint32
	Logits     unsafe.Pointer
}

// KvcBackendT is kvc_backend_t, 136 bytes.
type KvcBackendT struct {
	StructSize    uintptr
	UserData      uintptr
	Kind          int32
	Reserved      int32
	Describe      uintptr
	Tokenize      uintptr
	Detokenize    uintptr
	SequenceOpen  uintptr
	SequenceClose uintptr
	Forward       uintptr
	ExportKv      uintptr
	ImportKv      uintptr
	Truncate      uintptr
	Destroy       uintptr
	ChatText      uintptr
	SaveState     uintptr
	LoadState     uintptr
	SetStop       uintptr
}

// KvcModuleHostT is kvc_module_host_t, 40 bytes.
type KvcModuleHostT struct {
	StructSize       uintptr
	SessionAppendAll uintptr
	SessionReadAll   uintptr
	SessionInfo      uintptr
	SessionLastError uintptr
}

// KvcModuleRequestT is kvc_module_request_t, 40 bytes.
type KvcModuleRequestT struct {
	StructSize uintptr
	Version    uint32
	NOptions   uint32
	Names      unsafe.Pointer
	Values     unsafe.Pointer
	Host       unsafe.Pointer
}

// Functions are the names in the order of their addresses.
var Functions = [...]string{
	"kvc_version_string",
	"kvc_abi_version",
	"kvc_build_info",
	"kvc_has_feature",
	"kvc_status_name",
	"kvc_status_text",
	"kvc_config_create",
	"kvc_config_destroy",
	"kvc_config_set",
	"kvc_config_get",
	"kvc_config_last_error",
	"kvc_config_set_backend",
	"kvc_config_set_allocator",
	"kvc_config_set_logger",
	"kvc_config_set_clock",
	"kvc_config_set_policy",
	"kvc_config_set_codec",
	"kvc_option_count",
	"kvc_option_info",
	"kvc_engine_create",
	"kvc_engine_create_with_error",
	"kvc_engine_destroy",
	"kvc_engine_last_error",
	"kvc_engine_info",
	"kvc_request_init",
	"kvc_process",
	"kvc_process_batch",
	"kvc_submit",
	"kvc_wait",
	"kvc_poll",
	"kvc_next",
	"kvc_cancel",
	"kvc_ticket_free",
	"kvc_step",
	"kvc_response_free",
	"kvc_chat_text",
	"kvc_tokenize",
	"kvc_detokenize",
	"kvc_space_desc_init",
	"kvc_space_open",
	"kvc_engine_space",
	"kvc_space_close",
	"kvc_space_info",
	"kvc_space_diff",
	"kvc_space_page_ids",
	"kvc_tensor_thd",
	"kvc_tensor_htd",
	"kvc_session_open",
	"kvc_session_close",
	"kvc_session_match",
	"kvc_session_miss",
	"kvc_session_append",
	"kvc_session_append_all",
	"kvc_session_commit",
	"kvc_session_read",
	"kvc_session_read_all",
	"kvc_attend_init",
	"kvc_session_attend",
	"kvc_session_truncate",
	"kvc_session_fork",
	"kvc_session_pin",
	"kvc_session_set_priority",
	"kvc_session_hint",
	"kvc_session_expect",
	"kvc_session_generated",
	"kvc_session_info",
	"kvc_session_tokens",
	"kvc_session_last_error",
	"kvc_put",
	"kvc_put_with",
	"kvc_tensor_info",
	"kvc_get",
	"kvc_contains",
	"kvc_remove",
	"kvc_page_iter_open",
	"kvc_page_iter_next",
	"kvc_page_iter_close",
	"kvc_page_info",
	"kvc_page_tokens",
	"kvc_trim",
	"kvc_persist",
	"kvc_persist_to",
	"kvc_load",
	"kvc_tenant_purge",
	"kvc_pack_write",
	"kvc_pack_open",
	"kvc_store_inspect",
	"kvc_store_verify",
	"kvc_store_compact",
	"kvc_store_text",
	"kvc_config_load",
	"kvc_stats",
	"kvc_whatif",
	"kvc_trace_start",
	"kvc_trace_stop",
	"kvc_adapt",
	"kvc_module_info",
}

var addresses [len(Functions)]uintptr

// KvcVersionString is kvc_version_string.
func KvcVersionString() string {
	return textAt(call(addresses[0]))
}

// KvcAbiVersion is kvc_abi_version.
func KvcAbiVersion() uint32 {
	return uint32(call(addresses[1]))
}

// KvcBuildInfo is kvc_build_info.
func KvcBuildInfo() string {
	return textAt(call(addresses[2]))
}

// KvcHasFeature is kvc_has_feature.
func KvcHasFeature(name *byte) int32 {
	return int32(call(addresses[3], uintptr(unsafe.Pointer(name))))
}

// KvcStatusName is kvc_status_name.
func KvcStatusName(status int32) string {
	return textAt(call(addresses[4], uintptr(status)))
}

// KvcStatusText is kvc_status_text.
func KvcStatusText(status int32) string {
	return textAt(call(addresses[5], uintptr(status)))
}

// KvcConfigCreate is kvc_config_create.
func KvcConfigCreate(preset *byte, config *uintptr) int32 {
	return int32(call(addresses[6], uintptr(unsafe.Pointer(preset)), uintptr(unsafe.Pointer(config))))
}

// KvcConfigDestroy is kvc_config_destroy.
func KvcConfigDestroy(config uintptr) {
	call(addresses[7], config)
}

// KvcConfigSet is kvc_config_set.
func KvcConfigSet(config uintptr, key *byte, value *byte) int32 {
	return int32(call(addresses[8], config, uintptr(unsafe.Pointer(key)), uintptr(unsafe.Pointer(value))))
}

// KvcConfigGet is kvc_config_get.
func KvcConfigGet(config uintptr, key *byte, buffer *byte, capacity uintptr, length *uintptr) int32 {
	return int32(call(addresses[9], config, uintptr(unsafe.Pointer(key)), uintptr(unsafe.Pointer(buffer)), capacity, uintptr(unsafe.Pointer(length))))
}

// KvcConfigLastError is kvc_config_last_error.
func KvcConfigLastError(config uintptr, buffer *byte, capacity uintptr) uintptr {
	return uintptr(call(addresses[10], config, uintptr(unsafe.Pointer(buffer)), capacity))
}

// KvcConfigSetBackend is kvc_config_set_backend.
func KvcConfigSetBackend(config uintptr, backend *KvcBackendT) int32 {
	return int32(call(addresses[11], config, uintptr(unsafe.Pointer(backend))))
}

// KvcConfigSetAllocator is kvc_config_set_allocator.
func KvcConfigSetAllocator(config uintptr, allocator *KvcAllocatorT) int32 {
	return int32(call(addresses[12], config, uintptr(unsafe.Pointer(allocator))))
}

// KvcConfigSetLogger is kvc_config_set_logger.
func KvcConfigSetLogger(config uintptr, logger *KvcLoggerT) int32 {
	return int32(call(addresses[13], config, uintptr(unsafe.Pointer(logger))))
}

// KvcConfigSetClock is kvc_config_set_clock.
func KvcConfigSetClock(config uintptr, clock *KvcClockT) int32 {
	return int32(call(addresses[14], config, uintptr(unsafe.Pointer(clock))))
}

// KvcConfigSetPolicy is kvc_config_set_policy.
func KvcConfigSetPolicy(config uintptr, policy *KvcPolicyT) int32 {
	return int32(call(addresses[15], config, uintptr(unsafe.Pointer(policy))))
}

// KvcConfigSetCodec is kvc_config_set_codec.
func KvcConfigSetCodec(config uintptr, codec *KvcCodecT) int32 {
	return int32(call(addresses[16], config, uintptr(unsafe.Pointer(codec))))
}

// KvcOptionCount is kvc_option_count.
func KvcOptionCount() uint32 {
	return uint32(call(addresses[17]))
}

// KvcOptionInfo is kvc_option_info.
func KvcOptionInfo(index uint32, info *KvcOptionInfoT) int32 {
	return int32(call(addresses[18], uintptr(index), uintptr(unsafe.Pointer(info))))
}

// KvcEngineCreate is kvc_engine_create.
func KvcEngineCreate(config uintptr, engine *uintptr) int32 {
	return int32(call(addresses[19], config, uintptr(unsafe.Pointer(engine))))
}

// KvcEngineCreateWithError is kvc_engine_create_with_error.
func KvcEngineCreateWithError(config uintptr, engine *uintptr, error *KvcErrorT) int32 {
	return int32(call(addresses[20], config, uintptr(unsafe.Pointer(engine)), uintptr(unsafe.Pointer(error))))
}

// KvcEngineDestroy is kvc_engine_destroy.
func KvcEngineDestroy(engine uintptr) {
	call(addresses[21], engine)
}

// KvcEngineLastError is kvc_engine_last_error.
func KvcEngineLastError(engine uintptr, buffer *byte, capacity uintptr) uintptr {
	return uintptr(call(addresses[22], engine, uintptr(unsafe.Pointer(buffer)), capacity))
}

// KvcEngineInfo is kvc_engine_info.
func KvcEngineInfo(engine uintptr, buffer *byte, capacity uintptr, length *uintptr) int32 {
	return int32(call(addresses[23], engine, uintptr(unsafe.Pointer(buffer)), capacity, uintptr(unsafe.Pointer(length))))
}

// KvcRequestInit is kvc_request_init.
func KvcRequestInit(request *KvcRequestT, size uintptr) int32 {
	return int32(call(addresses[24], uintptr(unsafe.Pointer(request)), size))
}

// KvcProcess is kvc_process.
func KvcProcess(engine uintptr, request *KvcRequestT, response **KvcResponseT) int32 {
	return int32(call(addresses[25], engine, uintptr(unsafe.Pointer(request)), uintptr(unsafe.Pointer(response))))
}

// KvcProcessBatch is kvc_process_batch.
func KvcProcessBatch(engine uintptr, requests *KvcRequestT, n uintptr, responses **KvcResponseT) int32 {
	return int32(call(addresses[26], engine, uintptr(unsafe.Pointer(requests)), n, uintptr(unsafe.Pointer(responses))))
}

// KvcSubmit is kvc_submit.
func KvcSubmit(engine uintptr, request *KvcRequestT, ticket *uint64) int32 {
	return int32(call(addresses[27], engine, uintptr(unsafe.Pointer(request)), uintptr(unsafe.Pointer(ticket))))
}

// KvcWait is kvc_wait.
func KvcWait(engine uintptr, ticket uint64, timeoutNs uint64, response **KvcResponseT) int32 {
	return int32(call(addresses[28], engine, uintptr(ticket), uintptr(timeoutNs), uintptr(unsafe.Pointer(response))))
}

// KvcPoll is kvc_poll.
func KvcPoll(engine uintptr, tickets *uint64, capacity uintptr, n *uintptr) int32 {
	return int32(call(addresses[29], engine, uintptr(unsafe.Pointer(tickets)), capacity, uintptr(unsafe.Pointer(n))))
}

// KvcNext is kvc_next.
func KvcNext(engine uintptr, ticket uint64, timeoutNs uint64, buffer *byte, capacity uintptr, textSize *uintptr) int32 {
	return int32(call(addresses[30], engine, uintptr(ticket), uintptr(timeoutNs), uintptr(unsafe.Pointer(buffer)), capacity, uintptr(unsafe.Pointer(textSize))))
}

// KvcCancel is kvc_cancel.
func KvcCancel(engine uintptr, ticket uint64) int32 {
	return int32(call(addresses[31], engine, uintptr(ticket)))
}

// KvcTicketFree is kvc_ticket_free.
func KvcTicketFree(engine uintptr, ticket uint64) int32 {
	return int32(call(addresses[32], engine, uintptr(ticket)))
}

// KvcStep is kvc_step.
func KvcStep(engine uintptr, busy *int32) int32 {
	return int32(call(addresses[33], engine, uintptr(unsafe.Pointer(busy))))
}

// KvcResponseFree is kvc_response_free.
func KvcResponseFree(response *KvcResponseT) {
	call(addresses[34], uintptr(unsafe.Pointer(response)))
}

// KvcChatText is kvc_chat_text.
func KvcChatText(engine uintptr, messages *KvcMessageT, n uintptr, answer int32, buffer *byte, capacity uintptr, length *uintptr) int32 {
	return int32(call(addresses[35], engine, uintptr(unsafe.Pointer(messages)), n, uintptr(answer), uintptr(unsafe.Pointer(buffer)), capacity, uintptr(unsafe.Pointer(length))))
}

// KvcTokenize is kvc_tokenize.
func KvcTokenize(engine uintptr, text *byte, textSize uintptr, tokens *int32, capacity uintptr, n *uintptr) int32 {
	return int32(call(addresses[36], engine, uintptr(unsafe.Pointer(text)), textSize, uintptr(unsafe.Pointer(tokens)), capacity, uintptr(unsafe.Pointer(n))))
}

// KvcDetokenize is kvc_detokenize.
func KvcDetokenize(engine uintptr, tokens *int32, n uintptr, buffer *byte, capacity uintptr, length *uintptr) int32 {
	return int32(call(addresses[37], engine, uintptr(unsafe.Pointer(tokens)), n, uintptr(unsafe.Pointer(buffer)), capacity, uintptr(unsafe.Pointer(length))))
}

// KvcSpaceDescInit is kvc_space_desc_init.
func KvcSpaceDescInit(desc *KvcSpaceDescT, size uintptr) int32 {
	return int32(call(addresses[38], uintptr(unsafe.Pointer(desc)), size))
}

// KvcSpaceOpen is kvc_space_open.
func KvcSpaceOpen(engine uintptr, desc *KvcSpaceDescT, space *uintptr) int32 {
	return int32(call(addresses[39], engine, uintptr(unsafe.Pointer(desc)), uintptr(unsafe.Pointer(space))))
}

// KvcEngineSpace is kvc_engine_space.
func KvcEngineSpace(engine uintptr, space *uintptr) int32 {
	return int32(call(addresses[40], engine, uintptr(unsafe.Pointer(space))))
}

// KvcSpaceClose is kvc_space_close.
func KvcSpaceClose(space uintptr) {
	call(addresses[41], space)
}

// KvcSpaceInfo is kvc_space_info.
func KvcSpaceInfo(space uintptr, info *KvcSpaceInfoT) int32 {
	return int32(call(addresses[42], space, uintptr(unsafe.Pointer(info))))
}

// KvcSpaceDiff is kvc_space_diff.
func KvcSpaceDiff(a uintptr, b uintptr, buffer *byte, capacity uintptr, length *uintptr) int32 {
	return int32(call(addresses[43], a, b, uintptr(unsafe.Pointer(buffer)), capacity, uintptr(unsafe.Pointer(length))))
}

// KvcSpacePageIds is kvc_space_page_ids.
func KvcSpacePageIds(space uintptr, tenant *byte, tokens *int32, nTokens uintptr, ids *uint8, capacity uintptr, n *uintptr) int32 {
	return int32(call(addresses[44], space, uintptr(unsafe.Pointer(tenant)), uintptr(unsafe.Pointer(tokens)), nTokens, uintptr(unsafe.Pointer(ids)), capacity, uintptr(unsafe.Pointer(n))))
}

// KvcTensorThd is kvc_tensor_thd.
func KvcTensorThd(tensor *KvcTensorT, data unsafe.Pointer, dtype int32, tokens uintptr, heads uint32, dim uint32) int32 {
	return int32(call(addresses[45], uintptr(unsafe.Pointer(tensor)), uintptr(data), uintptr(dtype), tokens, uintptr(heads), uintptr(dim)))
}

// KvcTensorHtd is kvc_tensor_htd.
func KvcTensorHtd(tensor *KvcTensorT, data unsafe.Pointer, dtype int32, tokens uintptr, heads uint32, dim uint32) int32 {
	return int32(call(addresses[46], uintptr(unsafe.Pointer(tensor)), uintptr(data), uintptr(dtype), tokens, uintptr(heads), uintptr(dim)))
}

// KvcSessionOpen is kvc_session_open.
func KvcSessionOpen(space uintptr, options *KvcSessionOptionsT, session *uintptr) int32 {
	return int32(call(addresses[47], space, uintptr(unsafe.Pointer(options)), uintptr(unsafe.Pointer(session))))
}

// KvcSessionClose is kvc_session_close.
func KvcSessionClose(session uintptr, hint int32, untilNs uint64) int32 {
	return int32(call(addresses[48], session, uintptr(hint), uintptr(untilNs)))
}

// KvcSessionMatch is kvc_session_match.
func KvcSessionMatch(session uintptr, tokens *int32, n uintptr, reused *uintptr) int32 {
	return int32(call(addresses[49], session, uintptr(unsafe.Pointer(tokens)), n, uintptr(unsafe.Pointer(reused))))
}

// KvcSessionMiss is kvc_session_miss.
func KvcSessionMiss(session uintptr, reason *int32, buffer *byte, capacity uintptr, length *uintptr) int32 {
	return int32(call(addresses[50], session, uintptr(unsafe.Pointer(reason)), uintptr(unsafe.Pointer(buffer)), capacity, uintptr(unsafe.Pointer(length))))
}

// KvcSessionAppend is kvc_session_append.
func KvcSessionAppend(session uintptr, layer uint32, k *KvcTensorT, v *KvcTensorT, n uintptr) int32 {
	return int32(call(addresses[51], session, uintptr(layer), uintptr(unsafe.Pointer(k)), uintptr(unsafe.Pointer(v)), n))
}

// KvcSessionAppendAll is kvc_session_append_all.
func KvcSessionAppendAll(session uintptr, k *KvcTensorT, v *KvcTensorT, nLayers uint32, n uintptr) int32 {
	return int32(call(addresses[52], session, uintptr(unsafe.Pointer(k)), uintptr(unsafe.Pointer(v)), uintptr(nLayers), n))
}

// KvcSessionCommit is kvc_session_commit.
func KvcSessionCommit(session uintptr, tokens *int32, n uintptr) int32 {
	return int32(call(addresses[53], session, uintptr(unsafe.Pointer(tokens)), n))
}

// KvcSessionRead is kvc_session_read.
func KvcSessionRead(session uintptr, layer uint32, plane int32, from uintptr, n uintptr, out *KvcTensorT) int32 {
	return int32(call(addresses[54], session, uintptr(layer), uintptr(plane), from, n, uintptr(unsafe.Pointer(out))))
}

// KvcSessionReadAll is kvc_session_read_all.
func KvcSessionReadAll(session uintptr, from uintptr, n uintptr, k *KvcTensorT, v *KvcTensorT, nLayers uint32) int32 {
	return int32(call(addresses[55], session, from, n, uintptr(unsafe.Pointer(k)), uintptr(unsafe.Pointer(v)), uintptr(nLayers)))
}

// KvcAttendInit is kvc_attend_init.
func KvcAttendInit(how *KvcAttendT, size uintptr) int32 {
	return int32(call(addresses[56], uintptr(unsafe.Pointer(how)), size))
}

// KvcSessionAttend is kvc_session_attend.
func KvcSessionAttend(session uintptr, layer uint32, how *KvcAttendT, query *KvcTensorT, out *KvcTensorT) int32 {
	return int32(call(addresses[57], session, uintptr(layer), uintptr(unsafe.Pointer(how)), uintptr(unsafe.Pointer(query)), uintptr(unsafe.Pointer(out))))
}

// KvcSessionTruncate is kvc_session_truncate.
func KvcSessionTruncate(session uintptr, n uintptr) int32 {
	return int32(call(addresses[58], session, n))
}

// KvcSessionFork is kvc_session_fork.
func KvcSessionFork(session uintptr, fork *uintptr) int32 {
	return int32(call(addresses[59], session, uintptr(unsafe.Pointer(fork))))
}

// KvcSessionPin is kvc_session_pin.
func KvcSessionPin(session uintptr, pinned int32) int32 {
	return int32(call(addresses[60], session, uintptr(pinned)))
}

// KvcSessionSetPriority is kvc_session_set_priority.
func KvcSessionSetPriority(session uintptr, priority int32) int32 {
	return int32(call(addresses[61], session, uintptr(priority)))
}

// KvcSessionHint is kvc_session_hint.
func KvcSessionHint(session uintptr, hint int32) int32 {
	return int32(call(addresses[62], session, uintptr(hint)))
}

// KvcSessionExpect is kvc_session_expect.
func KvcSessionExpect(session uintptr, inNs uint64) int32 {
	return int32(call(addresses[63], session, uintptr(inNs)))
}

// KvcSessionGenerated is kvc_session_generated.
func KvcSessionGenerated(session uintptr, tokens uint64) int32 {
	return int32(call(addresses[64], session, uintptr(tokens)))
}

// KvcSessionInfo is kvc_session_info.
func KvcSessionInfo(session uintptr, info *KvcSessionInfoT) int32 {
	return int32(call(addresses[65], session, uintptr(unsafe.Pointer(info))))
}

// KvcSessionTokens is kvc_session_tokens.
func KvcSessionTokens(session uintptr, from uintptr, n uintptr, tokens *int32) int32 {
	return int32(call(addresses[66], session, from, n, uintptr(unsafe.Pointer(tokens))))
}

// KvcSessionLastError is kvc_session_last_error.
func KvcSessionLastError(session uintptr, buffer *byte, capacity uintptr) uintptr {
	return uintptr(call(addresses[67], session, uintptr(unsafe.Pointer(buffer)), capacity))
}

// KvcPut is kvc_put.
func KvcPut(engine uintptr, tenant *byte, key unsafe.Pointer, keySize uintptr, tensor *KvcTensorT) int32 {
	return int32(call(addresses[68], engine, uintptr(unsafe.Pointer(tenant)), uintptr(key), keySize, uintptr(unsafe.Pointer(tensor))))
}

// KvcPutWith is kvc_put_with.
func KvcPutWith(engine uintptr, tenant *byte, key unsafe.Pointer, keySize uintptr, tensor *KvcTensorT, options *KvcPutOptionsT) int32 {
	return int32(call(addresses[69], engine, uintptr(unsafe.Pointer(tenant)), uintptr(key), keySize, uintptr(unsafe.Pointer(tensor)), uintptr(unsafe.Pointer(options))))
}

// KvcTensorInfo is kvc_tensor_info.
func KvcTensorInfo(engine uintptr, tenant *byte, key unsafe.Pointer, keySize uintptr, info *KvcTensorInfoT, found *int32) int32 {
	return int32(call(addresses[70], engine, uintptr(unsafe.Pointer(tenant)), uintptr(key), keySize, uintptr(unsafe.Pointer(info)), uintptr(unsafe.Pointer(found))))
}

// KvcGet is kvc_get.
func KvcGet(engine uintptr, tenant *byte, key unsafe.Pointer, keySize uintptr, tensor *KvcTensorT, found *int32) int32 {
	return int32(call(addresses[71], engine, uintptr(unsafe.Pointer(tenant)), uintptr(key), keySize, uintptr(unsafe.Pointer(tensor)), uintptr(unsafe.Pointer(found))))
}

// KvcContains is kvc_contains.
func KvcContains(engine uintptr, tenant *byte, key unsafe.Pointer, keySize uintptr, found *int32) int32 {
	return int32(call(addresses[72], engine, uintptr(unsafe.Pointer(tenant)), uintptr(key), keySize, uintptr(unsafe.Pointer(found))))
}

// KvcRemove is kvc_remove.
func KvcRemove(engine uintptr, tenant *byte, key unsafe.Pointer, keySize uintptr, removed *int32) int32 {
	return int32(call(addresses[73], engine, uintptr(unsafe.Pointer(tenant)), uintptr(key), keySize, uintptr(unsafe.Pointer(removed))))
}

// KvcPageIterOpen is kvc_page_iter_open.
func KvcPageIterOpen(engine uintptr, tenant *byte, iter *uintptr) int32 {
	return int32(call(addresses[74], engine, uintptr(unsafe.Pointer(tenant)), uintptr(unsafe.Pointer(iter))))
}

// KvcPageIterNext is kvc_page_iter_next.
func KvcPageIterNext(iter uintptr, info *KvcPageInfoT) int32 {
	return int32(call(addresses[75], iter, uintptr(unsafe.Pointer(info))))
}

// KvcPageIterClose is kvc_page_iter_close.
func KvcPageIterClose(iter uintptr) {
	call(addresses[76], iter)
}

// KvcPageInfo is kvc_page_info.
func KvcPageInfo(engine uintptr, id *uint8, info *KvcPageInfoT) int32 {
	return int32(call(addresses[77], engine, uintptr(unsafe.Pointer(id)), uintptr(unsafe.Pointer(info))))
}

// KvcPageTokens is kvc_page_tokens.
func KvcPageTokens(engine uintptr, id *uint8, tokens *int32, capacity uintptr, n *uintptr) int32 {
	return int32(call(addresses[78], engine, uintptr(unsafe.Pointer(id)), uintptr(unsafe.Pointer(tokens)), capacity, uintptr(unsafe.Pointer(n))))
}

// KvcTrim is kvc_trim.
func KvcTrim(engine uintptr, bytes uint64, freed *uint64) int32 {
	return int32(call(addresses[79], engine, uintptr(bytes), uintptr(unsafe.Pointer(freed))))
}

// KvcPersist is kvc_persist.
func KvcPersist(engine uintptr, timeoutNs uint64) int32 {
	return int32(call(addresses[80], engine, uintptr(timeoutNs)))
}

// KvcPersistTo is kvc_persist_to.
func KvcPersistTo(engine uintptr, tenant *byte, path *byte, n *uint64) int32 {
	return int32(call(addresses[81], engine, uintptr(unsafe.Pointer(tenant)), uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(n))))
}

// KvcLoad is kvc_load.
func KvcLoad(engine uintptr, path *byte, n *uint64) int32 {
	return int32(call(addresses[82], engine, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(n))))
}

// KvcTenantPurge is kvc_tenant_purge.
func KvcTenantPurge(engine uintptr, tenant *byte, n *uint64) int32 {
	return int32(call(addresses[83], engine, uintptr(unsafe.Pointer(tenant)), uintptr(unsafe.Pointer(n))))
}

// KvcPackWrite is kvc_pack_write.
func KvcPackWrite(space uintptr, tenant *byte, tokens *int32, nTokens uintptr, path *byte, n *uintptr) int32 {
	return int32(call(addresses[84], space, uintptr(unsafe.Pointer(tenant)), uintptr(unsafe.Pointer(tokens)), nTokens, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(n))))
}

// KvcPackOpen is kvc_pack_open.
func KvcPackOpen(engine uintptr, path *byte, n *uint64) int32 {
	return int32(call(addresses[85], engine, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(n))))
}

// KvcStoreInspect is kvc_store_inspect.
func KvcStoreInspect(path *byte, key *byte, report *KvcStoreReportT, error *KvcErrorT) int32 {
	return int32(call(addresses[86], uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(key)), uintptr(unsafe.Pointer(report)), uintptr(unsafe.Pointer(error))))
}

// KvcStoreVerify is kvc_store_verify.
func KvcStoreVerify(path *byte, key *byte, progress uintptr, userData unsafe.Pointer, report *KvcStoreReportT, error *KvcErrorT) int32 {
	return int32(call(addresses[87], uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(key)), progress, uintptr(userData), uintptr(unsafe.Pointer(report)), uintptr(unsafe.Pointer(error))))
}

// KvcStoreCompact is kvc_store_compact.
func KvcStoreCompact(path *byte, key *byte, progress uintptr, userData unsafe.Pointer, report *KvcStoreReportT, error *KvcErrorT) int32 {
	return int32(call(addresses[88], uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(key)), progress, uintptr(userData), uintptr(unsafe.Pointer(report)), uintptr(unsafe.Pointer(error))))
}

// KvcStoreText is kvc_store_text.
func KvcStoreText(path *byte, key *byte, name *byte, buffer *byte, capacity uintptr, length *uintptr, error *KvcErrorT) int32 {
	return int32(call(addresses[89], uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(key)), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(buffer)), capacity, uintptr(unsafe.Pointer(length)), uintptr(unsafe.Pointer(error))))
}

// KvcConfigLoad is kvc_config_load.
func KvcConfigLoad(config uintptr, path *byte, key *byte) int32 {
	return int32(call(addresses[90], config, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(key))))
}

// KvcStats is kvc_stats.
func KvcStats(engine uintptr, stats *KvcStatsT) int32 {
	return int32(call(addresses[91], engine, uintptr(unsafe.Pointer(stats))))
}

// KvcWhatif is kvc_whatif.
func KvcWhatif(engine uintptr, budget uint64, policy *byte, result *KvcWhatifT) int32 {
	return int32(call(addresses[92], engine, uintptr(budget), uintptr(unsafe.Pointer(policy)), uintptr(unsafe.Pointer(result))))
}

// KvcTraceStart is kvc_trace_start.
func KvcTraceStart(engine uintptr, path *byte) int32 {
	return int32(call(addresses[93], engine, uintptr(unsafe.Pointer(path))))
}

// KvcTraceStop is kvc_trace_stop.
func KvcTraceStop(engine uintptr, sessions *uint64) int32 {
	return int32(call(addresses[94], engine, uintptr(unsafe.Pointer(sessions))))
}

// KvcAdapt is kvc_adapt.
func KvcAdapt(engine uintptr, metrics *KvcMetricsT) int32 {
	return int32(call(addresses[95], engine, uintptr(unsafe.Pointer(metrics))))
}

// KvcModuleInfo is kvc_module_info.
func KvcModuleInfo(config uintptr, buffer *byte, capacity uintptr, length *uintptr) int32 {
	return int32(call(addresses[96], config, uintptr(unsafe.Pointer(buffer)), capacity, uintptr(unsafe.Pointer(length))))
}
