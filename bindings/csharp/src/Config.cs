using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace Kvc
{
    /// <summary>Options by name, and what else an engine can be given.</summary>
    public sealed unsafe class Config : KvcObject
    {
        private readonly Dictionary<string, Entry> entries;

        /// <summary>What a callback threw when there was nobody to throw it to (a logger, a clock, an allocator). Must not throw.</summary>
        public static event Action<Exception> CallbackFailed;

        internal static void Report(Exception e)
        {
            try
            {
                CallbackFailed?.Invoke(e);
            }
            catch (Exception)
            {
                // As it must not.
            }
        }

        /// <summary>From a preset: "seamless" (also for null), "adaptive", "high_performance", "memory_efficient", "bulk_optimized".</summary>
        public Config(string preset = null) : this(Create(preset), new Dictionary<string, Entry>()) { }

        private Config(ulong raw, Dictionary<string, Entry> entries) : base(raw, handle =>
        {
            Kvc.Raw.kvc_config_destroy(handle);
            lock (entries)
            {
                Entry.DropAll(entries.Values);
                entries.Clear();
            }
        })
        {
            this.entries = entries;
        }

        private static ulong Create(string preset)
        {
            Library.Need();
            return Library.Loaded.CreateConfig(preset);
        }

        private void Check(int status)
        {
            KvcException.Check(status, Kvc.Raw.kvc_config_last_error, Raw);
            GC.KeepAlive(this);
        }

        /// <summary>Sets an option: "memory" to "512MiB", or to a number, or a switch to true.</summary>
        public Config Set(string key, object value)
        {
            string text = value is bool yes ? (yes ? "true" : "false") : Convert.ToString(value, CultureInfo.InvariantCulture);
            using (var arena = new Arena()) Check(Kvc.Raw.kvc_config_set(Raw, arena.Text(key), arena.Text(text)));
            return this;
        }

        /// <summary>Reads an option.</summary>
        public string Get(string key)
        {
            using (var arena = new Arena())
            {
                byte* k = arena.Text(key);
                return Memory.Written((b, c, n) => Check(Kvc.Raw.kvc_config_get(Raw, k, b, c, n)));
            }
        }

        /// <summary>Sets the options that the engine of a directory had, but secrets. key: its option disk_key.</summary>
        public Config Load(string path, string key = null)
        {
            using (var arena = new Arena()) Check(Kvc.Raw.kvc_config_load(Raw, arena.Text(path), arena.Text(key)));
            return this;
        }

        /// <summary>Gives engines a model; null takes it back.</summary>
        public Config SetBackend(Backend backend)
        {
            return Give("backend", backend == null ? null : new Running(backend), number =>
            {
                kvc_backend_t table = Backends.Table(backend, number);
                return Kvc.Raw.kvc_config_set_backend(Raw, number == 0 ? null : &table);
            });
        }

        /// <summary>Has lines up to a level told; null takes it back. Called from any thread.</summary>
        public Config SetLogger(LogLevel level, Action<LogLevel, string> log)
        {
            return Give("logger", log, number =>
            {
                var table = new kvc_logger_t { struct_size = (ulong)sizeof(kvc_logger_t), user_data = number, level = (int)level, log = Callbacks.Log };
                return Kvc.Raw.kvc_config_set_logger(Raw, number == 0 ? null : &table);
            });
        }

        /// <summary>The engine's only source of time, in nanoseconds; it must never go backwards. null takes it back.</summary>
        public Config SetClock(Func<ulong> nowNs)
        {
            return Give("clock", nowNs, number =>
            {
                var table = new kvc_clock_t { struct_size = (ulong)sizeof(kvc_clock_t), user_data = number, now_ns = Callbacks.Now };
                return Kvc.Raw.kvc_config_set_clock(Raw, number == 0 ? null : &table);
            });
        }

        /// <summary>null takes it back.</summary>
        public Config SetAllocator(IAllocator allocator)
        {
            return Give("allocator", allocator, number =>
            {
                var table = new kvc_allocator_t { struct_size = (ulong)sizeof(kvc_allocator_t), user_data = number, allocate = Callbacks.Allocate,
                    release = Callbacks.Release };
                return Kvc.Raw.kvc_config_set_allocator(Raw, number == 0 ? null : &table);
            });
        }

        private Config Give(string name, object target, Func<ulong, int> set)
        {
            Entry fresh = target == null ? null : new Entry(target);
            try
            {
                Check(set(fresh == null ? 0 : fresh.Number));
            }
            catch
            {
                fresh?.Drop();
                throw;
            }
            lock (entries)
            {
                if (entries.TryGetValue(name, out Entry old)) old.Drop();
                entries.Remove(name);
                if (fresh != null) entries[name] = fresh;
            }
            return this;
        }

        /// <summary>For an engine made from this configuration.</summary>
        internal Entry[] Share()
        {
            lock (entries) return entries.Values.Select(e => e.Share()).ToArray();
        }
    }
}
