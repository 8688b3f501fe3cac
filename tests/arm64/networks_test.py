"""CTest: whole networks inside AArch64 processes under qemu give the bytes that x86 gives.

    python networks_test.py X86_OCTET ARM64_BUILD

The digit network on every engine, target and processor; MobileNetV2 and its cat where ../shared is; a program of the
C++ API. Emulated, so that nothing is said of speed.
"""
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared/reference"
SKIPPED = 77
# Processors of qemu 7.2 and the best target of each: with i8mm, with dot products, with neither.
BEST = {"max": "neon_i8mm", "cortex-a76": "neon_dot", "cortex-a53": "neon"}

octet, build = Path(sys.argv[1]), Path(sys.argv[2])
failures = []


def check(good, what, detail=""):
    print("ok  " if good else "FAIL", what, flush=True)
    if not good:
        failures.append(what)
        print(detail, flush=True)


def on_arm(cpu, *command):
    return subprocess.run([ROOT / "tests/arm64/run", build, cpu, *command], capture_output=True, text=True)


def npy_data(path):
    """The bytes behind the header."""
    content = path.read_bytes()
    return content[10 + int.from_bytes(content[8:10], "little"):]


class Network:
    """One network, its input, and x86's bytes."""

    def __init__(self, folder, model, *arguments):
        self.folder, self.model, self.arguments = folder, model, arguments
        self.expected = folder / f"{model.stem}_x86.npy"
        subprocess.run([octet, "run", model, *arguments, "--output", self.expected], check=True, stdout=subprocess.PIPE)

    def same_on(self, cpu, *options, shows=""):
        out = self.folder / "arm64.npy"
        out.unlink(missing_ok=True)
        r = on_arm(cpu, build / "bin/octet", "run", self.model, *self.arguments, "--output", out, *options)
        good = r.returncode == 0 and out.read_bytes() == self.expected.read_bytes() and shows in r.stdout
        check(good, " ".join([self.model.stem, cpu, *options]), r.stdout + r.stderr)


def digits(folder):
    with zipfile.ZipFile(ROOT / "demo/digits_heldout.npz") as stored:
        stored.extractall(folder)
    network = Network(folder, ROOT / "demo/digits.int8.onnx", "--input", folder / "images.npy")
    check(network.expected.read_bytes() == (folder / "expected.npy").read_bytes(), "x86 gives the stored bytes")
    for cpu, best in BEST.items():
        network.same_on(cpu, "--engine", "reference")
        network.same_on(cpu, "--engine", "jit", "--target", "scalar")  # interpreted
        network.same_on(cpu, "--engine", "jit", "--target", best)
    network.same_on("max", "--target", "neon_dot", "--threads", "2")
    network.same_on("max", "--target", "neon")
    network.same_on("cortex-a53", "--engine", "interpreter", "--target", "neon_i8mm")  # which needs no such processor


def refusals(folder):
    """A processor without an instruction is never given it."""
    for cpu, target in [("cortex-a53", "neon_dot"), ("cortex-a53", "neon_i8mm"), ("cortex-a76", "neon_i8mm"),
                        ("max", "avx2")]:
        r = on_arm(cpu, build / "bin/octet", "run", ROOT / "demo/digits.int8.onnx", "--input", folder / "images.npy",
                   "--target", target)
        told = f"target {target}: this machine cannot run it" in r.stderr and r.stderr.endswith(f"best is {BEST[cpu]}\n")
        check(r.returncode == 1 and told, f"{cpu} refuses {target}", r.stdout + r.stderr)


def cplusplus_api(folder):
    (folder / "images").write_bytes(npy_data(folder / "images.npy"))
    for cpu, best in BEST.items():
        for status in ["stored", "hit"]:
            out = folder / "scores"
            out.unlink(missing_ok=True)
            r = on_arm(cpu, build / "bin/classify", ROOT / "demo/digits.int8.onnx", folder / "images", out,
                       folder / "cache")
            check(r.stdout == f"{best} {status}\n" and out.read_bytes() == npy_data(folder / "expected.npy"),
                  f"classify {cpu}: {best}, cache {status}", r.stdout + r.stderr)


def mobilenet(folder):
    model = SHARED / "onnx/mobilenet_v2.int8.onnx"
    if not model.exists():
        print(f"skipped: {model} is not there")
        return
    cat = Network(folder, model, "--input", SHARED / "images/cat.bmp", "--top", "1", "--labels",
                  SHARED / "images/imagenet_labels.txt")
    for cpu, best in BEST.items():
        cat.same_on(cpu, "--target", best, "--cache", str(folder / "cache"), shows="Egyptian cat")
    cat.same_on("max", "--cache", str(folder / "cache"), shows="Egyptian cat")  # from the cache
    cat.same_on("max", "--target", "neon_dot", shows="Egyptian cat")
    cat.same_on("max", "--engine", "reference", shows="Egyptian cat")


def main():
    if not (build / "sysroot").exists():
        print("skipped: nothing was built for AArch64")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        digits(folder)
        refusals(folder)
        cplusplus_api(folder)
        mobilenet(folder)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
