"""CTest: the small models of make_cases.py, every output against ONNX Runtime.

    python cases_test.py OCTET DIR
"""
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent


def main():
    octet, folder = sys.argv[1], Path(sys.argv[2])
    subprocess.run([sys.executable, TOOLS / "make_cases.py", folder], check=True, stdout=subprocess.DEVNULL)
    return subprocess.run([sys.executable, TOOLS / "check_cases.py", octet, folder, "--engine", "jit,reference",
                           "--target", "scalar,avx2,avx512_vnni,avx512_vbmi", "--waivers", TOOLS.parent / "waivers.txt"]).returncode


if __name__ == "__main__":
    sys.exit(main())
