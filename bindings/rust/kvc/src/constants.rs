//! The constants of `kvc.h`, grouped. A library may know more values than these.
//!
//! Written by bindings/generate from include/kvc/kvc.h; do not edit.

macro_rules! group {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $member:ident = $value:expr,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i32);
        #[allow(missing_docs)]
        impl $name {
            $($(#[$inner])* pub const $member: $name = $name($value);)*
            /// All that this version knows.
            pub const ALL: &'static [$name] = &[$($name::$member,)*];
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match *self {
                    $($name::$member => f.write_str(stringify!($member)),)*
                    _ => write!(f, concat!(stringify!($name), "({})"), self.0),
                }
            }
        }
    };
}

group! {
    /// `KVC_...` of `kvc.h`.
    Status {
        OK = 0,
        /// a stream or an iteration is over
        END = 1,
        /// not ready within the time allowed: ask again
        PENDING = 2,
        /// an argument makes no sense; the message says which
        INVALID = -100,
        /// a required pointer or handle is NULL
        NULL = -101,
        /// struct_size is too small, or the unknown tail of a larger one is not 0
        STRUCT_SIZE = -102,
        /// no option of that name; kvc_option_info lists them
        UNKNOWN_OPTION = -103,
        /// a value outside of its documented range
        OUT_OF_RANGE = -104,
        /// a tensor's shape or strides do not fit the space or the buffer
        SHAPE = -105,
        /// a tensor's dtype does not fit
        DTYPE = -106,
        /// a token id is negative or beyond the vocabulary
        TOKEN = -107,
        /// text is not valid UTF-8
        UTF8 = -108,
        /// a space's identity is incomplete: give the field or say "none"
        IDENTITY = -109,
        /// the handle was closed, or never was one
        CLOSED = -200,
        /// calls in the wrong order, or a position that is not the next one
        ORDER = -201,
        /// commit before every layer has its tokens
        MISSING_LAYERS = -202,
        /// the handle belongs to the parent process
        FORKED = -203,
        /// the object is in use in a way that forbids this call now
        BUSY = -204,
        /// the request was cancelled
        CANCELLED = -205,
        /// the request's deadline has passed
        DEADLINE = -206,
        /// no such ticket or page
        NOT_FOUND = -207,
        /// the budget or the machine has no room; what is stored stays usable
        NO_MEMORY = -300,
        /// the memory budget cannot hold even one page of this layout
        BUDGET = -301,
        /// prompt (and answer) longer than the model's context
        CONTEXT = -302,
        /// too many requests wait
        QUEUE_FULL = -303,
        /// the caller's buffer is too small; the needed size is reported
        BUFFER = -304,
        /// the operating system refused
        IO = -400,
        /// bytes failed their check
        CORRUPT = -500,
        /// an accelerator failed
        DEVICE = -600,
        /// the model backend failed; the message has its words
        BACKEND = -650,
        /// a defect of kvc
        INTERNAL = -700,
        /// known, but not in this build or not for this object
        UNSUPPORTED = -701,
        /// free for callbacks to return; kvc itself never does
        USER = -900,
    }
}

group! {
    /// `KVC_...` of `kvc.h`.
    DType {
        /// IEEE 754 binary32
        F32 = 1,
        /// IEEE 754 binary16
        F16 = 2,
        /// bfloat16
        BF16 = 3,
        /// opaque bytes, e.g. rows that a runtime has quantised: stored and given back as they are
        U8 = 4,
    }
}

group! {
    /// `KVC_...` of `kvc.h`.
    Plane {
        KEY = 0,
        VALUE = 1,
    }
}

group! {
    /// `KVC_PRIORITY...` of `kvc.h`.
    Priority {
        BACKGROUND = -200,
        LOW = -100,
        NORMAL = 0,
        HIGH = 100,
        CRITICAL = 200,
    }
}

group! {
    /// `KVC_CLOSE...` of `kvc.h`.
    CloseHint {
        /// nothing: the policy decides
        KEEP = 0,
        /// it will not come back: pages that only it used leave first
        FINISHED = 1,
        /// it comes back at about the given time: until then its own pages may leave
        IDLE = 2,
    }
}

group! {
    /// `KVC_HINT...` of `kvc.h`.
    Hint {
        /// nothing: takes earlier hints back
        NONE = 0,
        /// an answer ended; a person reads it, and may go on
        TURN_END = 1,
        /// an answer asked for a tool; a program goes on, usually soon
        TOOL_CALL = 2,
        /// a request of its own: it belongs to no conversation
        ONE_OFF = 3,
        /// a prefix (system prompt, document) that others will begin with
        SHARED = 4,
    }
}

group! {
    /// `KVC_ACTION...` of `kvc.h`.
    Action {
        /// generate an answer
        PROCESS = 0,
        /// make the cached part of the prompt recent; compute nothing
        PREFETCH = 1,
        /// compute and cache what is missing of the prompt; generate nothing
        STORE = 2,
        /// say how much of the prompt is cached; change nothing
        RETRIEVE = 3,
    }
}

group! {
    /// `KVC_FINISH...` of `kvc.h`.
    FinishReason {
        /// nothing was to be generated
        NONE = 0,
        /// max_tokens reached
        LENGTH = 1,
        /// a stop string was met; it is not part of the text
        STOP = 2,
        /// the model ended its text
        EOS = 3,
        CANCELLED = 4,
        DEADLINE = 5,
        ERROR = 6,
    }
}

group! {
    /// `KVC_MISS...` of `kvc.h`.
    MissReason {
        /// no miss: everything that can be reused was reused
        NONE = 0,
        /// this prefix was never stored here
        NEW = 1,
        /// a part was found; from there on the tokens differ
        PARTIAL = 2,
        /// the tokens are stored, but in a space that differs (the text says in what)
        IDENTITY = 3,
        /// reuse was switched off
        DISABLED = 4,
        /// the prompt has no token that could be reused
        SHORT = 5,
        /// stored on disk, but it did not come within option disk_timeout
        TIMEOUT = 6,
        /// stored on disk, but to compute it is expected to be faster than to read it
        RECOMPUTE = 7,
        /// stored on disk, but the bytes failed their check: they are not used
        DAMAGED = 8,
        /// number of reasons above
        COUNT = 9,
    }
}

group! {
    /// `KVC_TIER...` of `kvc.h`.
    Tier {
        HOST = 1,
        DEVICE = 2,
        DISK = 3,
        REMOTE = 4,
    }
}

group! {
    /// `KVC_LOG...` of `kvc.h`.
    LogLevel {
        ERROR = 1,
        WARN = 2,
        INFO = 3,
        DEBUG = 4,
    }
}

group! {
    /// `KVC_POLICY...` of `kvc.h`.
    Policy {
        /// it came in
        INSERTED = 1,
        /// a match found it, or kvc_get a tensor
        USED = 2,
        /// a session that led to it closed
        ENDED = 3,
    }
}

group! {
    /// `KVC_OPTION...` of `kvc.h`.
    OptionType {
        INTEGER = 1,
        SIZE = 2,
        TIME = 3,
        REAL = 4,
        SWITCH = 5,
        /// one of the words in `choices`, separated by '|'
        CHOICE = 6,
        TEXT = 7,
    }
}

group! {
    /// `KVC_NONE...` of `kvc.h`.
    Absent {
        TOKENIZER = 1,
        ROPE = 2,
        ADAPTERS = 4,
        ATTENTION = 8,
    }
}

group! {
    /// `KVC_STRATEGY...` of `kvc.h`.
    Strategy {
        /// its one rule
        FIXED = 0,
        /// adaptive: what it learned of reuse
        LEARNED = 1,
        /// adaptive: what was used longest ago leaves first
        RECENCY = 2,
    }
}

group! {
    /// `KVC_REASON...` of `kvc.h`.
    Reason {
        /// it did not
        NONE = 0,
        /// what it learned had cost hits that recency would have had
        LOST = 1,
        /// another try with what was learned meanwhile
        RETRY = 2,
        /// kvc_adapt asked for another objective
        METRICS = 3,
    }
}

group! {
    /// `KVC_OBJECTIVE...` of `kvc.h`.
    Objective {
        /// tokens found in the cache
        HITS = 0,
        /// time of prefill spared: a token late in a sequence costs more to compute again
        TIME = 1,
    }
}

group! {
    /// `KVC_BACKEND...` of `kvc.h`.
    BackendKind {
        /// keeps no K/V: `forward` reads the past from the session and appends the new to it
        PAGED = 1,
        /// keeps its own K/V per sequence; kvc has it exported to, and imported from, sessions
        OWN_KV = 2,
    }
}
