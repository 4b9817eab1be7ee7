"""Compiles and runs every program in README.md, and what it shows of the kvc program, as a reader would.

    python3 readme_test.py SOURCE_DIR LIB_DIR [KVC]
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE, LIBS, KVC = "", "", None


class Readme(unittest.TestCase):
    def test_programs_compile_and_run(self):
        with open(os.path.join(SOURCE, "README.md")) as file:
            programs = re.findall(r"^```(c|cpp)\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
        self.assertGreaterEqual(len(programs), 3)
        for i, (language, code) in enumerate(programs):
            with self.subTest(program=i, language=language), tempfile.TemporaryDirectory() as folder:
                source, program = os.path.join(folder, "program." + language), os.path.join(folder, "program")
                with open(source, "w") as file:
                    file.write(code)
                headers = os.path.join(folder, "kvc")  # as `cmake --install` lays them out
                os.mkdir(headers)
                for header in ("include/kvc/kvc.h", "bindings/cpp/kvc.hpp"):
                    os.symlink(os.path.join(SOURCE, header), os.path.join(headers, os.path.basename(header)))
                compiler = ["cc", "-std=c99", "-pedantic"] if language == "c" else ["c++", "-std=c++17"]
                built = subprocess.run(
                    [*compiler, "-Wall", "-Wextra", "-Werror", source, "-o", program, "-I", folder, "-L", LIBS, "-lkvc",
                     "-Wl,-rpath," + LIBS],
                    capture_output=True, text=True)
                self.assertEqual(built.returncode, 0, built.stderr)
                ran = subprocess.run([program], capture_output=True, text=True, timeout=240)
                self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
                self.assertTrue(ran.stdout)

    def test_commands_of_the_program_work(self):
        """Those that need the built-in model alone, each line as it stands, in one folder and one after the other."""
        if KVC is None:
            self.skipTest("the program was not built")
        with open(os.path.join(SOURCE, "README.md")) as file:
            blocks = re.findall(r"^```sh\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
        lines = [line.split("  #")[0] for block in blocks for line in block.splitlines()]
        lines = [line for line in lines if re.search(r"bin/kvc (run|verify|info)", line) and "--model" not in line]
        self.assertGreaterEqual(len(lines), 4)
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "build/release/bin"))
            os.symlink(KVC, os.path.join(folder, "build/release/bin/kvc"))
            os.symlink(os.path.join(SOURCE, "LICENSE"), os.path.join(folder, "LICENSE"))
            for line in lines:
                with self.subTest(line=line):
                    ran = subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True, timeout=240)
                    self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: readme_test.py SOURCE_DIR LIB_DIR [KVC] [unittest options]")
    SOURCE, LIBS = map(os.path.abspath, (sys.argv.pop(1), sys.argv.pop(1)))
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        KVC = os.path.abspath(sys.argv.pop(1))
    unittest.main()
