"""Checks that folders include only what the architecture allows, that there are no include cycles between them, that
every source file is listed in a CMakeLists.txt, and that no file is past its limit. Run from the repository's root."""
import re
import subprocess
import sys
from pathlib import Path

# folder -> folders whose headers it may include (its own always); the longest matching prefix counts
ALLOWED = {
    "targets": [],
    "templates": ["runtime/abi.h", "runtime/abi"],
    "runtime": ["targets"],
    "generator/graph": ["runtime"],
    "generator/io": ["runtime"],
    "generator/import": ["generator/graph", "generator/io/mapped_file.h", "runtime"],
    "generator/kernel": ["generator/graph", "runtime", "templates"],
    "generator/passes": ["generator/graph", "generator/kernel", "generator/io/file.h", "runtime"],
    "generator/schedule": ["generator/kernel", "generator/graph", "runtime", "targets"],
    "generator/program": ["generator/schedule", "generator/kernel", "runtime", "targets", "templates"],
    "generator/emit_cpp": ["generator/program", "generator/kernel", "generator/compile.h", "generator/io/file.h", "runtime",
                           "targets", "templates"],
    "generator": ["generator", "runtime", "targets"],
    "jit": ["generator", "runtime", "targets"],
    "bench": ["generator", "jit", "runtime", "targets", "tests/support"],  # the tests' tables of shapes and operands
    "tests": ["generator", "jit", "runtime", "targets", "bench", "templates", "tests"],
    "generator/cli": ["generator", "jit", "runtime", "targets", "bench"],
    "demo": [],
}
SOURCE = re.compile(r"\.(cpp|h|c|inc)$")
MOST_LINES = 600


def owner(path):
    return max((f for f in ALLOWED if path.startswith(f + "/")), key=len, default=None)


def main():
    files = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split()
    sources = [f for f in files if SOURCE.search(f) and owner(f)]
    lists = "\n".join(Path(f).read_text() for f in files if f.endswith("CMakeLists.txt"))
    faults = []
    for f in sources:
        text = Path(f).read_text()
        if len(text.splitlines()) > MOST_LINES:
            faults.append(f"{f}: {len(text.splitlines())} lines; past {MOST_LINES} it is two files")
        mine = owner(f)
        for line in re.findall(r'^#include "([^"]+)"', text, re.M):
            if "/" not in line or line.startswith("onnx/"):
                continue
            theirs = owner(line)
            if theirs != mine and not any(line.startswith(a) for a in ALLOWED[mine]):
                faults.append(f"{f}: {mine}/ may not include {line}")
        # demo/ is what a user's own program looks like; scripts/demo builds it.
        if f.endswith((".cpp", ".c")) and mine != "demo" and Path(f).name not in lists:
            faults.append(f"{f}: in no CMakeLists.txt")
    print("\n".join(faults) or f"{len(sources)} files, layering as designed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
