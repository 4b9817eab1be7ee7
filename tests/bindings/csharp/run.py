"""The C# package on Mono: its tests, and that what build_package makes runs elsewhere, alone.

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
MCS = ["mcs", "-nologo", "-langversion:latest", "-optimize+"]
sys.path.insert(0, str(ROOT / "tests" / "bindings"))
import packages  # noqa: E402


def tests(library, work):
    program = work / "tests.exe"
    sources = [str(p) for p in sorted(HERE.glob("*.cs")) + sorted((CSHARP / "src").glob("*.cs"))]
    subprocess.run([*MCS, "-unsafe", f"-out:{program}", "-r:System.Core.dll", *sources], check=True)
    failed = 0
    for what, path in (("conformance", "tests/bindings/conformance.json"), ("behaviour", "tests/abi/layout.json")):
        try:
            done = subprocess.run(["mono", str(program), what, str(ROOT / path)], env={**os.environ, "KVC_LIBRARY": library}, timeout=120)
            failed += done.returncode != 0
        except subprocess.TimeoutExpired:
            print(f"{what}: not done after two minutes")
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
    shutil.copy(unpacked / "lib" / "netstandard2.1" / "Kvc.dll", app)
    shutil.copytree(unpacked / "runtimes", app / "runtimes")
    shutil.copy(CSHARP / "examples" / "Hello.cs", app)
    subprocess.run([*MCS, "-r:Kvc.dll", "Hello.cs"], cwd=app, check=True)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("KVC_", "LD_"))}
    done = subprocess.run(["mono", "Hello.exe"], cwd=app, env=clean, capture_output=True, text=True, timeout=120)
    found = list(packages.problems(next((app / "runtimes").iterdir()) / "native"))
    if done.returncode or f"```\n{done.stdout}```" not in (CSHARP / "README.md").read_text(encoding="utf-8"):
        found.append(f"the example does not print what the README says:\n{done.stdout}{done.stderr}")
    print("\n".join(found) or f"{Path(made).name}: built, unpacked and run")
    return 1 if found else 0


def main():
    what, library, work = sys.argv[1], str(Path(sys.argv[2]).resolve()), Path(sys.argv[3]).resolve()
    if not shutil.which("mcs") or not shutil.which("mono"):
        print("SKIPPED: there is no Mono with its compiler, mcs")
        return 77
    if what == "package" and not packages.patchelf():
        print("SKIPPED: there is no patchelf; bindings/setup fetches it")
        return 77
    work.mkdir(parents=True, exist_ok=True)
    return {"tests": tests, "package": package}[what](library, work)


if __name__ == "__main__":
    sys.exit(main())
