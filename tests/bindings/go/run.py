"""The Go module: its tests, without and with cgo, and that what build_module packs is fetched, built and run elsewhere.

usage: run.py tests|package LIBRARY WORK_DIR
Exit status 77: skipped, because there is no Go, or what it needs was not fetched (bindings/setup).
"""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GO = ROOT / "bindings" / "go"
sys.path.insert(0, str(ROOT / "tests" / "bindings"))
import packages  # noqa: E402


def go(*arguments, where=GO, **environment):
    return subprocess.run(["go", *arguments], cwd=where, capture_output=True, text=True, env={**os.environ, **environment})


def skip_reason(_what):
    if not shutil.which("go"):
        return "there is no go here"
    found = re.match(r"go(\d+)\.(\d+)", go("env", "GOVERSION").stdout)
    if not found or (int(found.group(1)), int(found.group(2))) < (1, 25):
        return "Go is older than 1.25"
    done = go("list", "-deps", "./...", GOPROXY="off", GOFLAGS="-mod=readonly", CGO_ENABLED="0")
    return None if done.returncode == 0 else "modules are missing, bindings/setup fetches them: " + done.stderr.strip()[-300:]


def tests(library, _work):
    environment = {"KVC_LIBRARY": library, "KVC_CONFORMANCE": str(ROOT / "tests/bindings/conformance.json"),
                   "KVC_LAYOUT": str(ROOT / "tests/abi/layout.json"), "GOPROXY": "off", "GOFLAGS": "-mod=readonly"}
    ways = [("without cgo", ["test", "-count=1", "./..."], "0")]
    if shutil.which("cc") or shutil.which("gcc"):
        ways.append(("through cgo", ["test", "-count=1", "-tags", "kvc_cgo", "-run", "Conformance|Model|OnText", "."], "1"))
    failed = 0
    for what, arguments, cgo in ways:
        for command in (["vet", "./..."], arguments):
            done = go(*command, CGO_ENABLED=cgo, **environment)
            if done.returncode:
                failed += 1
                print(f"{what}: go {' '.join(command)}\n{done.stdout[-6000:]}{done.stderr[-6000:]}")
        print(f"{what}: {'failed' if failed else 'passed'}")
    return 1 if failed else 0


def package(library, work):
    shutil.rmtree(work / "app", ignore_errors=True)
    app = work / "app"
    app.mkdir(parents=True)
    made = subprocess.run([sys.executable, "-B", str(GO / "build_module"), str(work / "proxy")], check=True, capture_output=True, text=True)
    module = made.stdout.strip()
    subprocess.run([sys.executable, "-B", str(ROOT / "bindings" / "bundle"), library, str(app / "lib")], check=True, stdout=subprocess.DEVNULL)
    # A module cache of its own: what is in the user's would hide what the package lacks.
    environment = {"GOPROXY": f"file://{work / 'proxy'},file://{go('env', 'GOMODCACHE').stdout.strip()}/cache/download", "GOSUMDB": "off",
                   "GOFLAGS": "-mod=mod -modcacherw", "GOMODCACHE": str(work / "cache"), "CGO_ENABLED": "0"}
    shutil.rmtree(work / "cache", ignore_errors=True)
    for command in (["mod", "init", "app"], ["get", module], ["build", "-o", "hello", f"{module.split('@')[0]}/examples/hello"]):
        done = go(*command, where=app, **environment)
        if done.returncode:
            print(f"go {' '.join(command)}: {done.stderr[-2000:]}")
            return 1
    environment = {**packages.clean(os.environ), "KVC_LIBRARY_PATH": str(app / "lib")}
    done = subprocess.run([app / "hello"], env=environment, capture_output=True, text=True)
    return packages.report(done, GO / "README.md", app / "lib", f"{module}: packed, fetched, built and run")


if __name__ == "__main__":
    sys.exit(packages.run(tests, package, skip_reason))
