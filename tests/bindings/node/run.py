"""The Node package: its tests and types, and that what build_package makes is installed and runs elsewhere, alone.

usage: run.py tests|package LIBRARY WORK_DIR
Exit status 77: skipped, because there is no Node of 18 or later, or what it needs was not fetched (bindings/setup).
"""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
NODE = ROOT / "bindings" / "node"
FETCHED = ROOT / "build" / "bindings" / "node"
sys.path.insert(0, str(ROOT / "tests" / "bindings"))
import packages  # noqa: E402


def skip_reason(what):
    if not shutil.which("node"):
        return "there is no node here"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    if int(re.match(r"v(\d+)", version).group(1)) < 18:
        return f"Node is older than 18: {version.strip()}"
    if not (FETCHED / "node_modules" / "koffi").exists():
        return "koffi is missing, bindings/setup fetches it"
    if what == "package" and not shutil.which("npm"):
        return "there is no npm here"
    return None


def tree(folder):
    """A folder in which programs find the package as it lies in bindings/node, and what it needs."""
    shutil.rmtree(folder, ignore_errors=True)
    modules = folder / "node_modules"
    modules.mkdir(parents=True)
    for name in sorted(p.name for p in (FETCHED / "node_modules").iterdir() if not p.name.startswith(".")):
        (modules / name).symlink_to((FETCHED / "node_modules" / name).resolve())
    shutil.copytree(NODE, modules / "libkvc")
    return folder


def tests(library, work):
    folder = tree(work / "tests")
    for path in [*HERE.glob("*.mjs"), HERE / "types.ts"]:
        shutil.copy(path, folder)
    environment = {**os.environ, "KVC_LIBRARY": library, "KVC_NODE_RAW": str(folder / "node_modules/libkvc/src/raw.cjs")}
    commands = [["node", "conformance.mjs", str(ROOT / "tests/bindings/conformance.json")],
                ["node", "--expose-gc", "--no-warnings", "behaviour.mjs", str(ROOT / "tests/abi/layout.json")]]
    tsc = FETCHED / "node_modules" / "typescript" / "bin" / "tsc"
    if tsc.exists():
        commands.append(["node", str(tsc), "--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom", "types.ts"])
    else:
        print("types are not checked: there is no TypeScript, bindings/setup fetches it")
    failed = 0
    for command in commands:
        failed += subprocess.run(command, cwd=folder, env=environment).returncode != 0
    return 1 if failed else 0


def package(library, work):
    app = work / "package" / "app"
    shutil.rmtree(work / "package", ignore_errors=True)
    app.mkdir(parents=True)
    made = subprocess.run([sys.executable, "-B", str(NODE / "build_package"), library, str(work / "package")], check=True, capture_output=True,
                          text=True).stdout.strip()
    (app / "package.json").write_text('{ "name": "app", "private": true }\n')
    shutil.copy(NODE / "examples" / "hello.mjs", app)
    clean = packages.clean(os.environ)
    npm = ["npm", "install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts", "--cache", str(FETCHED / "npm-cache"), made]
    installed = subprocess.run(npm, cwd=app, env=clean, capture_output=True, text=True)
    if installed.returncode:
        print(f"npm install: {installed.stdout[-1500:]}{installed.stderr[-1500:]}")
        return 1
    done = subprocess.run(["node", "hello.mjs"], cwd=app, env=clean, capture_output=True, text=True)
    libraries = next((app / "node_modules" / "libkvc" / "lib").iterdir())
    return packages.report(done, NODE / "README.md", libraries, f"{Path(made).name}: packed, installed and run")


if __name__ == "__main__":
    sys.exit(packages.run(tests, package, skip_reason))
