"""Runs the `octet` command for the tools that compare it with other runtimes."""
import os
import subprocess
from pathlib import Path

import numpy as np

NOTHING_LEFT = 77  # exit status: a skip
TARGETS = ["scalar", "avx2", "avx512_vnni", "avx512_vbmi"]  # weakest first
FLAGS = {"avx2": "avx2", "avx512_vnni": "avx512_vnni", "avx512_vbmi": "avx512vbmi"}  # of /proc/cpuinfo


def unavailable(target):
    """Why a target cannot run here, or None."""
    cap = os.environ.get("OCTET_MAX_TARGET")
    if cap in TARGETS and target in TARGETS and TARGETS.index(target) > TARGETS.index(cap):
        return f"OCTET_MAX_TARGET={cap}"
    flags = Path("/proc/cpuinfo").read_text()
    if FLAGS.get(target, "") not in flags:
        return "this machine lacks it"
    return None


def configurations(engines, targets):
    """(engine, target) pairs that can run here. The reference has no target: once is enough."""
    wanted = [(e, t) for e in engines if e != "reference" for t in targets]
    pairs = []
    for engine, target in wanted:
        reason = unavailable(target)
        if reason:
            print(f"skipped: {engine} {target}: {reason}")
        else:
            pairs.append((engine, target))
    return pairs + ([("reference", None)] if "reference" in engines else [])


def octet_run(octet, model, source, output, engine, target, *flags):
    """What the octet command writes, as a dict; or its complaint, as a string."""
    command = [str(octet), "run", str(model), "--input", str(source), "--output", str(output), "--engine", engine,
               *(["--target", target] if target else []), *flags]
    output.unlink(missing_ok=True)  # an older answer must not pass for this one's
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    if done.returncode:
        lines = done.stdout.strip().splitlines() or ["(no message)"]
        return f"exit {done.returncode}: {lines[-1]}"
    if not output.exists():
        return "exit 0, but no output file"
    with np.load(output) as arrays:
        return dict(arrays)
