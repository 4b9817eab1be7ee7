import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Loads, uses and unloads kvc many times from a JVM. Closing an arena that a library was looked up in calls dlclose; every
 * cycle has its own arena and its own thread, which ends afterwards.
 *
 * <p>Usage: Cycles LIBRARY CYCLES LIMIT_KIB, then from layout.json: size of kvc_tensor_t, offset of data, size of kvc_request_t,
 * offsets of prompt and max_tokens.
 */
public final class Cycles {
  private static final Linker LINKER = Linker.nativeLinker();
  // Handles without an address: what the JVM makes for them is made once, so that its own growth does not hide kvc's.
  private static final MethodHandle INT_PP = handle(true, "PP");
  private static final MethodHandle INT_PPP = handle(true, "PPP");
  private static final MethodHandle VOID_P = handle(false, "P");
  private static final MethodHandle TENSOR_THD = handle(true, "PPISII");
  private static final MethodHandle PUT = handle(true, "PPPSP");
  private static final MethodHandle GET = handle(true, "PPPSPP");
  private static final MethodHandle REQUEST_INIT = handle(true, "PS");

  private static long tensorSize;
  private static long tensorData;
  private static long requestSize;
  private static long requestPrompt;
  private static long requestMaxTokens;

  private static MethodHandle handle(boolean status, String parameters) {
    var layouts = parameters.chars().mapToObj(c -> switch (c) {
      case 'P' -> ValueLayout.ADDRESS;
      case 'S' -> ValueLayout.JAVA_LONG;
      default -> ValueLayout.JAVA_INT;
    }).toArray(java.lang.foreign.MemoryLayout[]::new);
    return LINKER.downcallHandle(
        status ? FunctionDescriptor.of(ValueLayout.JAVA_INT, layouts) : FunctionDescriptor.ofVoid(layouts));
  }

  private static void check(boolean condition, String what) {
    if (!condition) {
      throw new IllegalStateException("check failed: " + what);
    }
  }

  private static void cycle(Path library, int number) throws Throwable {
    boolean withModel = number % 100 == 0;
    try (Arena arena = Arena.ofConfined()) {
      SymbolLookup kvc = SymbolLookup.libraryLookup(library, arena);
      MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
      MemorySegment nothing = MemorySegment.NULL;

      check((int) INT_PP.invokeExact(kvc.find("kvc_config_create").orElseThrow(), nothing, out) == 0, "kvc_config_create");
      MemorySegment config = out.get(ValueLayout.ADDRESS, 0);
      MemorySegment set = kvc.find("kvc_config_set").orElseThrow();
      check((int) INT_PPP.invokeExact(set, config, arena.allocateFrom("memory"), arena.allocateFrom("64MiB")) == 0, "memory");
      if (!withModel) {
        check((int) INT_PPP.invokeExact(set, config, arena.allocateFrom("model"), arena.allocateFrom("none")) == 0, "model");
      }
      check((int) INT_PP.invokeExact(kvc.find("kvc_engine_create").orElseThrow(), config, out) == 0, "kvc_engine_create");
      MemorySegment engine = out.get(ValueLayout.ADDRESS, 0);
      VOID_P.invokeExact(kvc.find("kvc_config_destroy").orElseThrow(), config);

      MemorySegment numbers = arena.allocate(24 * 4, 8);
      for (int i = 0; i < 24; i++) {
        numbers.setAtIndex(ValueLayout.JAVA_FLOAT, i, i);
      }
      MemorySegment tensor = arena.allocate(tensorSize, 8);
      MemorySegment key = arena.allocateFrom("key");
      check((int) TENSOR_THD.invokeExact(kvc.find("kvc_tensor_thd").orElseThrow(), tensor, numbers, 1, 3L, 2, 4) == 0, "thd");
      check((int) PUT.invokeExact(kvc.find("kvc_put").orElseThrow(), engine, nothing, key, 3L, tensor) == 0, "kvc_put");
      MemorySegment back = arena.allocate(24 * 4, 8);
      MemorySegment found = arena.allocate(ValueLayout.JAVA_INT);
      tensor.set(ValueLayout.ADDRESS, tensorData, back);
      check((int) GET.invokeExact(kvc.find("kvc_get").orElseThrow(), engine, nothing, key, 3L, tensor, found) == 0, "kvc_get");
      check(found.get(ValueLayout.JAVA_INT, 0) == 1 && numbers.mismatch(back) == -1, "the tensor comes back");

      if (withModel) {
        MemorySegment request = arena.allocate(requestSize, 8);
        check((int) REQUEST_INIT.invokeExact(kvc.find("kvc_request_init").orElseThrow(), request, requestSize) == 0, "init");
        request.set(ValueLayout.ADDRESS, requestPrompt, arena.allocateFrom("In the beginning"));
        request.set(ValueLayout.JAVA_INT, requestMaxTokens, 4);
        check((int) INT_PPP.invokeExact(kvc.find("kvc_process").orElseThrow(), engine, request, out) == 0, "kvc_process");
        VOID_P.invokeExact(kvc.find("kvc_response_free").orElseThrow(), out.get(ValueLayout.ADDRESS, 0));
      }
      VOID_P.invokeExact(kvc.find("kvc_engine_destroy").orElseThrow(), engine);
    }
  }

  private static long residentKib() throws Exception {
    System.gc();
    return Files.readAllLines(Path.of("/proc/self/status")).stream().filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", ""))).findFirst().orElseThrow();
  }

  private static long threads() throws Exception {
    try (var tasks = Files.list(Path.of("/proc/self/task"))) {
      return tasks.count();
    }
  }

  public static void main(String[] arguments) throws Exception {
    Path library = Path.of(arguments[0]).toAbsolutePath();
    int cycles = Integer.parseInt(arguments[1]);
    long limitKib = Long.parseLong(arguments[2]);
    tensorSize = Long.parseLong(arguments[3]);
    tensorData = Long.parseLong(arguments[4]);
    requestSize = Long.parseLong(arguments[5]);
    requestPrompt = Long.parseLong(arguments[6]);
    requestMaxTokens = Long.parseLong(arguments[7]);

    Throwable[] failure = new Throwable[1];
    long kibBefore = 0;
    long threadsBefore = 0;
    for (int i = 0; i < cycles; i++) {
      int number = i;
      Thread thread = Thread.ofPlatform().start(() -> {
        try {
          cycle(library, number);
        } catch (Throwable thrown) {
          failure[0] = thrown;
        }
      });
      thread.join();
      if (failure[0] != null) {
        failure[0].printStackTrace();
        System.exit(1);
      }
      if (i == cycles / 2) {
        kibBefore = residentKib();
        threadsBefore = threads();
      }
    }
    long growth = residentKib() - kibBefore;
    long threadsAfter = threads();
    System.out.printf("%d cycles in a JVM, resident memory grew by %d KiB in the second half, %d threads then, %d now%n", cycles,
        growth, threadsBefore, threadsAfter);
    // The JVM starts and ends threads of its own, more of them on a busy machine; a thread left per cycle would be thousands.
    check(threadsAfter <= threadsBefore + 64, "threads are joined");
    check(growth <= limitKib, "resident memory is flat");
  }
}
