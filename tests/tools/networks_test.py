"""CTest: whole networks on every engine and target, each quantized tensor against ONNX Runtime.

    python networks_test.py OCTET GOLDENS_DIR

The digit network of demo/ always; MobileNetV2 where ../shared is; the eight benchmark networks where `scripts/setup
--networks` made them (OCTET_NETWORKS, default ~/.cache/octet/networks). What is missing is skipped with a line.
"""
import os
import subprocess
import sys
from pathlib import Path

from octet_run import NOTHING_LEFT

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ["resnet18", "resnet50", "mobilenet_v2", "googlenet", "squeezenet1_1", "shufflenet_v2_x1_0",
            "mobilenet_v3_large", "densenet121"]


def check(octet, goldens, models, *options):
    found = [m for m in models if m.exists()]
    for m in models:
        if m not in found:
            print(f"skipped: {m} is not there")
    if not found:
        return True
    tool = ROOT / "tests/tools/check_network.py"
    waivers = ROOT / "tests/waivers.txt"
    status = subprocess.run([sys.executable, tool, octet, *found, "--goldens", goldens, "--waivers", waivers,
                             *options]).returncode
    return status in (0, NOTHING_LEFT)


def main():
    octet, goldens = sys.argv[1], Path(sys.argv[2])
    goldens.mkdir(parents=True, exist_ok=True)
    made = Path(os.environ.get("OCTET_NETWORKS", Path.home() / ".cache/octet/networks"))
    digits = [ROOT / "demo/digits.int8.onnx"]
    mobilenet = [ROOT.parent / "shared/reference/onnx/mobilenet_v2.int8.onnx"]
    eight = [made / f"{n}.int8.onnx" for n in NETWORKS]
    # Interpreting four billion multiplications takes minutes: `scalar` runs the small networks.
    good = check(octet, goldens, digits, "--engine", "jit,cpp,reference", "--target", "scalar,avx2,avx512_vnni,avx512_vbmi")
    good &= check(octet, goldens, mobilenet, "--engine", "jit,reference", "--target", "scalar,avx2,avx512_vnni,avx512_vbmi")
    good &= check(octet, goldens, eight, "--engine", "jit,reference", "--target", "avx2,avx512_vnni,avx512_vbmi")
    good &= check(octet, goldens, digits + mobilenet, "--engine", "jit", "--target", "avx2,avx512_vnni",
                  "--threads", "2")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
