"""Compiles and runs every program in README.md, as a reader would.

    python3 readme_test.py SOURCE_DIR LIB_DIR
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE, LIBS = "", ""


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


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: readme_test.py SOURCE_DIR LIB_DIR [unittest options]")
    SOURCE, LIBS = map(os.path.abspath, (sys.argv.pop(1), sys.argv.pop(1)))
    unittest.main()
