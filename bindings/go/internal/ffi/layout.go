// Code written by bindings/generate from include/kvc/kvc.h; DO NOT EDIT.

package ffi

import "unsafe"

// Place is where a field lies.
type Place struct{ Offset, Size uintptr }

// Layout is how this compiler lays a struct out, by the names of kvc.h.
type Layout struct {
	Size   uintptr
	Fields map[string]Place
}

// Layouts is for the test that compares them with what a C compiler says.
func Layouts() map[string]Layout {
	all := map[string]Layout{}
	{
		var s KvcErrorT
		all["kvc_error_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"status": {unsafe.Offsetof(s.Status), unsafe.Sizeof(s.Status)},
			"message": {unsafe.Offsetof(s.Message), unsafe.Sizeof(s.Message)},
		}}
	}
	{
		var s KvcAllocatorT
		all["kvc_allocator_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"user_data": {unsafe.Offsetof(s.UserData), unsafe.Sizeof(s.UserData)},
			"allocate": {unsafe.Offsetof(s.Allocate), unsafe.Sizeof(s.Allocate)},
			"release": {unsafe.Offsetof(s.Release), unsafe.Sizeof(s.Release)},
		}}
	}
	{
		var s KvcLoggerT
		all["kvc_logger_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"user_data": {unsafe.Offsetof(s.UserData), unsafe.Sizeof(s.UserData)},
			"level": {unsafe.Offsetof(s.Level), unsafe.Sizeof(s.Level)},
			"log": {unsafe.Offsetof(s.Log), unsafe.Sizeof(s.Log)},
		}}
	}
	{
		var s KvcClockT
		all["kvc_clock_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"user_data": {unsafe.Offsetof(s.UserData), unsafe.Sizeof(s.UserData)},
			"now_ns": {unsafe.Offsetof(s.NowNs), unsafe.Sizeof(s.NowNs)},
		}}
	}
	{
		var s KvcPolicyPageT
		all["kvc_policy_page_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"key": {unsafe.Offsetof(s.Key), unsafe.Sizeof(s.Key)},
			"now_ns": {unsafe.Offsetof(s.NowNs), unsafe.Sizeof(s.NowNs)},
			"score": {unsafe.Offsetof(s.Score), unsafe.Sizeof(s.Score)},
			"bytes": {unsafe.Offsetof(s.Bytes), unsafe.Sizeof(s.Bytes)},
			"depth": {unsafe.Offsetof(s.Depth), unsafe.Sizeof(s.Depth)},
			"tokens": {unsafe.Offsetof(s.Tokens), unsafe.Sizeof(s.Tokens)},
			"hits": {unsafe.Offsetof(s.Hits), unsafe.Sizeof(s.Hits)},
			"hint": {unsafe.Offsetof(s.Hint), unsafe.Sizeof(s.Hint)},
			"return_ns": {unsafe.Offsetof(s.ReturnNs), unsafe.Sizeof(s.ReturnNs)},
			"generated": {unsafe.Offsetof(s.Generated), unsafe.Sizeof(s.Generated)},
		}}
	}
	{
		var s KvcPolicyT
		all["kvc_policy_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"user_data": {unsafe.Offsetof(s.UserData), unsafe.Sizeof(s.UserData)},
			"name": {unsafe.Offsetof(s.Name), unsafe.Sizeof(s.Name)},
			"score": {unsafe.Offsetof(s.Score), unsafe.Sizeof(s.Score)},
			"removed": {unsafe.Offsetof(s.Removed), unsafe.Sizeof(s.Removed)},
		}}
	}
	{
		var s KvcCodecPageT
		all["kvc_codec_page_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"n_layers": {unsafe.Offsetof(s.NLayers), unsafe.Sizeof(s.NLayers)},
			"n_kv_heads": {unsafe.Offsetof(s.NKvHeads), unsafe.Sizeof(s.NKvHeads)},
			"k_head_dim": {unsafe.Offsetof(s.KHeadDim), unsafe.Sizeof(s.KHeadDim)},
			"v_head_dim": {unsafe.Offsetof(s.VHeadDim), unsafe.Sizeof(s.VHeadDim)},
			"page_tokens": {unsafe.Offsetof(s.PageTokens), unsafe.Sizeof(s.PageTokens)},
			"dtype": {unsafe.Offsetof(s.Dtype), unsafe.Sizeof(s.Dtype)},
			"position": {unsafe.Offsetof(s.Position), unsafe.Sizeof(s.Position)},
		}}
	}
	{
		var s KvcCodecT
		all["kvc_codec_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"user_data": {unsafe.Offsetof(s.UserData), unsafe.Sizeof(s.UserData)},
			"name": {unsafe.Offsetof(s.Name), unsafe.Sizeof(s.Name)},
			"version": {unsafe.Offsetof(s.Version), unsafe.Sizeof(s.Version)},
			"reserved": {unsafe.Offsetof(s.Reserved), unsafe.Sizeof(s.Reserved)},
			"encoded_size": {unsafe.Offsetof(s.EncodedSize), unsafe.Sizeof(s.EncodedSize)},
			"encode": {unsafe.Offsetof(s.Encode), unsafe.Sizeof(s.Encode)},
			"decode": {unsafe.Offsetof(s.Decode), unsafe.Sizeof(s.Decode)},
		}}
	}
	{
		var s KvcOptionInfoT
		all["kvc_option_info_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"type": {unsafe.Offsetof(s.Type), unsafe.Sizeof(s.Type)},
			"reserved": {unsafe.Offsetof(s.Reserved), unsafe.Sizeof(s.Reserved)},
			"name": {unsafe.Offsetof(s.Name), unsafe.Sizeof(s.Name)},
			"default_value": {unsafe.Offsetof(s.DefaultValue), unsafe.Sizeof(s.DefaultValue)},
			"minimum": {unsafe.Offsetof(s.Minimum), unsafe.Sizeof(s.Minimum)},
			"maximum": {unsafe.Offsetof(s.Maximum), unsafe.Sizeof(s.Maximum)},
			"choices": {unsafe.Offsetof(s.Choices), unsafe.Sizeof(s.Choices)},
			"doc": {unsafe.Offsetof(s.Doc), unsafe.Sizeof(s.Doc)},
			"since": {unsafe.Offsetof(s.Since), unsafe.Sizeof(s.Since)},
		}}
	}
	{
		var s KvcRequestT
		all["kvc_request_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"action": {unsafe.Offsetof(s.Action), unsafe.Sizeof(s.Action)},
			"priority": {unsafe.Offsetof(s.Priority), unsafe.Sizeof(s.Priority)},
			"prompt": {unsafe.Offsetof(s.Prompt), unsafe.Sizeof(s.Prompt)},
			"prompt_size": {unsafe.Offsetof(s.PromptSize), unsafe.Sizeof(s.PromptSize)},
			"tokens": {unsafe.Offsetof(s.Tokens), unsafe.Sizeof(s.Tokens)},
			"n_tokens": {unsafe.Offsetof(s.NTokens), unsafe.Sizeof(s.NTokens)},
			"max_tokens": {unsafe.Offsetof(s.MaxTokens), unsafe.Sizeof(s.MaxTokens)},
			"top_k": {unsafe.Offsetof(s.TopK), unsafe.Sizeof(s.TopK)},
			"temperature": {unsafe.Offsetof(s.Temperature), unsafe.Sizeof(s.Temperature)},
			"top_p": {unsafe.Offsetof(s.TopP), unsafe.Sizeof(s.TopP)},
			"seed": {unsafe.Offsetof(s.Seed), unsafe.Sizeof(s.Seed)},
			"stop": {unsafe.Offsetof(s.Stop), unsafe.Sizeof(s.Stop)},
			"n_stop": {unsafe.Offsetof(s.NStop), unsafe.Sizeof(s.NStop)},
			"no_cache": {unsafe.Offsetof(s.NoCache), unsafe.Sizeof(s.NoCache)},
			"session_id": {unsafe.Offsetof(s.SessionId), unsafe.Sizeof(s.SessionId)},
			"tenant": {unsafe.Offsetof(s.Tenant), unsafe.Sizeof(s.Tenant)},
			"deadline_ns": {unsafe.Offsetof(s.DeadlineNs), unsafe.Sizeof(s.DeadlineNs)},
			"on_text": {unsafe.Offsetof(s.OnText), unsafe.Sizeof(s.OnText)},
			"user_data": {unsafe.Offsetof(s.UserData), unsafe.Sizeof(s.UserData)},
		}}
	}
	{
		var s KvcResponseT
		all["kvc_response_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"status": {unsafe.Offsetof(s.Status), unsafe.Sizeof(s.Status)},
			"finish_reason": {unsafe.Offsetof(s.FinishReason), unsafe.Sizeof(s.FinishReason)},
			"text": {unsafe.Offsetof(s.Text), unsafe.Sizeof(s.Text)},
			"text_size": {unsafe.Offsetof(s.TextSize), unsafe.Sizeof(s.TextSize)},
			"tokens": {unsafe.Offsetof(s.Tokens), unsafe.Sizeof(s.Tokens)},
			"n_tokens": {unsafe.Offsetof(s.NTokens), unsafe.Sizeof(s.NTokens)},
			"cache_hit": {unsafe.Offsetof(s.CacheHit), unsafe.Sizeof(s.CacheHit)},
			"prompt_tokens": {unsafe.Offsetof(s.PromptTokens), unsafe.Sizeof(s.PromptTokens)},
			"cached_tokens": {unsafe.Offsetof(s.CachedTokens), unsafe.Sizeof(s.CachedTokens)},
			"computed_tokens": {unsafe.Offsetof(s.ComputedTokens), unsafe.Sizeof(s.ComputedTokens)},
			"queue_ns": {unsafe.Offsetof(s.QueueNs), unsafe.Sizeof(s.QueueNs)},
			"prefill_ns": {unsafe.Offsetof(s.PrefillNs), unsafe.Sizeof(s.PrefillNs)},
			"decode_ns": {unsafe.Offsetof(s.DecodeNs), unsafe.Sizeof(s.DecodeNs)},
			"total_ns": {unsafe.Offsetof(s.TotalNs), unsafe.Sizeof(s.TotalNs)},
			"ttft_ns": {unsafe.Offsetof(s.TtftNs), unsafe.Sizeof(s.TtftNs)},
			"saved_ns": {unsafe.Offsetof(s.SavedNs), unsafe.Sizeof(s.SavedNs)},
			"miss_reason": {unsafe.Offsetof(s.MissReason), unsafe.Sizeof(s.MissReason)},
			"reserved": {unsafe.Offsetof(s.Reserved), unsafe.Sizeof(s.Reserved)},
			"miss_text": {unsafe.Offsetof(s.MissText), unsafe.Sizeof(s.MissText)},
			"error": {unsafe.Offsetof(s.Error), unsafe.Sizeof(s.Error)},
			"ticket": {unsafe.Offsetof(s.Ticket), unsafe.Sizeof(s.Ticket)},
			"approximate_tokens": {unsafe.Offsetof(s.ApproximateTokens), unsafe.Sizeof(s.ApproximateTokens)},
			"reserved2": {unsafe.Offsetof(s.Reserved2), unsafe.Sizeof(s.Reserved2)},
		}}
	}
	{
		var s KvcMessageT
		all["kvc_message_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"role": {unsafe.Offsetof(s.Role), unsafe.Sizeof(s.Role)},
			"content": {unsafe.Offsetof(s.Content), unsafe.Sizeof(s.Content)},
		}}
	}
	{
		var s KvcAdapterT
		all["kvc_adapter_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"digest": {unsafe.Offsetof(s.Digest), unsafe.Sizeof(s.Digest)},
			"digest_size": {unsafe.Offsetof(s.DigestSize), unsafe.Sizeof(s.DigestSize)},
			"scale": {unsafe.Offsetof(s.Scale), unsafe.Sizeof(s.Scale)},
		}}
	}
	{
		var s KvcRopeT
		all["kvc_rope_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"base": {unsafe.Offsetof(s.Base), unsafe.Sizeof(s.Base)},
			"freq_scale": {unsafe.Offsetof(s.FreqScale), unsafe.Sizeof(s.FreqScale)},
			"scaling": {unsafe.Offsetof(s.Scaling), unsafe.Sizeof(s.Scaling)},
			"factor": {unsafe.Offsetof(s.Factor), unsafe.Sizeof(s.Factor)},
			"attn_factor": {unsafe.Offsetof(s.AttnFactor), unsafe.Sizeof(s.AttnFactor)},
			"beta_fast": {unsafe.Offsetof(s.BetaFast), unsafe.Sizeof(s.BetaFast)},
			"beta_slow": {unsafe.Offsetof(s.BetaSlow), unsafe.Sizeof(s.BetaSlow)},
			"dims": {unsafe.Offsetof(s.Dims), unsafe.Sizeof(s.Dims)},
			"original_context": {unsafe.Offsetof(s.OriginalContext), unsafe.Sizeof(s.OriginalContext)},
			"interleaved": {unsafe.Offsetof(s.Interleaved), unsafe.Sizeof(s.Interleaved)},
			"applied": {unsafe.Offsetof(s.Applied), unsafe.Sizeof(s.Applied)},
		}}
	}
	{
		var s KvcSpaceDescT
		all["kvc_space_desc_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"label": {unsafe.Offsetof(s.Label), unsafe.Sizeof(s.Label)},
			"weights_digest": {unsafe.Offsetof(s.WeightsDigest), unsafe.Sizeof(s.WeightsDigest)},
			"weights_digest_size": {unsafe.Offsetof(s.WeightsDigestSize), unsafe.Sizeof(s.WeightsDigestSize)},
			"tokenizer_digest": {unsafe.Offsetof(s.TokenizerDigest), unsafe.Sizeof(s.TokenizerDigest)},
			"tokenizer_digest_size": {unsafe.Offsetof(s.TokenizerDigestSize), unsafe.Sizeof(s.TokenizerDigestSize)},
			"rope": {unsafe.Offsetof(s.Rope), unsafe.Sizeof(s.Rope)},
			"adapters": {unsafe.Offsetof(s.Adapters), unsafe.Sizeof(s.Adapters)},
			"n_adapters": {unsafe.Offsetof(s.NAdapters), unsafe.Sizeof(s.NAdapters)},
			"none": {unsafe.Offsetof(s.None), unsafe.Sizeof(s.None)},
			"attention": {unsafe.Offsetof(s.Attention), unsafe.Sizeof(s.Attention)},
			"n_layers": {unsafe.Offsetof(s.NLayers), unsafe.Sizeof(s.NLayers)},
			"n_kv_heads": {unsafe.Offsetof(s.NKvHeads), unsafe.Sizeof(s.NKvHeads)},
			"k_head_dim": {unsafe.Offsetof(s.KHeadDim), unsafe.Sizeof(s.KHeadDim)},
			"v_head_dim": {unsafe.Offsetof(s.VHeadDim), unsafe.Sizeof(s.VHeadDim)},
			"dtype": {unsafe.Offsetof(s.Dtype), unsafe.Sizeof(s.Dtype)},
			"page_tokens": {unsafe.Offsetof(s.PageTokens), unsafe.Sizeof(s.PageTokens)},
			"vocab_size": {unsafe.Offsetof(s.VocabSize), unsafe.Sizeof(s.VocabSize)},
			"reserved": {unsafe.Offsetof(s.Reserved), unsafe.Sizeof(s.Reserved)},
		}}
	}
	{
		var s KvcSpaceInfoT
		all["kvc_space_info_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"digest": {unsafe.Offsetof(s.Digest), unsafe.Sizeof(s.Digest)},
			"n_layers": {unsafe.Offsetof(s.NLayers), unsafe.Sizeof(s.NLayers)},
			"n_kv_heads": {unsafe.Offsetof(s.NKvHeads), unsafe.Sizeof(s.NKvHeads)},
			"k_head_dim": {unsafe.Offsetof(s.KHeadDim), unsafe.Sizeof(s.KHeadDim)},
			"v_head_dim": {unsafe.Offsetof(s.VHeadDim), unsafe.Sizeof(s.VHeadDim)},
			"dtype": {unsafe.Offsetof(s.Dtype), unsafe.Sizeof(s.Dtype)},
			"page_tokens": {unsafe.Offsetof(s.PageTokens), unsafe.Sizeof(s.PageTokens)},
			"page_bytes": {unsafe.Offsetof(s.PageBytes), unsafe.Sizeof(s.PageBytes)},
			"vocab_size": {unsafe.Offsetof(s.VocabSize), unsafe.Sizeof(s.VocabSize)},
			"reserved": {unsafe.Offsetof(s.Reserved), unsafe.Sizeof(s.Reserved)},
		}}
	}
	{
		var s KvcTensorT
		all["kvc_tensor_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"data": {unsafe.Offsetof(s.Data), unsafe.Sizeof(s.Data)},
			"size": {unsafe.Offsetof(s.Size), unsafe.Sizeof(s.Size)},
			"dtype": {unsafe.Offsetof(s.Dtype), unsafe.Sizeof(s.Dtype)},
			"n_dims": {unsafe.Offsetof(s.NDims), unsafe.Sizeof(s.NDims)},
			"shape": {unsafe.Offsetof(s.Shape), unsafe.Sizeof(s.Shape)},
			"strides": {unsafe.Offsetof(s.Strides), unsafe.Sizeof(s.Strides)},
		}}
	}
	{
		var s KvcSessionOptionsT
		all["kvc_session_options_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"tenant": {unsafe.Offsetof(s.Tenant), unsafe.Sizeof(s.Tenant)},
			"session_id": {unsafe.Offsetof(s.SessionId), unsafe.Sizeof(s.SessionId)},
			"priority": {unsafe.Offsetof(s.Priority), unsafe.Sizeof(s.Priority)},
			"no_publish": {unsafe.Offsetof(s.NoPublish), unsafe.Sizeof(s.NoPublish)},
			"exact": {unsafe.Offsetof(s.Exact), unsafe.Sizeof(s.Exact)},
			"reserved": {unsafe.Offsetof(s.Reserved), unsafe.Sizeof(s.Reserved)},
			"no_aged": {unsafe.Offsetof(s.NoAged), unsafe.Sizeof(s.NoAged)},
		}}
	}
	{
		var s KvcAttendT
		all["kvc_attend_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"scale": {unsafe.Offsetof(s.Scale), unsafe.Sizeof(s.Scale)},
			"softcap": {unsafe.Offsetof(s.Softcap), unsafe.Sizeof(s.Softcap)},
			"window": {unsafe.Offsetof(s.Window), unsafe.Sizeof(s.Window)},
			"sinks": {unsafe.Offsetof(s.Sinks), unsafe.Sizeof(s.Sinks)},
			"later": {unsafe.Offsetof(s.Later), unsafe.Sizeof(s.Later)},
			"bidirectional": {unsafe.Offsetof(s.Bidirectional), unsafe.Sizeof(s.Bidirectional)},
			"n_threads": {unsafe.Offsetof(s.NThreads), unsafe.Sizeof(s.NThreads)},
			"alibi_slopes": {unsafe.Offsetof(s.AlibiSlopes), unsafe.Sizeof(s.AlibiSlopes)},
			"sink_scores": {unsafe.Offsetof(s.SinkScores), unsafe.Sizeof(s.SinkScores)},
			"left_out": {unsafe.Offsetof(s.LeftOut), unsafe.Sizeof(s.LeftOut)},
			"restore": {unsafe.Offsetof(s.Restore), unsafe.Sizeof(s.Restore)},
			"reserved": {unsafe.Offsetof(s.Reserved), unsafe.Sizeof(s.Reserved)},
		}}
	}
	{
		var s KvcSessionInfoT
		all["kvc_session_info_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"length": {unsafe.Offsetof(s.Length), unsafe.Sizeof(s.Length)},
			"matched": {unsafe.Offsetof(s.Matched), unsafe.Sizeof(s.Matched)},
			"pages": {unsafe.Offsetof(s.Pages), unsafe.Sizeof(s.Pages)},
			"pending": {unsafe.Offsetof(s.Pending), unsafe.Sizeof(s.Pending)},
			"tail_bytes": {unsafe.Offsetof(s.TailBytes), unsafe.Sizeof(s.TailBytes)},
			"priority": {unsafe.Offsetof(s.Priority), unsafe.Sizeof(s.Priority)},
			"pinned": {unsafe.Offsetof(s.Pinned), unsafe.Sizeof(s.Pinned)},
			"domain": {unsafe.Offsetof(s.Domain), unsafe.Sizeof(s.Domain)},
			"approximate": {unsafe.Offsetof(s.Approximate), unsafe.Sizeof(s.Approximate)},
			"sparse": {unsafe.Offsetof(s.Sparse), unsafe.Sizeof(s.Sparse)},
			"aged": {unsafe.Offsetof(s.Aged), unsafe.Sizeof(s.Aged)},
		}}
	}
	{
		var s KvcPutOptionsT
		all["kvc_put_options_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"codec": {unsafe.Offsetof(s.Codec), unsafe.Sizeof(s.Codec)},
			"plane": {unsafe.Offsetof(s.Plane), unsafe.Sizeof(s.Plane)},
			"reserved": {unsafe.Offsetof(s.Reserved), unsafe.Sizeof(s.Reserved)},
		}}
	}
	{
		var s KvcTensorInfoT
		all["kvc_tensor_info_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"codec": {unsafe.Offsetof(s.Codec), unsafe.Sizeof(s.Codec)},
			"bytes": {unsafe.Offsetof(s.Bytes), unsafe.Sizeof(s.Bytes)},
			"raw_bytes": {unsafe.Offsetof(s.RawBytes), unsafe.Sizeof(s.RawBytes)},
			"error": {unsafe.Offsetof(s.Error), unsafe.Sizeof(s.Error)},
			"approximate": {unsafe.Offsetof(s.Approximate), unsafe.Sizeof(s.Approximate)},
			"plane": {unsafe.Offsetof(s.Plane), unsafe.Sizeof(s.Plane)},
		}}
	}
	{
		var s KvcPageInfoT
		all["kvc_page_info_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"id": {unsafe.Offsetof(s.Id), unsafe.Sizeof(s.Id)},
			"parent": {unsafe.Offsetof(s.Parent), unsafe.Sizeof(s.Parent)},
			"space": {unsafe.Offsetof(s.Space), unsafe.Sizeof(s.Space)},
			"position": {unsafe.Offsetof(s.Position), unsafe.Sizeof(s.Position)},
			"bytes": {unsafe.Offsetof(s.Bytes), unsafe.Sizeof(s.Bytes)},
			"metadata_bytes": {unsafe.Offsetof(s.MetadataBytes), unsafe.Sizeof(s.MetadataBytes)},
			"hits": {unsafe.Offsetof(s.Hits), unsafe.Sizeof(s.Hits)},
			"age_ns": {unsafe.Offsetof(s.AgeNs), unsafe.Sizeof(s.AgeNs)},
			"idle_ns": {unsafe.Offsetof(s.IdleNs), unsafe.Sizeof(s.IdleNs)},
			"n_tokens": {unsafe.Offsetof(s.NTokens), unsafe.Sizeof(s.NTokens)},
			"references": {unsafe.Offsetof(s.References), unsafe.Sizeof(s.References)},
			"children": {unsafe.Offsetof(s.Children), unsafe.Sizeof(s.Children)},
			"tier": {unsafe.Offsetof(s.Tier), unsafe.Sizeof(s.Tier)},
			"priority": {unsafe.Offsetof(s.Priority), unsafe.Sizeof(s.Priority)},
			"pinned": {unsafe.Offsetof(s.Pinned), unsafe.Sizeof(s.Pinned)},
			"codec": {unsafe.Offsetof(s.Codec), unsafe.Sizeof(s.Codec)},
			"approximate": {unsafe.Offsetof(s.Approximate), unsafe.Sizeof(s.Approximate)},
			"reserved": {unsafe.Offsetof(s.Reserved), unsafe.Sizeof(s.Reserved)},
			"aged": {unsafe.Offsetof(s.Aged), unsafe.Sizeof(s.Aged)},
			"reserved2": {unsafe.Offsetof(s.Reserved2), unsafe.Sizeof(s.Reserved2)},
		}}
	}
	{
		var s KvcStoreReportT
		all["kvc_store_report_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"pages": {unsafe.Offsetof(s.Pages), unsafe.Sizeof(s.Pages)},
			"clues": {unsafe.Offsetof(s.Clues), unsafe.Sizeof(s.Clues)},
			"payload_bytes": {unsafe.Offsetof(s.PayloadBytes), unsafe.Sizeof(s.PayloadBytes)},
			"stored_bytes": {unsafe.Offsetof(s.StoredBytes), unsafe.Sizeof(s.StoredBytes)},
			"file_bytes": {unsafe.Offsetof(s.FileBytes), unsafe.Sizeof(s.FileBytes)},
			"segments": {unsafe.Offsetof(s.Segments), unsafe.Sizeof(s.Segments)},
			"checked_bytes": {unsafe.Offsetof(s.CheckedBytes), unsafe.Sizeof(s.CheckedBytes)},
			"damaged": {unsafe.Offsetof(s.Damaged), unsafe.Sizeof(s.Damaged)},
			"locked": {unsafe.Offsetof(s.Locked), unsafe.Sizeof(s.Locked)},
			"encrypted": {unsafe.Offsetof(s.Encrypted), unsafe.Sizeof(s.Encrypted)},
			"pack": {unsafe.Offsetof(s.Pack), unsafe.Sizeof(s.Pack)},
			"tensors": {unsafe.Offsetof(s.Tensors), unsafe.Sizeof(s.Tensors)},
			"calibrations": {unsafe.Offsetof(s.Calibrations), unsafe.Sizeof(s.Calibrations)},
		}}
	}
	{
		var s KvcStatsT
		all["kvc_stats_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"requests": {unsafe.Offsetof(s.Requests), unsafe.Sizeof(s.Requests)},
			"requests_completed": {unsafe.Offsetof(s.RequestsCompleted), unsafe.Sizeof(s.RequestsCompleted)},
			"requests_failed": {unsafe.Offsetof(s.RequestsFailed), unsafe.Sizeof(s.RequestsFailed)},
			"requests_cancelled": {unsafe.Offsetof(s.RequestsCancelled), unsafe.Sizeof(s.RequestsCancelled)},
			"requests_refused": {unsafe.Offsetof(s.RequestsRefused), unsafe.Sizeof(s.RequestsRefused)},
			"requests_queued": {unsafe.Offsetof(s.RequestsQueued), unsafe.Sizeof(s.RequestsQueued)},
			"requests_active": {unsafe.Offsetof(s.RequestsActive), unsafe.Sizeof(s.RequestsActive)},
			"request_hits": {unsafe.Offsetof(s.RequestHits), unsafe.Sizeof(s.RequestHits)},
			"request_misses": {unsafe.Offsetof(s.RequestMisses), unsafe.Sizeof(s.RequestMisses)},
			"hit_rate": {unsafe.Offsetof(s.HitRate), unsafe.Sizeof(s.HitRate)},
			"prompt_tokens": {unsafe.Offsetof(s.PromptTokens), unsafe.Sizeof(s.PromptTokens)},
			"cached_tokens": {unsafe.Offsetof(s.CachedTokens), unsafe.Sizeof(s.CachedTokens)},
			"computed_tokens": {unsafe.Offsetof(s.ComputedTokens), unsafe.Sizeof(s.ComputedTokens)},
			"generated_tokens": {unsafe.Offsetof(s.GeneratedTokens), unsafe.Sizeof(s.GeneratedTokens)},
			"token_hit_rate": {unsafe.Offsetof(s.TokenHitRate), unsafe.Sizeof(s.TokenHitRate)},
			"saved_ns": {unsafe.Offsetof(s.SavedNs), unsafe.Sizeof(s.SavedNs)},
			"latency_avg_ns": {unsafe.Offsetof(s.LatencyAvgNs), unsafe.Sizeof(s.LatencyAvgNs)},
			"latency_p50_ns": {unsafe.Offsetof(s.LatencyP50Ns), unsafe.Sizeof(s.LatencyP50Ns)},
			"latency_p95_ns": {unsafe.Offsetof(s.LatencyP95Ns), unsafe.Sizeof(s.LatencyP95Ns)},
			"latency_p99_ns": {unsafe.Offsetof(s.LatencyP99Ns), unsafe.Sizeof(s.LatencyP99Ns)},
			"ttft_avg_ns": {unsafe.Offsetof(s.TtftAvgNs), unsafe.Sizeof(s.TtftAvgNs)},
			"ttft_p50_ns": {unsafe.Offsetof(s.TtftP50Ns), unsafe.Sizeof(s.TtftP50Ns)},
			"ttft_p95_ns": {unsafe.Offsetof(s.TtftP95Ns), unsafe.Sizeof(s.TtftP95Ns)},
			"ttft_p99_ns": {unsafe.Offsetof(s.TtftP99Ns), unsafe.Sizeof(s.TtftP99Ns)},
			"matches": {unsafe.Offsetof(s.Matches), unsafe.Sizeof(s.Matches)},
			"match_hits": {unsafe.Offsetof(s.MatchHits), unsafe.Sizeof(s.MatchHits)},
			"matched_tokens": {unsafe.Offsetof(s.MatchedTokens), unsafe.Sizeof(s.MatchedTokens)},
			"match_asked_tokens": {unsafe.Offsetof(s.MatchAskedTokens), unsafe.Sizeof(s.MatchAskedTokens)},
			"misses_by_reason": {unsafe.Offsetof(s.MissesByReason), unsafe.Sizeof(s.MissesByReason)},
			"pages": {unsafe.Offsetof(s.Pages), unsafe.Sizeof(s.Pages)},
			"pages_sealed": {unsafe.Offsetof(s.PagesSealed), unsafe.Sizeof(s.PagesSealed)},
			"pages_deduplicated": {unsafe.Offsetof(s.PagesDeduplicated), unsafe.Sizeof(s.PagesDeduplicated)},
			"pages_evicted": {unsafe.Offsetof(s.PagesEvicted), unsafe.Sizeof(s.PagesEvicted)},
			"pages_pinned": {unsafe.Offsetof(s.PagesPinned), unsafe.Sizeof(s.PagesPinned)},
			"sessions": {unsafe.Offsetof(s.Sessions), unsafe.Sizeof(s.Sessions)},
			"tensors": {unsafe.Offsetof(s.Tensors), unsafe.Sizeof(s.Tensors)},
			"tensors_evicted": {unsafe.Offsetof(s.TensorsEvicted), unsafe.Sizeof(s.TensorsEvicted)},
			"memory_budget": {unsafe.Offsetof(s.MemoryBudget), unsafe.Sizeof(s.MemoryBudget)},
			"memory_used": {unsafe.Offsetof(s.MemoryUsed), unsafe.Sizeof(s.MemoryUsed)},
			"memory_payload": {unsafe.Offsetof(s.MemoryPayload), unsafe.Sizeof(s.MemoryPayload)},
			"memory_metadata": {unsafe.Offsetof(s.MemoryMetadata), unsafe.Sizeof(s.MemoryMetadata)},
			"memory_pooled": {unsafe.Offsetof(s.MemoryPooled), unsafe.Sizeof(s.MemoryPooled)},
			"memory_peak": {unsafe.Offsetof(s.MemoryPeak), unsafe.Sizeof(s.MemoryPeak)},
			"host_bytes": {unsafe.Offsetof(s.HostBytes), unsafe.Sizeof(s.HostBytes)},
			"device_bytes": {unsafe.Offsetof(s.DeviceBytes), unsafe.Sizeof(s.DeviceBytes)},
			"disk_bytes": {unsafe.Offsetof(s.DiskBytes), unsafe.Sizeof(s.DiskBytes)},
			"remote_bytes": {unsafe.Offsetof(s.RemoteBytes), unsafe.Sizeof(s.RemoteBytes)},
			"gpu_utilization": {unsafe.Offsetof(s.GpuUtilization), unsafe.Sizeof(s.GpuUtilization)},
			"uptime_ns": {unsafe.Offsetof(s.UptimeNs), unsafe.Sizeof(s.UptimeNs)},
			"approximate_tokens": {unsafe.Offsetof(s.ApproximateTokens), unsafe.Sizeof(s.ApproximateTokens)},
			"pages_encoded": {unsafe.Offsetof(s.PagesEncoded), unsafe.Sizeof(s.PagesEncoded)},
			"pages_kept_clear": {unsafe.Offsetof(s.PagesKeptClear), unsafe.Sizeof(s.PagesKeptClear)},
			"encoded_raw_bytes": {unsafe.Offsetof(s.EncodedRawBytes), unsafe.Sizeof(s.EncodedRawBytes)},
			"encoded_bytes": {unsafe.Offsetof(s.EncodedBytes), unsafe.Sizeof(s.EncodedBytes)},
			"codec_key_error": {unsafe.Offsetof(s.CodecKeyError), unsafe.Sizeof(s.CodecKeyError)},
			"codec_value_error": {unsafe.Offsetof(s.CodecValueError), unsafe.Sizeof(s.CodecValueError)},
			"misses_damaged": {unsafe.Offsetof(s.MissesDamaged), unsafe.Sizeof(s.MissesDamaged)},
			"disk_limit": {unsafe.Offsetof(s.DiskLimit), unsafe.Sizeof(s.DiskLimit)},
			"disk_pages": {unsafe.Offsetof(s.DiskPages), unsafe.Sizeof(s.DiskPages)},
			"disk_hits": {unsafe.Offsetof(s.DiskHits), unsafe.Sizeof(s.DiskHits)},
			"disk_hit_tokens": {unsafe.Offsetof(s.DiskHitTokens), unsafe.Sizeof(s.DiskHitTokens)},
			"disk_misses": {unsafe.Offsetof(s.DiskMisses), unsafe.Sizeof(s.DiskMisses)},
			"disk_written": {unsafe.Offsetof(s.DiskWritten), unsafe.Sizeof(s.DiskWritten)},
			"disk_demoted": {unsafe.Offsetof(s.DiskDemoted), unsafe.Sizeof(s.DiskDemoted)},
			"disk_dropped": {unsafe.Offsetof(s.DiskDropped), unsafe.Sizeof(s.DiskDropped)},
			"disk_damaged": {unsafe.Offsetof(s.DiskDamaged), unsafe.Sizeof(s.DiskDamaged)},
			"disk_timeouts": {unsafe.Offsetof(s.DiskTimeouts), unsafe.Sizeof(s.DiskTimeouts)},
			"disk_recomputed": {unsafe.Offsetof(s.DiskRecomputed), unsafe.Sizeof(s.DiskRecomputed)},
			"disk_errors": {unsafe.Offsetof(s.DiskErrors), unsafe.Sizeof(s.DiskErrors)},
			"disk_written_bytes": {unsafe.Offsetof(s.DiskWrittenBytes), unsafe.Sizeof(s.DiskWrittenBytes)},
			"disk_read_bytes": {unsafe.Offsetof(s.DiskReadBytes), unsafe.Sizeof(s.DiskReadBytes)},
			"disk_waiting": {unsafe.Offsetof(s.DiskWaiting), unsafe.Sizeof(s.DiskWaiting)},
			"disk_durable_ns": {unsafe.Offsetof(s.DiskDurableNs), unsafe.Sizeof(s.DiskDurableNs)},
			"policy_strategy": {unsafe.Offsetof(s.PolicyStrategy), unsafe.Sizeof(s.PolicyStrategy)},
			"policy_reason": {unsafe.Offsetof(s.PolicyReason), unsafe.Sizeof(s.PolicyReason)},
			"policy_changes": {unsafe.Offsetof(s.PolicyChanges), unsafe.Sizeof(s.PolicyChanges)},
			"policy_changed_ns": {unsafe.Offsetof(s.PolicyChangedNs), unsafe.Sizeof(s.PolicyChangedNs)},
			"device_limit": {unsafe.Offsetof(s.DeviceLimit), unsafe.Sizeof(s.DeviceLimit)},
			"device_pages": {unsafe.Offsetof(s.DevicePages), unsafe.Sizeof(s.DevicePages)},
			"device_hits": {unsafe.Offsetof(s.DeviceHits), unsafe.Sizeof(s.DeviceHits)},
			"device_promoted": {unsafe.Offsetof(s.DevicePromoted), unsafe.Sizeof(s.DevicePromoted)},
			"device_demoted": {unsafe.Offsetof(s.DeviceDemoted), unsafe.Sizeof(s.DeviceDemoted)},
			"device_in_bytes": {unsafe.Offsetof(s.DeviceInBytes), unsafe.Sizeof(s.DeviceInBytes)},
			"device_out_bytes": {unsafe.Offsetof(s.DeviceOutBytes), unsafe.Sizeof(s.DeviceOutBytes)},
			"devices": {unsafe.Offsetof(s.Devices), unsafe.Sizeof(s.Devices)},
			"devices_lost": {unsafe.Offsetof(s.DevicesLost), unsafe.Sizeof(s.DevicesLost)},
			"codec_failures": {unsafe.Offsetof(s.CodecFailures), unsafe.Sizeof(s.CodecFailures)},
			"pages_sparse": {unsafe.Offsetof(s.PagesSparse), unsafe.Sizeof(s.PagesSparse)},
			"sparse_by_recency": {unsafe.Offsetof(s.SparseByRecency), unsafe.Sizeof(s.SparseByRecency)},
			"sparse_restored": {unsafe.Offsetof(s.SparseRestored), unsafe.Sizeof(s.SparseRestored)},
			"sparse_mass_left_out": {unsafe.Offsetof(s.SparseMassLeftOut), unsafe.Sizeof(s.SparseMassLeftOut)},
			"codec_checked": {unsafe.Offsetof(s.CodecChecked), unsafe.Sizeof(s.CodecChecked)},
			"codec_raised": {unsafe.Offsetof(s.CodecRaised), unsafe.Sizeof(s.CodecRaised)},
			"codec_heads_exact": {unsafe.Offsetof(s.CodecHeadsExact), unsafe.Sizeof(s.CodecHeadsExact)},
			"codec_bound_error": {unsafe.Offsetof(s.CodecBoundError), unsafe.Sizeof(s.CodecBoundError)},
			"pages_aged": {unsafe.Offsetof(s.PagesAged), unsafe.Sizeof(s.PagesAged)},
			"aged_before_bytes": {unsafe.Offsetof(s.AgedBeforeBytes), unsafe.Sizeof(s.AgedBeforeBytes)},
			"aged_bytes": {unsafe.Offsetof(s.AgedBytes), unsafe.Sizeof(s.AgedBytes)},
			"aged_tokens": {unsafe.Offsetof(s.AgedTokens), unsafe.Sizeof(s.AgedTokens)},
		}}
	}
	{
		var s KvcWhatifT
		all["kvc_whatif_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"token_hit_rate": {unsafe.Offsetof(s.TokenHitRate), unsafe.Sizeof(s.TokenHitRate)},
			"page_hit_rate": {unsafe.Offsetof(s.PageHitRate), unsafe.Sizeof(s.PageHitRate)},
			"pages": {unsafe.Offsetof(s.Pages), unsafe.Sizeof(s.Pages)},
			"sessions": {unsafe.Offsetof(s.Sessions), unsafe.Sizeof(s.Sessions)},
			"tokens": {unsafe.Offsetof(s.Tokens), unsafe.Sizeof(s.Tokens)},
			"span_ns": {unsafe.Offsetof(s.SpanNs), unsafe.Sizeof(s.SpanNs)},
			"saved_ns": {unsafe.Offsetof(s.SavedNs), unsafe.Sizeof(s.SavedNs)},
			"sampled": {unsafe.Offsetof(s.Sampled), unsafe.Sizeof(s.Sampled)},
		}}
	}
	{
		var s KvcMetricsT
		all["kvc_metrics_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"objective": {unsafe.Offsetof(s.Objective), unsafe.Sizeof(s.Objective)},
			"reserved": {unsafe.Offsetof(s.Reserved), unsafe.Sizeof(s.Reserved)},
			"prefill_speed": {unsafe.Offsetof(s.PrefillSpeed), unsafe.Sizeof(s.PrefillSpeed)},
			"balanced_position": {unsafe.Offsetof(s.BalancedPosition), unsafe.Sizeof(s.BalancedPosition)},
		}}
	}
	{
		var s KvcModelInfoT
		all["kvc_model_info_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"name": {unsafe.Offsetof(s.Name), unsafe.Sizeof(s.Name)},
			"space": {unsafe.Offsetof(s.Space), unsafe.Sizeof(s.Space)},
			"context": {unsafe.Offsetof(s.Context), unsafe.Sizeof(s.Context)},
			"max_batch_tokens": {unsafe.Offsetof(s.MaxBatchTokens), unsafe.Sizeof(s.MaxBatchTokens)},
			"bos": {unsafe.Offsetof(s.Bos), unsafe.Sizeof(s.Bos)},
			"eos": {unsafe.Offsetof(s.Eos), unsafe.Sizeof(s.Eos)},
			"ends": {unsafe.Offsetof(s.Ends), unsafe.Sizeof(s.Ends)},
			"n_ends": {unsafe.Offsetof(s.NEnds), unsafe.Sizeof(s.NEnds)},
			"total_tokens": {unsafe.Offsetof(s.TotalTokens), unsafe.Sizeof(s.TotalTokens)},
			"state_tokens": {unsafe.Offsetof(s.StateTokens), unsafe.Sizeof(s.StateTokens)},
			"reserved": {unsafe.Offsetof(s.Reserved), unsafe.Sizeof(s.Reserved)},
			"details": {unsafe.Offsetof(s.Details), unsafe.Sizeof(s.Details)},
		}}
	}
	{
		var s KvcForwardT
		all["kvc_forward_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"sequence": {unsafe.Offsetof(s.Sequence), unsafe.Sizeof(s.Sequence)},
			"session": {unsafe.Offsetof(s.Session), unsafe.Sizeof(s.Session)},
			"tokens": {unsafe.Offsetof(s.Tokens), unsafe.Sizeof(s.Tokens)},
			"n": {unsafe.Offsetof(s.N), unsafe.Sizeof(s.N)},
			"position": {unsafe.Offsetof(s.Position), unsafe.Sizeof(s.Position)},
			"logits": {unsafe.Offsetof(s.Logits), unsafe.Sizeof(s.Logits)},
		}}
	}
	{
		var s KvcBackendT
		all["kvc_backend_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"user_data": {unsafe.Offsetof(s.UserData), unsafe.Sizeof(s.UserData)},
			"kind": {unsafe.Offsetof(s.Kind), unsafe.Sizeof(s.Kind)},
			"reserved": {unsafe.Offsetof(s.Reserved), unsafe.Sizeof(s.Reserved)},
			"describe": {unsafe.Offsetof(s.Describe), unsafe.Sizeof(s.Describe)},
			"tokenize": {unsafe.Offsetof(s.Tokenize), unsafe.Sizeof(s.Tokenize)},
			"detokenize": {unsafe.Offsetof(s.Detokenize), unsafe.Sizeof(s.Detokenize)},
			"sequence_open": {unsafe.Offsetof(s.SequenceOpen), unsafe.Sizeof(s.SequenceOpen)},
			"sequence_close": {unsafe.Offsetof(s.SequenceClose), unsafe.Sizeof(s.SequenceClose)},
			"forward": {unsafe.Offsetof(s.Forward), unsafe.Sizeof(s.Forward)},
			"export_kv": {unsafe.Offsetof(s.ExportKv), unsafe.Sizeof(s.ExportKv)},
			"import_kv": {unsafe.Offsetof(s.ImportKv), unsafe.Sizeof(s.ImportKv)},
			"truncate": {unsafe.Offsetof(s.Truncate), unsafe.Sizeof(s.Truncate)},
			"destroy": {unsafe.Offsetof(s.Destroy), unsafe.Sizeof(s.Destroy)},
			"chat_text": {unsafe.Offsetof(s.ChatText), unsafe.Sizeof(s.ChatText)},
			"save_state": {unsafe.Offsetof(s.SaveState), unsafe.Sizeof(s.SaveState)},
			"load_state": {unsafe.Offsetof(s.LoadState), unsafe.Sizeof(s.LoadState)},
			"set_stop": {unsafe.Offsetof(s.SetStop), unsafe.Sizeof(s.SetStop)},
		}}
	}
	{
		var s KvcModuleHostT
		all["kvc_module_host_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"session_append_all": {unsafe.Offsetof(s.SessionAppendAll), unsafe.Sizeof(s.SessionAppendAll)},
			"session_read_all": {unsafe.Offsetof(s.SessionReadAll), unsafe.Sizeof(s.SessionReadAll)},
			"session_info": {unsafe.Offsetof(s.SessionInfo), unsafe.Sizeof(s.SessionInfo)},
			"session_last_error": {unsafe.Offsetof(s.SessionLastError), unsafe.Sizeof(s.SessionLastError)},
		}}
	}
	{
		var s KvcModuleRequestT
		all["kvc_module_request_t"] = Layout{unsafe.Sizeof(s), map[string]Place{
			"struct_size": {unsafe.Offsetof(s.StructSize), unsafe.Sizeof(s.StructSize)},
			"version": {unsafe.Offsetof(s.Version), unsafe.Sizeof(s.Version)},
			"n_options": {unsafe.Offsetof(s.NOptions), unsafe.Sizeof(s.NOptions)},
			"names": {unsafe.Offsetof(s.Names), unsafe.Sizeof(s.Names)},
			"values": {unsafe.Offsetof(s.Values), unsafe.Sizeof(s.Values)},
			"host": {unsafe.Offsetof(s.Host), unsafe.Sizeof(s.Host)},
		}}
	}
	return all
}

// Constants are the constants of kvc.h.
var Constants = map[string]int64{
	"KVC_VERSION_MAJOR": 0,
	"KVC_VERSION_MINOR": 1,
	"KVC_VERSION_PATCH": 0,
	"KVC_ABI_VERSION": 0,
	"KVC_OK": 0,
	"KVC_END": 1,
	"KVC_PENDING": 2,
	"KVC_E_INVALID": -100,
	"KVC_E_NULL": -101,
	"KVC_E_STRUCT_SIZE": -102,
	"KVC_E_UNKNOWN_OPTION": -103,
	"KVC_E_OUT_OF_RANGE": -104,
	"KVC_E_SHAPE": -105,
	"KVC_E_DTYPE": -106,
	"KVC_E_TOKEN": -107,
	"KVC_E_UTF8": -108,
	"KVC_E_IDENTITY": -109,
	"KVC_E_CLOSED": -200,
	"KVC_E_ORDER": -201,
	"KVC_E_MISSING_LAYERS": -202,
	"KVC_E_FORKED": -203,
	"KVC_E_BUSY": -204,
	"KVC_E_CANCELLED": -205,
	"KVC_E_DEADLINE": -206,
	"KVC_E_NOT_FOUND": -207,
	"KVC_E_NO_MEMORY": -300,
	"KVC_E_BUDGET": -301,
	"KVC_E_CONTEXT": -302,
	"KVC_E_QUEUE_FULL": -303,
	"KVC_E_BUFFER": -304,
	"KVC_E_IO": -400,
	"KVC_E_CORRUPT": -500,
	"KVC_E_DEVICE": -600,
	"KVC_E_BACKEND": -650,
	"KVC_E_INTERNAL": -700,
	"KVC_E_UNSUPPORTED": -701,
	"KVC_E_USER": -900,
	"KVC_F32": 1,
	"KVC_F16": 2,
	"KVC_BF16": 3,
	"KVC_U8": 4,
	"KVC_KEY": 0,
	"KVC_VALUE": 1,
	"KVC_PRIORITY_BACKGROUND": -200,
	"KVC_PRIORITY_LOW": -100,
	"KVC_PRIORITY_NORMAL": 0,
	"KVC_PRIORITY_HIGH": 100,
	"KVC_PRIORITY_CRITICAL": 200,
	"KVC_CLOSE_KEEP": 0,
	"KVC_CLOSE_FINISHED": 1,
	"KVC_CLOSE_IDLE": 2,
	"KVC_HINT_NONE": 0,
	"KVC_HINT_TURN_END": 1,
	"KVC_HINT_TOOL_CALL": 2,
	"KVC_HINT_ONE_OFF": 3,
	"KVC_HINT_SHARED": 4,
	"KVC_ACTION_PROCESS": 0,
	"KVC_ACTION_PREFETCH": 1,
	"KVC_ACTION_STORE": 2,
	"KVC_ACTION_RETRIEVE": 3,
	"KVC_FINISH_NONE": 0,
	"KVC_FINISH_LENGTH": 1,
	"KVC_FINISH_STOP": 2,
	"KVC_FINISH_EOS": 3,
	"KVC_FINISH_CANCELLED": 4,
	"KVC_FINISH_DEADLINE": 5,
	"KVC_FINISH_ERROR": 6,
	"KVC_MISS_NONE": 0,
	"KVC_MISS_NEW": 1,
	"KVC_MISS_PARTIAL": 2,
	"KVC_MISS_IDENTITY": 3,
	"KVC_MISS_DISABLED": 4,
	"KVC_MISS_SHORT": 5,
	"KVC_MISS_TIMEOUT": 6,
	"KVC_MISS_RECOMPUTE": 7,
	"KVC_MISS_DAMAGED": 8,
	"KVC_MISS_COUNT": 9,
	"KVC_TIER_HOST": 1,
	"KVC_TIER_DEVICE": 2,
	"KVC_TIER_DISK": 3,
	"KVC_TIER_REMOTE": 4,
	"KVC_LOG_ERROR": 1,
	"KVC_LOG_WARN": 2,
	"KVC_LOG_INFO": 3,
	"KVC_LOG_DEBUG": 4,
	"KVC_POLICY_INSERTED": 1,
	"KVC_POLICY_USED": 2,
	"KVC_POLICY_ENDED": 3,
	"KVC_OPTION_INTEGER": 1,
	"KVC_OPTION_SIZE": 2,
	"KVC_OPTION_TIME": 3,
	"KVC_OPTION_REAL": 4,
	"KVC_OPTION_SWITCH": 5,
	"KVC_OPTION_CHOICE": 6,
	"KVC_OPTION_TEXT": 7,
	"KVC_NONE_TOKENIZER": 1,
	"KVC_NONE_ROPE": 2,
	"KVC_NONE_ADAPTERS": 4,
	"KVC_NONE_ATTENTION": 8,
	"KVC_MAX_DIMS": 8,
	"KVC_STRATEGY_FIXED": 0,
	"KVC_STRATEGY_LEARNED": 1,
	"KVC_STRATEGY_RECENCY": 2,
	"KVC_REASON_NONE": 0,
	"KVC_REASON_LOST": 1,
	"KVC_REASON_RETRY": 2,
	"KVC_REASON_METRICS": 3,
	"KVC_OBJECTIVE_HITS": 0,
	"KVC_OBJECTIVE_TIME": 1,
	"KVC_BACKEND_PAGED": 1,
	"KVC_BACKEND_OWN_KV": 2,
	"KVC_MODULE_VERSION": 1,
}
