using System;
using System.IO;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kvc
{
    /// <summary>The library itself. It is loaded when the first function is used.</summary>
    public static unsafe class Library
    {
        private static readonly object Gate = new object();
        private static volatile string path;

        [DllImport("libdl.so.2", CharSet = CharSet.Ansi)]
        private static extern IntPtr dlopen(string file, int mode);

        [DllImport("libdl.so.2")]
        private static extern IntPtr dlerror();

        /// <summary>
        /// Loads the library now: from a path, or else from where KVC_LIBRARY (a file), KVC_LIBRARY_PATH (a folder), the package or the system's
        /// loader has it. What is named explicitly has no alternative.
        /// </summary>
        public static void Load(string file = null)
        {
            lock (Gate)
            {
                if (path != null)
                {
                    if (file != null && file != path) throw new InvalidOperationException("kvc is loaded already, from " + path);
                    return;
                }
                string wanted = file ?? Candidate();
                // Functions are bound to the soname: a library that is loaded already answers to it, wherever it came from.
                IntPtr library = dlopen(wanted, 2 /* RTLD_NOW */);
                if (library == IntPtr.Zero)
                {
                    throw new DllNotFoundException("libkvc could not be loaded: " + Memory.Text((byte*)dlerror()) + ". Name it by Library.Load(path), "
                        + "by KVC_LIBRARY (a file) or by KVC_LIBRARY_PATH (a folder)");
                }
#if NET5_0_OR_GREATER
                // .NET looks beside the program first; what was asked for goes before.
                NativeLibrary.SetDllImportResolver(typeof(Library).Assembly, (name, assembly, search) => name == Raw.Name ? library : IntPtr.Zero);
#endif
                uint abi = Loaded.AbiVersion();
                if (abi != Raw.AbiVersion)
                {
                    throw new DllNotFoundException(wanted + " speaks ABI " + abi + ", this package ABI " + Raw.AbiVersion
                        + ": install the library that belongs to it, or name another by KVC_LIBRARY");
                }
                path = wanted;
            }
        }

        private static string Candidate()
        {
            string file = Environment.GetEnvironmentVariable("KVC_LIBRARY");
            if (!string.IsNullOrEmpty(file)) return file;
            string folder = Environment.GetEnvironmentVariable("KVC_LIBRARY_PATH");
            if (!string.IsNullOrEmpty(folder)) return Path.Combine(folder, Raw.Name);
            string here = Path.GetDirectoryName(typeof(Library).Assembly.Location);
            string rid = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "linux-arm64" : "linux-x64";
            foreach (string place in new[] { Path.Combine(here, Raw.Name), Path.Combine(here, "runtimes", rid, "native", Raw.Name) })
            {
                if (File.Exists(place)) return place;
            }
            return Raw.Name;
        }

        internal static void Need()
        {
            if (path == null) Load();
        }

        /// <summary>The library's version.</summary>
        public static string Version
        {
            get { Need(); return Loaded.Version(); }
        }

        /// <summary>The library's ABI; one that this package was not made for is not loaded.</summary>
        public static uint AbiVersion
        {
            get { Need(); return Loaded.AbiVersion(); }
        }

        /// <summary>How the library was built, as one JSON object.</summary>
        public static string BuildInfo
        {
            get { Need(); return Loaded.BuildInfo(); }
        }

        /// <summary>Whether the library has a feature; unknown ones it has not.</summary>
        public static bool HasFeature(string name)
        {
            Need();
            return Loaded.HasFeature(name);
        }

        /// <summary>"KVC_E_NO_MEMORY" for Status.NoMemory.</summary>
        public static string StatusName(Status status)
        {
            Need();
            return Loaded.StatusName((int)status);
        }

        /// <summary>Every option there is.</summary>
        public static OptionInfo[] Options()
        {
            Need();
            return Loaded.Options();
        }

        /// <summary>What the module of model files works with on this machine, or why it cannot, as JSON.</summary>
        public static string ModuleInfo(Config config = null)
        {
            Need();
            return Loaded.ModuleInfo(config == null ? 0 : config.Raw);
        }

        /// <summary>Functions that may be a program's first. Mono binds a C function when it compiles the one that calls it: never before Need.</summary>
        internal static class Loaded
        {
            [MethodImpl(MethodImplOptions.NoInlining)]
            public static string Version()
            {
                return Memory.Text(Raw.kvc_version_string());
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            public static uint AbiVersion()
            {
                return Raw.kvc_abi_version();
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            public static string BuildInfo()
            {
                return Memory.Text(Raw.kvc_build_info());
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            public static bool HasFeature(string name)
            {
                using (var arena = new Arena()) return Raw.kvc_has_feature(arena.Text(name)) != 0;
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            public static string StatusName(int status)
            {
                return Memory.Text(Raw.kvc_status_name(status));
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            public static OptionInfo[] Options()
            {
                var found = new OptionInfo[Raw.kvc_option_count()];
                for (uint i = 0; i < found.Length; ++i)
                {
                    kvc_option_info_t info = default(kvc_option_info_t);
                    info.struct_size = (ulong)sizeof(kvc_option_info_t);
                    KvcException.Check(Raw.kvc_option_info(i, &info));
                    found[i] = new OptionInfo(&info);
                }
                return found;
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            public static string ModuleInfo(ulong config)
            {
                return Memory.Written((b, c, n) => KvcException.Check(Raw.kvc_module_info(config, b, c, n)));
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            public static ulong CreateConfig(string preset)
            {
                ulong raw;
                using (var arena = new Arena()) KvcException.Check(Raw.kvc_config_create(arena.Text(preset), &raw));
                return raw;
            }
        }
    }
}
