// Code written by bindings/generate from include/kvc/kvc.h; DO NOT EDIT.

package kvc

import "github.com/libkvc/kvc/bindings/go/internal/ffi"

// OptionInfo is kvc_option_info_t; units and meaning as in kvc.h.
type OptionInfo struct {
	// Type: KVC_OPTION_*
	Type int32
	Name string
	// DefaultValue: of the preset "seamless"
	DefaultValue string
	// Minimum: "" where there is none
	Minimum string
	// Maximum: "" where there is none
	Maximum string
	// Choices: "" unless type is KVC_OPTION_CHOICE
	Choices string
	// Doc: one or two sentences
	Doc string
	// Since: version that introduced it
	Since string
}

func newOptionInfo(s *ffi.KvcOptionInfoT) OptionInfo {
	return OptionInfo{
		Type: s.Type,
		Name: terminated(s.Name),
		DefaultValue: terminated(s.DefaultValue),
		Minimum: terminated(s.Minimum),
		Maximum: terminated(s.Maximum),
		Choices: terminated(s.Choices),
		Doc: terminated(s.Doc),
		Since: terminated(s.Since),
	}
}

// Response is kvc_response_t; units and meaning as in kvc.h.
type Response struct {
	// Status: KVC_OK, or why it failed; what was generated until then is here all the same
	Status Status
	// FinishReason: KVC_FINISH_*
	FinishReason int32
	// Text: the answer, zero-terminated UTF-8 (bytes that are no UTF-8 become U+FFFD)
	Text string
	// Tokens: the answer's tokens
	Tokens []int32
	// CacheHit: 1 if any token of the prompt, but a bos alone, was found in the cache
	CacheHit uint32
	// PromptTokens: length of the prompt
	PromptTokens uint32
	// CachedTokens: tokens of the prompt whose K/V was reused
	CachedTokens uint32
	// ComputedTokens: tokens of the prompt whose K/V was computed
	ComputedTokens uint32
	// QueueNs: submission to first step
	QueueNs uint64
	// PrefillNs: first step to first token
	PrefillNs uint64
	// DecodeNs: first token to last
	DecodeNs uint64
	// TotalNs: submission to end; queue + prefill + decode
	TotalNs uint64
	// TtftNs: submission to first token; 0 if there was none
	TtftNs uint64
	// SavedNs: estimate: cached_tokens at the measured speed of prefill
	SavedNs uint64
	// MissReason: KVC_MISS_*
	MissReason int32
	// MissText: in words, e.g. "miss: rope_base 10000 != 500000"; "" if there was none
	MissText string
	// Error: message of `status`; "" if KVC_OK
	Error string
	// Ticket: of the request
	Ticket uint64
	// ApproximateTokens: of cached_tokens: their K/V went through a lossy codec
	ApproximateTokens uint32
	// Reserved2: 0
	Reserved2 uint32
}

func newResponse(s *ffi.KvcResponseT) Response {
	return Response{
		Status: Status(s.Status),
		FinishReason: s.FinishReason,
		Text: textOf(s.Text, s.TextSize),
		Tokens: intsOf(s.Tokens, uintptr(s.NTokens)),
		CacheHit: s.CacheHit,
		PromptTokens: s.PromptTokens,
		CachedTokens: s.CachedTokens,
		ComputedTokens: s.ComputedTokens,
		QueueNs: s.QueueNs,
		PrefillNs: s.PrefillNs,
		DecodeNs: s.DecodeNs,
		TotalNs: s.TotalNs,
		TtftNs: s.TtftNs,
		SavedNs: s.SavedNs,
		MissReason: s.MissReason,
		MissText: terminated(s.MissText),
		Error: terminated(s.Error),
		Ticket: s.Ticket,
		ApproximateTokens: s.ApproximateTokens,
		Reserved2: s.Reserved2,
	}
}

// SpaceInfo is kvc_space_info_t; units and meaning as in kvc.h.
type SpaceInfo struct {
	// Digest: of the identity; the root of every chain
	Digest [32]uint8
	NLayers uint32
	NKvHeads uint32
	KHeadDim uint32
	VHeadDim uint32
	Dtype int32
	PageTokens uint32
	// PageBytes: K/V bytes of one page before any codec
	PageBytes uint64
	VocabSize int32
}

func newSpaceInfo(s *ffi.KvcSpaceInfoT) SpaceInfo {
	return SpaceInfo{
		Digest: s.Digest,
		NLayers: s.NLayers,
		NKvHeads: s.NKvHeads,
		KHeadDim: s.KHeadDim,
		VHeadDim: s.VHeadDim,
		Dtype: s.Dtype,
		PageTokens: s.PageTokens,
		PageBytes: s.PageBytes,
		VocabSize: s.VocabSize,
	}
}

// SessionInfo is kvc_session_info_t; units and meaning as in kvc.h.
type SessionInfo struct {
	// Length: committed tokens
	Length uint64
	// Matched: of these, found by kvc_session_match
	Matched uint64
	// Pages: sealed pages
	Pages uint64
	// Pending: tokens appended to every layer and not committed
	Pending uint64
	// TailBytes: memory of pages that are not sealed and not shared
	TailBytes uint64
	Priority int32
	// Pinned: 1 if the sealed pages are pinned
	Pinned uint32
	// Domain: equal for sessions of one tenant, else different; means nothing outside this engine
	Domain uint64
	// Approximate: of length: tokens whose K/V went through a lossy codec
	Approximate uint64
	// Sparse: of approximate: tokens of pages of which attention sees a part (codec sparse)
	Sparse uint64
	// Aged: of approximate: tokens whose pages were encoded again, to fewer bits, at rest
	Aged uint64
}

func newSessionInfo(s *ffi.KvcSessionInfoT) SessionInfo {
	return SessionInfo{
		Length: s.Length,
		Matched: s.Matched,
		Pages: s.Pages,
		Pending: s.Pending,
		TailBytes: s.TailBytes,
		Priority: s.Priority,
		Pinned: s.Pinned,
		Domain: s.Domain,
		Approximate: s.Approximate,
		Sparse: s.Sparse,
		Aged: s.Aged,
	}
}

// TensorInfo is kvc_tensor_info_t; units and meaning as in kvc.h.
type TensorInfo struct {
	// Codec: as in kvc_put_options_t; static text
	Codec string
	// Bytes: of memory that its numbers take
	Bytes uint64
	// RawBytes: as it is given back
	RawBytes uint64
	// Error: measured when it was stored: root mean square of (decoded - original) over that of the original; 0 = bit for bit
	Error float64
	// Approximate: 1: not bit for bit what was put
	Approximate uint32
	// Plane: as it was asked for
	Plane int32
}

func newTensorInfo(s *ffi.KvcTensorInfoT) TensorInfo {
	return TensorInfo{
		Codec: terminated(s.Codec),
		Bytes: s.Bytes,
		RawBytes: s.RawBytes,
		Error: s.Error,
		Approximate: s.Approximate,
		Plane: s.Plane,
	}
}

// PageInfo is kvc_page_info_t; units and meaning as in kvc.h.
type PageInfo struct {
	Id [32]uint8
	// Parent: the space's root for a first page
	Parent [32]uint8
	// Space: digest of the space
	Space [32]uint8
	// Position: of its first token
	Position uint64
	// Bytes: K/V as stored
	Bytes uint64
	MetadataBytes uint64
	// Hits: matches that used it
	Hits uint64
	// AgeNs: since it was sealed
	AgeNs uint64
	// IdleNs: since it was last used
	IdleNs uint64
	// NTokens: page_tokens; fewer in the last page of a session that was closed
	NTokens uint32
	// References: sessions that end in this page
	References uint32
	// Children: pages that continue it
	Children uint32
	// Tier: KVC_TIER_*
	Tier int32
	Priority int32
	Pinned uint32
	// Codec: name of its codec, e.g. "identity"
	Codec string
	// Approximate: 1: its K/V is not bit for bit what was appended
	Approximate uint32
	// Aged: 1: encoded again, to fewer bits, after nobody had used it for codec_rest_after
	Aged uint32
	// Reserved2: 0
	Reserved2 uint32
}

func newPageInfo(s *ffi.KvcPageInfoT) PageInfo {
	return PageInfo{
		Id: s.Id,
		Parent: s.Parent,
		Space: s.Space,
		Position: s.Position,
		Bytes: s.Bytes,
		MetadataBytes: s.MetadataBytes,
		Hits: s.Hits,
		AgeNs: s.AgeNs,
		IdleNs: s.IdleNs,
		NTokens: s.NTokens,
		References: s.References,
		Children: s.Children,
		Tier: s.Tier,
		Priority: s.Priority,
		Pinned: s.Pinned,
		Codec: fromChars(s.Codec[:]),
		Approximate: s.Approximate,
		Aged: s.Aged,
		Reserved2: s.Reserved2,
	}
}

// Stats is kvc_stats_t; units and meaning as in kvc.h.
type Stats struct {
	// Requests: submitted and accepted
	Requests uint64
	// RequestsCompleted: with KVC_OK
	RequestsCompleted uint64
	RequestsFailed uint64
	// RequestsCancelled: by the caller or by a deadline
	RequestsCancelled uint64
	// RequestsRefused: never queued: bad arguments or a full queue
	RequestsRefused uint64
	// RequestsQueued: waiting now
	RequestsQueued uint64
	// RequestsActive: in the batch now
	RequestsActive uint64
	// RequestHits: requests that reused at least one token
	RequestHits uint64
	RequestMisses uint64
	// HitRate: request_hits / (request_hits + request_misses); 0 before the first
	HitRate float64
	PromptTokens uint64
	// CachedTokens: of the prompts, reused
	CachedTokens uint64
	// ComputedTokens: of the prompts, computed
	ComputedTokens uint64
	GeneratedTokens uint64
	// TokenHitRate: cached / (cached + computed)
	TokenHitRate float64
	// SavedNs: sum of the responses' saved_ns
	SavedNs uint64
	LatencyAvgNs uint64
	LatencyP50Ns uint64
	LatencyP95Ns uint64
	LatencyP99Ns uint64
	TtftAvgNs uint64
	TtftP50Ns uint64
	TtftP95Ns uint64
	// TtftP99Ns: the page core, with or without requests
	TtftP99Ns uint64
	// Matches: kvc_session_match calls, the request engine's included
	Matches uint64
	// MatchHits: of these, with at least one token
	MatchHits uint64
	MatchedTokens uint64
	MatchAskedTokens uint64
	// MissesByReason: by KVC_MISS_* below 8; of matches. KVC_MISS_DAMAGED: misses_damaged
	MissesByReason [8]uint64
	// Pages: held now
	Pages uint64
	// PagesSealed: ever
	PagesSealed uint64
	// PagesDeduplicated: sealed twice, kept once
	PagesDeduplicated uint64
	PagesEvicted uint64
	// PagesPinned: now
	PagesPinned uint64
	// Sessions: open now
	Sessions uint64
	// Tensors: plain tensors held now
	Tensors uint64
	// TensorsEvicted: memory, bytes
	TensorsEvicted uint64
	MemoryBudget uint64
	// MemoryUsed: payload + metadata + pooled; never more than the budget
	MemoryUsed uint64
	// MemoryPayload: K/V and tensors
	MemoryPayload uint64
	MemoryMetadata uint64
	// MemoryPooled: free pages kept for reuse
	MemoryPooled uint64
	MemoryPeak uint64
	// HostBytes: of pages, per tier
	HostBytes uint64
	DeviceBytes uint64
	DiskBytes uint64
	RemoteBytes uint64
	// GpuUtilization: 0..1; -1 when there is none
	GpuUtilization float64
	// UptimeNs: codecs
	UptimeNs uint64
	// ApproximateTokens: of matched_tokens: their K/V went through a lossy codec
	ApproximateTokens uint64
	// PagesEncoded: ever, by a lossy codec
	PagesEncoded uint64
	// PagesKeptClear: ever: not finite, or no smaller when encoded
	PagesKeptClear uint64
	// EncodedRawBytes: of pages_encoded, before ...
	EncodedRawBytes uint64
	// EncodedBytes: ... and after
	EncodedBytes uint64
	// CodecKeyError: measured: root mean square error of encoded keys over that of the keys ...
	CodecKeyError float64
	// CodecValueError: ... and of values; a layer of every page
	CodecValueError float64
	// MissesDamaged: matches that ended with KVC_MISS_DAMAGED
	MissesDamaged uint64
	// DiskLimit: option disk_limit
	DiskLimit uint64
	// DiskPages: records on disk now: pages, and for each a small one, its clue, by which prompts that end inside the page find it
	DiskPages uint64
	// DiskHits: pages that matches found on disk and read into memory
	DiskHits uint64
	// DiskHitTokens: tokens that those pages added to matches
	DiskHitTokens uint64
	// DiskMisses: matches that looked for more on disk and found none
	DiskMisses uint64
	// DiskWritten: pages written, most of them ahead of eviction
	DiskWritten uint64
	// DiskDemoted: of these, when they were evicted from memory
	DiskDemoted uint64
	// DiskDropped: pages that were not written: the disk was slower than what came, or full
	DiskDropped uint64
	// DiskDamaged: pages whose bytes failed their check; each was a miss
	DiskDamaged uint64
	// DiskTimeouts: matches that gave up waiting
	DiskTimeouts uint64
	// DiskRecomputed: pages on disk that were left there because to compute is faster
	DiskRecomputed uint64
	// DiskErrors: writes, reads and syncs that the operating system refused
	DiskErrors uint64
	// DiskWrittenBytes: to the files, records and metadata
	DiskWrittenBytes uint64
	DiskReadBytes uint64
	// DiskWaiting: pages that wait to be written
	DiskWaiting uint64
	// DiskDurableNs: age of the state that would survive a power cut now; 0: nothing was made durable yet
	DiskDurableNs uint64
	// PolicyStrategy: KVC_STRATEGY_*: what it goes by now
	PolicyStrategy int32
	// PolicyReason: KVC_REASON_*: why it last changed that
	PolicyReason int32
	// PolicyChanges: how often it did
	PolicyChanges uint64
	// PolicyChangedNs: time since it last did; 0: never
	PolicyChangedNs uint64
	// DeviceLimit: option device_memory, times the devices in use
	DeviceLimit uint64
	// DevicePages: that have a copy there now
	DevicePages uint64
	// DeviceHits: pages that a call on a device found there ...
	DeviceHits uint64
	// DevicePromoted: ... and pages that were copied there for one
	DevicePromoted uint64
	// DeviceDemoted: copies that made room for others; the pages are in memory as before
	DeviceDemoted uint64
	// DeviceInBytes: copied to devices
	DeviceInBytes uint64
	// DeviceOutBytes: copied from devices
	DeviceOutBytes uint64
	// Devices: in use now
	Devices uint64
	// DevicesLost: that failed; memory and disk serve on
	DevicesLost uint64
	// CodecFailures: ever: calls that a codec of the caller's (kvc_codec_t) failed
	CodecFailures uint64
	// PagesSparse: ever: pages of which codec sparse keeps a part of the rows in memory
	PagesSparse uint64
	// SparseByRecency: of these, chosen without kvc_session_attend's scores: the latest rows stayed
	SparseByRecency uint64
	// SparseRestored: pages brought back in full for a read or an attend
	SparseRestored uint64
	// SparseMassLeftOut: of sparse pages chosen by scores: mean share of their attention, by the latest queries, that the dropped rows had
	SparseMassLeftOut float64
	// CodecChecked: pages that real queries attended to, exactly and over codes, before they were kept: their bits are their own (option codec_bound)
	CodecChecked uint64
	// CodecRaised: of these, pages where a head needed more bits than its space had learned
	CodecRaised uint64
	// CodecHeadsExact: K/V heads of checked pages that no codes served: kept as they came
	CodecHeadsExact uint64
	// CodecBoundError: largest relative error of a query head's output that a check found in a page as it was kept, its margin included; never above codec_bound
	CodecBoundError float64
	// PagesAged: ever encoded again at rest (codec_rest_bits, codec_rest_bound)
	PagesAged uint64
	// AgedBeforeBytes: of these, before ...
	AgedBeforeBytes uint64
	// AgedBytes: ... and after
	AgedBytes uint64
	// AgedTokens: of approximate_tokens: of such pages
	AgedTokens uint64
}

func newStats(s *ffi.KvcStatsT) Stats {
	return Stats{
		Requests: s.Requests,
		RequestsCompleted: s.RequestsCompleted,
		RequestsFailed: s.RequestsFailed,
		RequestsCancelled: s.RequestsCancelled,
		RequestsRefused: s.RequestsRefused,
		RequestsQueued: s.RequestsQueued,
		RequestsActive: s.RequestsActive,
		RequestHits: s.RequestHits,
		RequestMisses: s.RequestMisses,
		HitRate: s.HitRate,
		PromptTokens: s.PromptTokens,
		CachedTokens: s.CachedTokens,
		ComputedTokens: s.ComputedTokens,
		GeneratedTokens: s.GeneratedTokens,
		TokenHitRate: s.TokenHitRate,
		SavedNs: s.SavedNs,
		LatencyAvgNs: s.LatencyAvgNs,
		LatencyP50Ns: s.LatencyP50Ns,
		LatencyP95Ns: s.LatencyP95Ns,
		LatencyP99Ns: s.LatencyP99Ns,
		TtftAvgNs: s.TtftAvgNs,
		TtftP50Ns: s.TtftP50Ns,
		TtftP95Ns: s.TtftP95Ns,
		TtftP99Ns: s.TtftP99Ns,
		Matches: s.Matches,
		MatchHits: s.MatchHits,
		MatchedTokens: s.MatchedTokens,
		MatchAskedTokens: s.MatchAskedTokens,
		MissesByReason: s.MissesByReason,
		Pages: s.Pages,
		PagesSealed: s.PagesSealed,
		PagesDeduplicated: s.PagesDeduplicated,
		PagesEvicted: s.PagesEvicted,
		PagesPinned: s.PagesPinned,
		Sessions: s.Sessions,
		Tensors: s.Tensors,
		TensorsEvicted: s.TensorsEvicted,
		MemoryBudget: s.MemoryBudget,
		MemoryUsed: s.MemoryUsed,
		MemoryPayload: s.MemoryPayload,
		MemoryMetadata: s.MemoryMetadata,
		MemoryPooled: s.MemoryPooled,
		MemoryPeak: s.MemoryPeak,
		HostBytes: s.HostBytes,
		DeviceBytes: s.DeviceBytes,
		DiskBytes: s.DiskBytes,
		RemoteBytes: s.RemoteBytes,
		GpuUtilization: s.GpuUtilization,
		UptimeNs: s.UptimeNs,
		ApproximateTokens: s.ApproximateTokens,
		PagesEncoded: s.PagesEncoded,
		PagesKeptClear: s.PagesKeptClear,
		EncodedRawBytes: s.EncodedRawBytes,
		EncodedBytes: s.EncodedBytes,
		CodecKeyError: s.CodecKeyError,
		CodecValueError: s.CodecValueError,
		MissesDamaged: s.MissesDamaged,
		DiskLimit: s.DiskLimit,
		DiskPages: s.DiskPages,
		DiskHits: s.DiskHits,
		DiskHitTokens: s.DiskHitTokens,
		DiskMisses: s.DiskMisses,
		DiskWritten: s.DiskWritten,
		DiskDemoted: s.DiskDemoted,
		DiskDropped: s.DiskDropped,
		DiskDamaged: s.DiskDamaged,
		DiskTimeouts: s.DiskTimeouts,
		DiskRecomputed: s.DiskRecomputed,
		DiskErrors: s.DiskErrors,
		DiskWrittenBytes: s.DiskWrittenBytes,
		DiskReadBytes: s.DiskReadBytes,
		DiskWaiting: s.DiskWaiting,
		DiskDurableNs: s.DiskDurableNs,
		PolicyStrategy: s.PolicyStrategy,
		PolicyReason: s.PolicyReason,
		PolicyChanges: s.PolicyChanges,
		PolicyChangedNs: s.PolicyChangedNs,
		DeviceLimit: s.DeviceLimit,
		DevicePages: s.DevicePages,
		DeviceHits: s.DeviceHits,
		DevicePromoted: s.DevicePromoted,
		DeviceDemoted: s.DeviceDemoted,
		DeviceInBytes: s.DeviceInBytes,
		DeviceOutBytes: s.DeviceOutBytes,
		Devices: s.Devices,
		DevicesLost: s.DevicesLost,
		CodecFailures: s.CodecFailures,
		PagesSparse: s.PagesSparse,
		SparseByRecency: s.SparseByRecency,
		SparseRestored: s.SparseRestored,
		SparseMassLeftOut: s.SparseMassLeftOut,
		CodecChecked: s.CodecChecked,
		CodecRaised: s.CodecRaised,
		CodecHeadsExact: s.CodecHeadsExact,
		CodecBoundError: s.CodecBoundError,
		PagesAged: s.PagesAged,
		AgedBeforeBytes: s.AgedBeforeBytes,
		AgedBytes: s.AgedBytes,
		AgedTokens: s.AgedTokens,
	}
}

// Whatif is kvc_whatif_t; units and meaning as in kvc.h.
type Whatif struct {
	// TokenHitRate: of the tokens of the sessions looked at, those found in the cache
	TokenHitRate float64
	// PageHitRate: the same in pages
	PageHitRate float64
	// Pages: that the budget holds, at the bytes per page of now
	Pages uint64
	// Sessions: looked at
	Sessions uint64
	// Tokens: of these sessions, estimated from the sample
	Tokens uint64
	// SpanNs: from the first of these sessions' ends to the last
	SpanNs uint64
	// SavedNs: prefill that the hits spare over this span; 0: its speed is not known (kvc_adapt gives it, option prefill_speed, or the engine's own model)
	SavedNs uint64
	// Sampled: share of the pages that were looked at
	Sampled float64
}

func newWhatif(s *ffi.KvcWhatifT) Whatif {
	return Whatif{
		TokenHitRate: s.TokenHitRate,
		PageHitRate: s.PageHitRate,
		Pages: s.Pages,
		Sessions: s.Sessions,
		Tokens: s.Tokens,
		SpanNs: s.SpanNs,
		SavedNs: s.SavedNs,
		Sampled: s.Sampled,
	}
}
