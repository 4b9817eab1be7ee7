// The constants of kvc.h, grouped.
// Written by bindings/generate from include/kvc/kvc.h; do not edit.
using System;

namespace Kvc
{
    /// <summary>kvc_status_t of kvc.h; more may come.</summary>
    public enum Status : int
    {
        /// <summary>Ok</summary>
        Ok = 0,
        /// <summary>a stream or an iteration is over</summary>
        End = 1,
        /// <summary>not ready within the time allowed: ask again</summary>
        Pending = 2,
        /// <summary>an argument makes no sense; the message says which</summary>
        Invalid = -100,
        /// <summary>a required pointer or handle is NULL</summary>
        Null = -101,
        /// <summary>struct_size is too small, or the unknown tail of a larger one is not 0</summary>
        StructSize = -102,
        /// <summary>no option of that name; kvc_option_info lists them</summary>
        UnknownOption = -103,
        /// <summary>a value outside of its documented range</summary>
        OutOfRange = -104,
        /// <summary>a tensor's shape or strides do not fit the space or the buffer</summary>
        Shape = -105,
        /// <summary>a tensor's dtype does not fit</summary>
        Dtype = -106,
        /// <summary>a token id is negative or beyond the vocabulary</summary>
        Token = -107,
        /// <summary>text is not valid UTF-8</summary>
        Utf8 = -108,
        /// <summary>a space's identity is incomplete: give the field or say "none"</summary>
        Identity = -109,
        /// <summary>the handle was closed, or never was one</summary>
        Closed = -200,
        /// <summary>calls in the wrong order, or a position that is not the next one</summary>
        Order = -201,
        /// <summary>commit before every layer has its tokens</summary>
        MissingLayers = -202,
        /// <summary>the handle belongs to the parent process</summary>
        Forked = -203,
        /// <summary>the object is in use in a way that forbids this call now</summary>
        Busy = -204,
        /// <summary>the request was cancelled</summary>
        Cancelled = -205,
        /// <summary>the request's deadline has passed</summary>
        Deadline = -206,
        /// <summary>no such ticket or page</summary>
        NotFound = -207,
        /// <summary>the budget or the machine has no room; what is stored stays usable</summary>
        NoMemory = -300,
        /// <summary>the memory budget cannot hold even one page of this layout</summary>
        Budget = -301,
        /// <summary>prompt (and answer) longer than the model's context</summary>
        Context = -302,
        /// <summary>too many requests wait</summary>
        QueueFull = -303,
        /// <summary>the caller's buffer is too small; the needed size is reported</summary>
        Buffer = -304,
        /// <summary>the operating system refused</summary>
        Io = -400,
        /// <summary>bytes failed their check</summary>
        Corrupt = -500,
        /// <summary>an accelerator failed</summary>
        Device = -600,
        /// <summary>the model backend failed; the message has its words</summary>
        Backend = -650,
        /// <summary>a defect of kvc</summary>
        Internal = -700,
        /// <summary>known, but not in this build or not for this object</summary>
        Unsupported = -701,
        /// <summary>free for callbacks to return; kvc itself never does</summary>
        User = -900,
    }

    /// <summary>KVC_DTYPE_* of kvc.h; more may come.</summary>
    public enum DType : int
    {
        /// <summary>IEEE 754 binary32</summary>
        F32 = 1,
        /// <summary>IEEE 754 binary16</summary>
        F16 = 2,
        /// <summary>bfloat16</summary>
        BF16 = 3,
        /// <summary>opaque bytes, e.g. rows that a runtime has quantised: stored and given back as they are</summary>
        U8 = 4,
    }

    /// <summary>KVC_PLANE_* of kvc.h; more may come.</summary>
    public enum Plane : int
    {
        /// <summary>Key</summary>
        Key = 0,
        /// <summary>Value</summary>
        Value = 1,
    }

    /// <summary>KVC_PRIORITY_* of kvc.h; more may come.</summary>
    public enum Priority : int
    {
        /// <summary>Background</summary>
        Background = -200,
        /// <summary>Low</summary>
        Low = -100,
        /// <summary>Normal</summary>
        Normal = 0,
        /// <summary>High</summary>
        High = 100,
        /// <summary>Critical</summary>
        Critical = 200,
    }

    /// <summary>KVC_CLOSE_* of kvc.h; more may come.</summary>
    public enum CloseHint : int
    {
        /// <summary>nothing: the policy decides</summary>
        Keep = 0,
        /// <summary>it will not come back: pages that only it used leave first</summary>
        Finished = 1,
        /// <summary>it comes back at about the given time: until then its own pages may leave</summary>
        Idle = 2,
    }

    /// <summary>KVC_HINT_* of kvc.h; more may come.</summary>
    public enum Hint : int
    {
        /// <summary>nothing: takes earlier hints back</summary>
        None = 0,
        /// <summary>an answer ended; a person reads it, and may go on</summary>
        TurnEnd = 1,
        /// <summary>an answer asked for a tool; a program goes on, usually soon</summary>
        ToolCall = 2,
        /// <summary>a request of its own: it belongs to no conversation</summary>
        OneOff = 3,
        /// <summary>a prefix (system prompt, document) that others will begin with</summary>
        Shared = 4,
    }

    /// <summary>KVC_ACTION_* of kvc.h; more may come.</summary>
    public enum RequestAction : int
    {
        /// <summary>generate an answer</summary>
        Process = 0,
        /// <summary>make the cached part of the prompt recent; compute nothing</summary>
        Prefetch = 1,
        /// <summary>compute and cache what is missing of the prompt; generate nothing</summary>
        Store = 2,
        /// <summary>say how much of the prompt is cached; change nothing</summary>
        Retrieve = 3,
    }

    /// <summary>KVC_FINISH_* of kvc.h; more may come.</summary>
    public enum FinishReason : int
    {
        /// <summary>nothing was to be generated</summary>
        None = 0,
        /// <summary>max_tokens reached</summary>
        Length = 1,
        /// <summary>a stop string was met; it is not part of the text</summary>
        Stop = 2,
        /// <summary>the model ended its text</summary>
        Eos = 3,
        /// <summary>Cancelled</summary>
        Cancelled = 4,
        /// <summary>Deadline</summary>
        Deadline = 5,
        /// <summary>Error</summary>
        Error = 6,
    }

    /// <summary>KVC_MISS_* of kvc.h; more may come.</summary>
    public enum MissReason : int
    {
        /// <summary>no miss: everything that can be reused was reused</summary>
        None = 0,
        /// <summary>this prefix was never stored here</summary>
        New = 1,
        /// <summary>a part was found; from there on the tokens differ</summary>
        Partial = 2,
        /// <summary>the tokens are stored, but in a space that differs (the text says in what)</summary>
        Identity = 3,
        /// <summary>reuse was switched off</summary>
        Disabled = 4,
        /// <summary>the prompt has no token that could be reused</summary>
        Short = 5,
        /// <summary>stored on disk, but it did not come within option disk_timeout</summary>
        Timeout = 6,
        /// <summary>stored on disk, but to compute it is expected to be faster than to read it</summary>
        Recompute = 7,
        /// <summary>stored on disk, but the bytes failed their check: they are not used</summary>
        Damaged = 8,
        /// <summary>number of reasons above</summary>
        Count = 9,
    }

    /// <summary>KVC_TIER_* of kvc.h; more may come.</summary>
    public enum Tier : int
    {
        /// <summary>Host</summary>
        Host = 1,
        /// <summary>Device</summary>
        Device = 2,
        /// <summary>Disk</summary>
        Disk = 3,
        /// <summary>Remote</summary>
        Remote = 4,
    }

    /// <summary>KVC_LOG_* of kvc.h; more may come.</summary>
    public enum LogLevel : int
    {
        /// <summary>Error</summary>
        Error = 1,
        /// <summary>Warn</summary>
        Warn = 2,
        /// <summary>Info</summary>
        Info = 3,
        /// <summary>Debug</summary>
        Debug = 4,
    }

    /// <summary>KVC_POLICY_* of kvc.h; more may come.</summary>
    public enum Policy : int
    {
        /// <summary>it came in</summary>
        Inserted = 1,
        /// <summary>a match found it, or kvc_get a tensor</summary>
        Used = 2,
        /// <summary>a session that led to it closed</summary>
        Ended = 3,
    }

    /// <summary>KVC_OPTION_* of kvc.h; more may come.</summary>
    public enum OptionType : int
    {
        /// <summary>Integer</summary>
        Integer = 1,
        /// <summary>Size</summary>
        Size = 2,
        /// <summary>Time</summary>
        Time = 3,
        /// <summary>Real</summary>
        Real = 4,
        /// <summary>Switch</summary>
        Switch = 5,
        /// <summary>one of the words in `choices`, separated by '|'</summary>
        Choice = 6,
        /// <summary>Text</summary>
        Text = 7,
    }

    /// <summary>KVC_NONE_* of kvc.h; more may come.</summary>
    [Flags]
    public enum Absent : uint
    {
        /// <summary>Tokenizer</summary>
        Tokenizer = 1,
        /// <summary>Rope</summary>
        Rope = 2,
        /// <summary>Adapters</summary>
        Adapters = 4,
        /// <summary>Attention</summary>
        Attention = 8,
    }

    /// <summary>KVC_STRATEGY_* of kvc.h; more may come.</summary>
    public enum Strategy : int
    {
        /// <summary>its one rule</summary>
        Fixed = 0,
        /// <summary>adaptive: what it learned of reuse</summary>
        Learned = 1,
        /// <summary>adaptive: what was used longest ago leaves first</summary>
        Recency = 2,
    }

    /// <summary>KVC_REASON_* of kvc.h; more may come.</summary>
    public enum Reason : int
    {
        /// <summary>it did not</summary>
        None = 0,
        /// <summary>what it learned had cost hits that recency would have had</summary>
        Lost = 1,
        /// <summary>another try with what was learned meanwhile</summary>
        Retry = 2,
        /// <summary>kvc_adapt asked for another objective</summary>
        Metrics = 3,
    }

    /// <summary>KVC_OBJECTIVE_* of kvc.h; more may come.</summary>
    public enum Objective : int
    {
        /// <summary>tokens found in the cache</summary>
        Hits = 0,
        /// <summary>time of prefill spared: a token late in a sequence costs more to compute again</summary>
        Time = 1,
    }

    /// <summary>KVC_BACKEND_* of kvc.h; more may come.</summary>
    public enum BackendKind : int
    {
        /// <summary>keeps no K/V: `forward` reads the past from the session and appends the new to it</summary>
        Paged = 1,
        /// <summary>keeps its own K/V per sequence; kvc has it exported to, and imported from, sessions</summary>
        OwnKv = 2,
    }

}
