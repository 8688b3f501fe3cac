"""Compares Octet with LiteRT and TFLite Micro over the models of tflite_cases.py; every output must be the same bytes.

    python check_tflite.py OCTET DIR [--large] [--only GLOB] [--profile xnn,tfl-ref,tfl-ruy,tflm]
                           [--engine jit,cpp,reference] [--target scalar,avx2,avx512_vnni,avx512_vbmi]
                           [--jobs N] [--waivers FILE] [--models DIR]

Writes cases and what the runtimes give for them into DIR; what the runtimes gave before is kept there. --large runs
some 4800 models with 50 million outputs, which takes minutes. --models runs whole models instead: every NAME.tflite of
DIR with the arrays in0, in1, ... of the NAME.npz beside it. Their float outputs may differ in the last digits.

Prints a line per mismatch and a closing `N passed, N failed`, counting each case on each profile, engine and target.
A waiver file holds lines `profile-glob  case-glob  max_count  reason`: how many values of one case may differ; `refused`
for max_count allows Octet to turn the case down. Ends with 77, a skip, where the runtimes are not installed
or DIR is not there.
"""
import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

from compare_npz import Waiver, difference, waiver_lines
from octet_run import NOTHING_LEFT, TARGETS, configurations, octet_run
from tflite_golden import PROFILES, make_goldens, missing, outputs_of

REFUSED = -1  # Waiver.max_count of cases that Octet does not take


def read_waivers(path):
    return [Waiver(profile, glob, REFUSED if count == "refused" else int(count), reason)
            for profile, glob, count, reason in waiver_lines(path, r"\d+|refused")]


def differences(expected, got, exact):
    """(how many values differ, a sentence about the first tensor that does)."""
    count, text = 0, ""
    for name, wanted in expected.items():
        if name not in got:
            return max(1, count), f"no output {name}"
        found = difference(wanted, got[name], exact, rtol=1e-4, atol=1e-5)
        if isinstance(found, str):
            return max(1, count), f"{name}: {found}"
        if found:
            n, worst, first = found
            count += n
            text = text or (f"{name}: {n} of {wanted.size} differ, by at most {worst:g}, first at {first}: "
                            f"{wanted[tuple(first)]} against {got[name][tuple(first)]}")
    return count, text


def check(args, pairs, folder, profile, case, golden):
    """(passed, complaints) of one case on one profile."""
    name, expected = case.name, outputs_of(golden)
    if expected is None:
        return 0, []
    waiver = next((w for w in args.waivers if fnmatchcase(profile, w.network) and fnmatchcase(name, w.glob)), None)
    allowed = waiver.max_count if waiver else 0
    passed, complaints = 0, []
    for engine, target in pairs:
        got = octet_run(args.octet, case.model, case.source, folder / f"{profile}-{name}.npz", engine, target,
                        "--profile", profile)
        refused = isinstance(got, str) and got.startswith("exit 1: octet: ")
        count, text = (0, "") if isinstance(got, str) else differences(expected, got, exact=not args.models)
        if refused and allowed == REFUSED or not isinstance(got, str) and count <= max(allowed, 0):
            passed += 1
        else:
            complaints.append(f"{profile} {name} {engine} {target or ''}".rstrip() +
                              f": {got if isinstance(got, str) else text}")
    return passed, complaints


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("octet", type=Path)
    p.add_argument("folder", type=Path)
    p.add_argument("--large", action="store_true")
    p.add_argument("--only", default="*", help="case names to run, as a glob")
    p.add_argument("--profile", default=PROFILES, type=lambda s: s.split(","))
    p.add_argument("--engine", default="jit,reference", type=lambda s: s.split(","))
    p.add_argument("--target", default=",".join(TARGETS), type=lambda s: s.split(","))
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--models", type=Path, help="a folder of whole models")
    p.add_argument("--waivers", type=read_waivers, default=[])
    args = p.parse_args()
    reason = missing()
    if args.models and not args.models.is_dir():
        reason = f"there is no {args.models}"
    if reason:
        print(f"skipped: {reason}")
        return NOTHING_LEFT
    from tflite_cases import write_cases, write_inputs  # these need LiteRT's schema
    pairs = configurations(args.engine, args.target)
    if args.models:
        cases = write_inputs(args.folder / "inputs", args.models, args.only)
    else:
        cases = write_cases(args.folder / ("large" if args.large else "small"), args.large, args.only)
    if not pairs or not cases:
        sys.exit("nothing to check: no case, or no engine and target, is left")
    goldens = make_goldens(cases, args.folder / "goldens", args.profile, args.jobs)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as tmp, ThreadPoolExecutor(args.jobs) as pool:
        for good, complaints in pool.map(lambda g: check(args, pairs, Path(tmp), *g), goldens):
            passed += good
            failed += len(complaints)
            for line in complaints:
                print(line, flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
