// kvc: the program. It uses the library through kvc.h alone, as any other program would.
#include <kvc/kvc.h>

#include <exception>
#include <new>

#include "commands.h"
#include "support.h"

namespace kvc::cli {
namespace {

struct Command {
  const char* name;
  int (*run)(const std::vector<std::string>&);
};

constexpr Command kCommands[] = {
    {"run", command_run},         {"info", command_info},       {"bench", command_bench},
    {"inspect", command_inspect}, {"verify", command_verify},   {"compact", command_compact},
    {"export", command_export},   {"replay", command_replay},   {"__probe", command_probe}};

constexpr const char* kHelp =
    "kvc: a K/V cache for language models, with a small model built in.\n"
    "\n"
    "usage: kvc COMMAND [options]\n"
    "\n"
    "  run         answer a prompt; again, or in a conversation, with what was computed before reused\n"
    "  info        version, build, engine, options and presets\n"
    "  bench       measure on this machine: the page core, a real model\n"
    "  inspect     what a directory of pages (option disk_path) or a pack holds\n"
    "  verify      read and check every byte of one\n"
    "  compact     give back the room in a directory that no page uses\n"
    "  export      write the stored prefix of a text into a pack, to ship with a program\n"
    "  replay      run a trace of requests through the cache: what each eviction policy hits\n"
    "\n"
    "  kvc COMMAND --help   options of a command\n"
    "  kvc --version        version of the library\n"
    "\n"
    "exit status: 0 done, 1 failed (the reason is on stderr), 2 the command line makes no sense\n"
    "\n"
    "example: kvc run --prompt 'In the beginning' --max-tokens 64 --repeat 2\n";

int dispatch(const std::vector<std::string>& words) {
  if (words.empty()) throw UsageError("no command given");
  const std::string& name = words[0];
  if (name == "--help" || name == "-h" || name == "help") {
    print(kHelp);
    return kExitOk;
  }
  if (name == "--version") {
    print(std::string("kvc ") + kvc_version_string() + "\n");
    return kExitOk;
  }
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run({words.begin() + 1, words.end()});
  }
  throw UsageError((name[0] == '-' ? "unknown option '" : "no command '") + name + "'");
}

int guarded(const std::vector<std::string>& words) {
  try {
    return dispatch(words);
  } catch (const OutputClosed&) {
    return kExitFailure;  // as `head` leaves it: nobody is there to read more, and nothing is said
  } catch (const UsageError& error) {
    complain(error.what());
    const bool named = !words.empty() && words[0][0] != '-' && words[0].compare(0, 2, "__") != 0;
    bool known = false;
    for (const Command& command : kCommands) known = known || (named && words[0] == command.name);
    complain("try 'kvc " + (known ? words[0] + " " : std::string()) + "--help'");
    return kExitUsage;
  } catch (const std::bad_alloc&) {
    complain("out of memory");
  } catch (const std::exception& error) {
    complain(error.what());
  }
  return kExitFailure;
}

}  // namespace
}  // namespace kvc::cli

int main(int argc, char** argv) {
  return kvc::cli::guarded(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
