"""Runs the digit network in every way Octet knows, prints one table, and fails unless all of them agree.

    python demo/report.py OCTET

Called by scripts/demo; needs numpy only. Everything it writes goes to build/demo.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "demo"
MODEL = ROOT / "demo" / "digits.int8.onnx"
HELD_OUT = ROOT / "demo" / "digits_heldout.npz"
SHARED = ROOT.parent / "shared" / "reference"
FLAGS = {"scalar": "", "avx2": "avx2", "avx512_vnni": "avx512_vnni", "avx512_vbmi": "avx512vbmi"}  # of /proc/cpuinfo
TARGETS = list(FLAGS)  # weakest first


class Progress:
    """A bar over a known number of steps, drawn on a terminal once two seconds have passed."""

    def __init__(self, steps):
        self.steps, self.done, self.label = steps, 0, ""
        self.start = time.monotonic()
        self.finished = threading.Event()
        self.thread = threading.Thread(target=self.draw, daemon=True)

    def __enter__(self):
        if sys.stdout.isatty():
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.finished.set()
        if self.thread.is_alive():
            self.thread.join()

    def step(self, label):
        self.done += bool(self.label)
        self.label = label

    def draw(self):
        drawn = False
        while not self.finished.wait(0.2):
            elapsed = time.monotonic() - self.start
            if elapsed > 2:
                filled = 30 * self.done // self.steps
                bar = "█" * filled + "░" * (30 - filled)
                print(f"\r\033[K  {bar}  {elapsed:3.0f} s  {self.label}", end="", flush=True)
                drawn = True
        if drawn:
            print("\r\033[K", end="", flush=True)


def call(*command):
    """Runs a command; its output, or the end of the demo with its complaint."""
    done = subprocess.run([str(c) for c in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        line = " ".join(str(c) for c in command)
        sys.exit(f"\ndemo: {line}\nended with code {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def host_targets():
    flags = Path("/proc/cpuinfo").read_text()
    cap = os.environ.get("OCTET_MAX_TARGET")
    best = [t for t in TARGETS if FLAGS[t] in flags][-1]
    if cap in TARGETS:
        best = min(best, cap, key=TARGETS.index)
    return TARGETS[:TARGETS.index(best) + 1]


def compile_ahead_of_time(octet, targets):
    """The digit network as a program of its own, without Octet: digits_main."""
    source = OUT / "digits"
    shutil.rmtree(source, ignore_errors=True)
    call(octet, "compile", MODEL, "-o", source, "--name", "digits", *(f for t in targets for f in ("--target", t)))
    program = OUT / "digits_main"
    call(os.environ.get("CXX", "g++"), "-std=c++17", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Wconversion",
         "-I", source, ROOT / "demo" / "digits_main.cpp", *sorted(source.glob("*.cpp")), "-o", program)
    return program


def run_ahead_of_time(program, held):
    (OUT / "images.raw").write_bytes(held["images"].astype("<f4").tobytes())
    (OUT / "labels.raw").write_bytes(held["labels"].astype("u1").tobytes())
    text = call(program, OUT / "images.raw", OUT / "labels.raw", OUT / "logits.raw")
    microseconds, arena = re.search(r"([\d.]+) us per image, arena (\d+) bytes", text).groups()
    logits = np.frombuffer((OUT / "logits.raw").read_bytes(), "<f4").reshape(held["expected"].shape)
    return logits, float(microseconds), int(arena)


def run_engine(octet, engine, target):
    """Logits, and microseconds per image (None for the reference, which is not made for speed)."""
    where = ["--target", target] if target else []
    result = OUT / f"{engine}-{target or 'any'}.npz"
    call(octet, "run", MODEL, "--input", HELD_OUT, "--output", result, "--engine", engine, *where)
    with np.load(result) as arrays:
        logits = arrays["logits"]
    if engine != "jit":
        return logits, None
    call(octet, "bench", MODEL, *where, "--json", OUT / "bench.json")
    return logits, 1000 * json.loads((OUT / "bench.json").read_text())["min_ms"]


def kib(path):
    return f"{path.stat().st_size / 1024:.0f} KiB"


def photograph(octet):
    model, photo, labels = (SHARED / p for p in ("onnx/mobilenet_v2.int8.onnx", "images/cat.bmp",
                                                 "images/imagenet_labels.txt"))
    if not model.exists():
        print("\nNo ../shared here, so no photograph to look at.")
        return
    print(f"\n{photo.name} through {model.name}:\n")
    with Progress(1) as progress:
        progress.step("mobilenet_v2")
        text = call(octet, "run", model, "--input", photo, "--top", 3, "--labels", labels)
    print("\n".join(f"  {line}" for line in text.rstrip().splitlines()))


def main():
    octet = Path(sys.argv[1]).resolve()
    OUT.mkdir(parents=True, exist_ok=True)
    with np.load(HELD_OUT) as arrays:
        held = dict(arrays)
    targets = host_targets()
    engines = [("jit", t) for t in reversed(targets)] + [("cpp", targets[-1]), ("reference", None)]

    print(f"\nHandwritten digits: {len(held['labels'])} held-out images; float network "
          f"{kib(ROOT / 'demo/digits.f32.onnx')}, int8 network {kib(MODEL)}\n")
    rows = [("float, ONNX Runtime", "", held["expected_f32"], None), ("int8, ONNX Runtime", "", held["expected"], None)]
    with Progress(len(engines) + 2) as progress:
        progress.step("octet compile, g++")
        program = compile_ahead_of_time(octet, targets)
        progress.step("digits_main")
        logits, microseconds, arena = run_ahead_of_time(program, held)
        rows.append(("ahead of time (C++)", targets[-1], logits, microseconds))
        for engine, target in engines:
            progress.step(f"octet run --engine {engine} {target or ''}")
            rows.append((f"octet run, {engine}", target or "", *run_engine(octet, engine, target)))

    def accuracy(logits):
        return 100 * np.mean(logits.argmax(1) == held["labels"])

    reference = rows[-1][2]
    print(f"  {'':22}{'target':13}{'accuracy':>9}{'us/image':>10}   bytes equal the reference's")
    for i, (name, target, logits, microseconds) in enumerate(rows):
        same = "" if i == 0 else "yes" if logits.tobytes() == reference.tobytes() else "NO"
        speed = "" if microseconds is None else f"{microseconds:.1f}"
        print(f"  {name:22}{target:13}{accuracy(logits):7.2f} %{speed:>10}   {same}")
    print(f"\n  The compiled program is {kib(program)} with {len(targets)} targets inside, and needs "
          f"{arena / 1024:.1f} KiB of memory.")

    agree = all(logits.tobytes() == reference.tobytes() for _, _, logits, _ in rows[1:])
    lost = accuracy(held["expected_f32"]) - accuracy(reference)
    if not agree:
        sys.exit("demo: engines disagree")
    if accuracy(reference) < 97 or lost > 0.5:
        sys.exit(f"demo: int8 must be right for 97 % and lose at most half a point; it lost {lost:.2f}")
    print(f"  All {len(rows) - 1} int8 runs give the same bytes; int8 costs {max(lost, 0.0):.2f} points of accuracy.")
    photograph(octet)


if __name__ == "__main__":
    main()
