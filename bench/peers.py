#!/usr/bin/env python3
"""dsv and its peers on the same rows, in turn, in the same run.

    bench/peers.py --corpus rows.jsonl                     # what `make bench-peers ARGS=...` calls
    bench/peers.py --corpus rows.jsonl --build /usr/share/doc --megabytes 400     # makes the corpus first

A corpus is JSONL whose rows have at least `id` (no two the same), `lang`, `bytes` (an integer) and `text`.
"""

import argparse, json, os, shutil, statistics, subprocess, sys, tempfile, venv
from pathlib import Path

import corpus
from systems import SYSTEMS

HERE = Path(__file__).resolve().parent
LEGEND = """\
Seconds unless a work says MB (10^6 bytes): median (min-max) over the rounds. ratio: dsv / best peer, by medians; under 1 dsv
is better. A round runs every system in turn, each from nothing in a process of its own; no caches are dropped.
dsv is timed as a process for each work (its start is in every figure, by itself in the first line), peers as the call inside
a running Python, without interpreter and imports. dsv syncs what it commits to disk; of the peers not all do.
* the work differs: dsv writes JSONL text (to /dev/null), Arrow peers fill Arrow memory, doltlite makes Python tuples.
new MB: growth of the store's files; parquet: the whole new file; parquet+cdc: pages of it that no earlier file has, as if a
store kept each page once. peak MB: of the process, with Python and its imports for peers. -: cannot do it, or not by this API."""


def environment(folder: Path) -> tuple[Path, dict[str, str]]:
    """A virtual environment with what can be installed, and what could not."""
    wanted = (HERE / "requirements.txt").read_text()
    python, stamp = folder / "venv/bin/python", folder / "venv/done.json"
    if stamp.exists() and (done := json.loads(stamp.read_text()))["wanted"] == wanted:
        return python, done["missing"]
    venv.create(folder / "venv", with_pip=True, clear=True)
    missing = {}
    for line in wanted.split():
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", line]
        done = subprocess.run(install, capture_output=True, text=True, timeout=900)
        if done.returncode:
            missing[line] = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    stamp.write_text(json.dumps({"wanted": wanted, "missing": missing}))
    return python, missing


def measure(options: argparse.Namespace, python: Path, work: Path) -> list[dict]:
    """Every round's lines, as systems.py reports them."""
    data, lines = work / "data", []
    data.mkdir()
    subprocess.run([sys.executable, HERE / "corpus.py", options.corpus, data], check=True)
    for turn in range(options.rounds):
        order = options.systems[turn % len(options.systems) :] + options.systems[: turn % len(options.systems)]
        for name in order:
            print(f"round {turn + 1} of {options.rounds}: {name}", file=sys.stderr)
            home, results = work / "home", work / "results.jsonl"
            home.mkdir()
            results.write_text("")
            command = [python, HERE / "systems.py", name, data, home, results, options.dsv]
            with open(work / "log", "w+", encoding="utf-8") as log:
                try:
                    code = subprocess.run(command, stdout=log, stderr=log, timeout=options.timeout).returncode
                except subprocess.TimeoutExpired:
                    code = f"more than {options.timeout} s"
                if code:
                    log.seek(0)
                    print(f"{name} ended with {code}: {log.read()[-500:]}", file=sys.stderr)
            found = [json.loads(line) for line in results.read_text().splitlines()]
            if code:
                found.append({"system": name, "work": "the process", "failed": str(code)})
            lines += [{"round": turn + 1, **line} for line in found]
            shutil.rmtree(home)
    return lines


def summary(lines: list[dict]) -> list[dict]:
    """One record a work and system, in the order of the works."""
    values: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        if "seconds" in line or "megabytes" in line:
            values.setdefault((line["work"], line["system"]), []).append(line.get("seconds", line.get("megabytes")))
    return [{"work": work, "system": system, "unit": "MB" if work.endswith(" MB") else "s", "rounds": len(found),
             "median": statistics.median(found), "min": min(found), "max": max(found)} for (work, system), found in values.items()]


def table(records: list[dict], systems: list[str]) -> list[str]:
    def figure(value: float) -> str:
        return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"

    cells = {(r["work"], r["system"]): f"{figure(r['median'])} ({figure(r['min'])}-{figure(r['max'])})" for r in records}
    rows = [["work", *systems, "ratio"]]
    for work in dict.fromkeys(r["work"] for r in sorted(records, key=lambda r: r["system"] != "dsv")):
        medians = {r["system"]: r["median"] for r in records if r["work"] == work}
        own, best = medians.pop("dsv", None), min(medians, key=medians.__getitem__, default=None)
        ratio = f"{own / medians[best]:.2f} {best}" if own is not None and best and medians[best] else "-"
        rows.append([work, *(cells.get((work, system), "-") for system in systems), ratio])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, help="the JSONL file")
    parser.add_argument("--build", nargs="+", metavar="FOLDER", help="make it first, from text and HTML files")
    parser.add_argument("--megabytes", type=int, default=400, help="how large at most (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS), metavar="NAME", help=", ".join(SYSTEMS))
    parser.add_argument("--dsv", default=str(HERE.parent / ".build/release/dsv"), help="the command")
    parser.add_argument("--timeout", type=int, default=1800, help="seconds for a system in a round (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=HERE.parent / ".build-bench", help="for the environment and temporary files")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of the table")
    options = parser.parse_args()
    if options.build:
        corpus.build(options.build, options.corpus, options.megabytes * 1_000_000)
    for path in (options.corpus, options.dsv):
        if not os.path.isfile(path):
            sys.exit(f"no such file: {path}\n{__doc__}")
    options.corpus, options.dsv = os.path.abspath(options.corpus), os.path.abspath(options.dsv)
    options.folder.mkdir(exist_ok=True)
    python, missing = environment(options.folder)
    with tempfile.TemporaryDirectory(dir=options.folder) as work:
        lines = measure(options, python, Path(work))
    troubles = {f"{l['system']}, {l['work']}: {l['failed']}" for l in lines if "failed" in l}
    troubles |= {f"{l['system']} is missing: {l['missing']}" for l in lines if "missing" in l}
    troubles |= {f"{name} could not be installed: {why}" for name, why in missing.items()}
    version = subprocess.check_output([options.dsv, "--version"], text=True).strip()
    about = {"corpus_bytes": os.path.getsize(options.corpus), "cores": os.cpu_count(), "rounds": options.rounds, "dsv": version,
             "peers": (HERE / "requirements.txt").read_text().split(), "troubles": sorted(troubles)}
    if options.json:
        print("\n".join(json.dumps(record) for record in [about, *summary(lines)]))
    else:
        print(f"{version}; {', '.join(about['peers'])}\n{about['corpus_bytes']} bytes of JSONL, {about['cores']} cores,",
              f"{options.rounds} rounds\n")
        print("\n".join([*table(summary(lines), options.systems), "", LEGEND, *about["troubles"]]))


if __name__ == "__main__":
    main()
