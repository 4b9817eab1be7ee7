"""The examples print what the README says."""
import subprocess
import sys
from pathlib import Path

PYTHON = Path(__file__).resolve().parents[3] / "bindings" / "python"


def main():
    readme, failed = (PYTHON / "README.md").read_text(), 0
    for example in sorted((PYTHON / "examples").glob("*.py")):
        done = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, timeout=120)
        if done.returncode or f"```\n{done.stdout}```" not in readme:
            failed += 1
            print(f"{example.name} does not print what the README says:\n{done.stdout}{done.stderr}")
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
