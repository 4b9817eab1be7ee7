"""The Rust crates: their tests, and that what `cargo package` makes builds and runs elsewhere.

usage: run.py tests|package LIBRARY WORK_DIR
Exit status 77: skipped, because there is no cargo, or what it needs was not fetched (bindings/setup).
"""
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RUST = ROOT / "bindings" / "rust"
sys.path.insert(0, str(ROOT / "tests" / "bindings"))
import packages  # noqa: E402


ENVIRONMENT = {**os.environ, "RUST_BACKTRACE": "0", "CARGO_TERM_COLOR": "never"}


def skip_reason(_what):
    if not shutil.which("cargo"):
        return "there is no cargo here"
    done = subprocess.run(["cargo", "metadata", "--offline", "--format-version=1"], cwd=RUST, env=ENVIRONMENT, capture_output=True,
                          text=True)
    return None if done.returncode == 0 else "crates are missing, bindings/setup fetches them: " + done.stderr.strip()[-300:]


def tests(library, work):
    environment = {**ENVIRONMENT, "KVC_LIBRARY": library, "KVC_CONFORMANCE": str(ROOT / "tests/bindings/conformance.json")}
    command = ["cargo", "test", "--offline", "--locked", "--quiet", "--target-dir", str(work / "target")]
    return subprocess.run(command, cwd=RUST, env=environment).returncode


def package(library, work):
    shutil.rmtree(work / "app", ignore_errors=True)
    for old in (work / "target" / "package").glob("*.crate"):
        old.unlink()
    subprocess.run(["cargo", "package", "--workspace", "--offline", "--locked", "--allow-dirty", "--no-verify", "--quiet", "--target-dir",
                    str(work / "target")], cwd=RUST, env=ENVIRONMENT, check=True)
    folders = {}
    for crate in (work / "target" / "package").glob("*.crate"):
        with tarfile.open(crate) as archive:
            archive.extractall(work / "app" / "crates", filter="data")
        folders[re.sub(r"-[0-9.]+$", "", crate.stem)] = work / "app" / "crates" / crate.stem
    app = work / "app"
    (app / "src").mkdir(parents=True)
    shutil.copy(folders["libkvc"] / "examples" / "hello.rs", app / "src" / "main.rs")
    (app / "Cargo.toml").write_text(f"""[package]
name = "app"
version = "0.0.0"
edition = "2021"
[dependencies]
libkvc = {{ path = "{folders['libkvc']}" }}
[patch.crates-io]
libkvc-sys = {{ path = "{folders['libkvc-sys']}" }}
[workspace]
""")
    bundle = [sys.executable, "-B", str(ROOT / "bindings" / "bundle"), library, str(app / "lib")]
    subprocess.run(bundle, check=True, stdout=subprocess.DEVNULL)
    environment = {**packages.clean(ENVIRONMENT), "KVC_LIBRARY_PATH": str(app / "lib")}
    done = subprocess.run(["cargo", "run", "--offline", "--quiet", "--target-dir", str(work / "target-app")], cwd=app, env=environment,
                          capture_output=True, text=True)
    return packages.report(done, RUST / "README.md", app / "lib", f"{', '.join(sorted(folders))}: packaged, built and run")


if __name__ == "__main__":
    sys.exit(packages.run(tests, package, skip_reason))
