"""Runs a script with the Python that bindings/setup provides, the package of this tree and a given library.

usage: run.py LIBRARY ENVIRONMENT SCRIPT [ARGUMENT]...    ENVIRONMENT: python or transformers (see bindings/setup)
Exit status 77: skipped, because that environment is not there.
"""
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def main():
    library, name, script = sys.argv[1:4]
    folder = ROOT / "build" / "bindings" / name
    paths = [str(ROOT / "bindings" / "python")]
    python = folder / "bin" / "python"
    if name == "transformers":
        paths.append(str(folder))
        python = Path("/usr/bin/python3")
    if not folder.exists() or not python.exists():
        option = " --transformers" if name == "transformers" else ""
        print(f"SKIPPED: build/bindings/{name} is not there; bindings/setup{option} fetches it")
        return 77
    os.environ.update(KVC_LIBRARY=library, PYTHONPATH=os.pathsep.join(paths), PYTHONDONTWRITEBYTECODE="1")
    os.execv(python, [str(python), "-X", "faulthandler", script, *sys.argv[4:]])


if __name__ == "__main__":
    sys.exit(main())
