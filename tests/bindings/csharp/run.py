"""The C# package on Mono, and on .NET where bindings/setup fetched a runtime: its tests, and that what build_package makes runs elsewhere, alone.

usage: run.py tests|package LIBRARY WORK_DIR
Exit status 77: skipped, because there is no Mono.
"""
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
CSHARP = ROOT / "bindings" / "csharp"
# Of .NET, what the programs use; netstandard forwards to them.
LIBRARIES = {"System.Private.CoreLib", "System.Runtime", "System.Linq", "System.Collections", "System.Collections.Concurrent", "System.Console",
             "System.Runtime.InteropServices", "System.Runtime.Extensions", "System.Threading", "System.Threading.Tasks", "System.IO.FileSystem",
             "System.Memory", "System.Runtime.InteropServices.RuntimeInformation", "System.Text.Encoding.Extensions", "netstandard"}
MCS = ["mcs", "-nologo", "-langversion:latest", "-optimize+"]
sys.path.insert(0, str(ROOT / "tests" / "bindings"))
import packages  # noqa: E402


def runtimes(work, sources):
    """What the tests run on: (name, command), each with a program compiled against its own libraries."""
    program = work / "tests.exe"
    subprocess.run([*MCS, "-unsafe", f"-out:{program}", "-r:System.Core.dll", *sources], check=True)
    yield "Mono", ["mono", str(program)]
    dotnet = ROOT / "build" / "bindings" / "dotnet" / "bin"
    frameworks = sorted((dotnet / "shared" / "Microsoft.NETCore.App").glob("*"))
    if not frameworks:
        print("not tested on .NET: there is no runtime, bindings/setup fetches it")
        return
    program, config = work / "tests_dotnet.exe", work / "tests.runtimeconfig.json"
    libraries = [f"-r:{p}" for p in sorted(frameworks[-1].glob("System.*.dll")) + [frameworks[-1] / "netstandard.dll"] if p.stem in LIBRARIES]
    subprocess.run([*MCS, "-unsafe", "-nostdlib", "-noconfig", "-sdk:4.5", *libraries, f"-out:{program}", *sources], check=True)
    config.write_text('{"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "%s"}, "configProperties": '
                      '{"System.Globalization.Invariant": true}}}' % frameworks[-1].name)
    yield ".NET", [str(dotnet / "dotnet"), "exec", "--runtimeconfig", str(config), str(program)]


def tests(library, work):
    sources = [str(p) for p in sorted(HERE.glob("*.cs")) + sorted((CSHARP / "src").glob("*.cs"))]
    failed = 0
    for name, command in runtimes(work, sources):
        for what, path in (("conformance", "tests/bindings/conformance.json"), ("behaviour", "tests/abi/layout.json")):
            print(f"{name}: {what}", flush=True)
            try:
                done = subprocess.run([*command, what, str(ROOT / path)], env={**os.environ, "KVC_LIBRARY": library}, timeout=120)
                failed += done.returncode != 0
            except subprocess.TimeoutExpired:
                print("not done after two minutes")
                failed += 1
    return 1 if failed else 0


def package(library, work):
    app, unpacked = work / "package" / "app", work / "package" / "unpacked"
    shutil.rmtree(work / "package", ignore_errors=True)
    app.mkdir(parents=True)
    made = subprocess.run([sys.executable, "-B", str(CSHARP / "build_package"), library, str(work / "package")], check=True, capture_output=True,
                          text=True).stdout.strip()
    with zipfile.ZipFile(made) as archive:
        archive.extractall(unpacked)
    # What a package manager lays beside a program.
    shutil.copy(unpacked / "lib" / "net48" / "Kvc.dll", app)
    shutil.copytree(unpacked / "runtimes", app / "runtimes")
    shutil.copy(CSHARP / "examples" / "Hello.cs", app)
    subprocess.run([*MCS, "-r:Kvc.dll", "Hello.cs"], cwd=app, check=True)
    done = subprocess.run(["mono", "Hello.exe"], cwd=app, env=packages.clean(os.environ), capture_output=True, text=True, timeout=120)
    libraries = next((app / "runtimes").iterdir()) / "native"
    return packages.report(done, CSHARP / "README.md", libraries, f"{Path(made).name}: built, unpacked and run")


def skip_reason(_what):
    found = shutil.which("mcs") and shutil.which("mono")
    return None if found else "there is no Mono with its compiler, mcs"


if __name__ == "__main__":
    sys.exit(packages.run(tests, package, skip_reason))
