#!/usr/bin/env python3
"""dsv and its peers on the same rows, in turn, in the same run.

    bench/peers.py --corpus rows.jsonl

A corpus is JSONL of 100 rows or more with at least `id` (no two the same), `lang`, `bytes` (an integer) and `text`. Try it
with fixtures/sample/documents.jsonl; bench/README.md has a few lines that make a large one from files of text.
"""

import argparse, json, os, shutil, signal, subprocess, sys, tempfile, venv
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median

from systems import SYSTEMS

HERE = Path(__file__).resolve().parent
WANTED = (HERE / "requirements.txt").read_text()
LEGEND = """\
Wall seconds, or MB (10^6 bytes) where a work says so: median (min-max) over the rounds. ratio: dsv / best peer by medians;
under 1 dsv is better; of CPU time: the same of user and system seconds, which other load on the machine disturbs less.
A round runs the systems in turn, each from nothing in a process of its own; caches are not dropped.
dsv is timed as a process for each work (its start, in the first line, is in every figure), peers as the call inside a
running Python, without interpreter and imports. dsv, oxen and doltlite wait for the disk; the others do not.
* the work differs: dsv writes JSONL text (to /dev/null), Arrow peers fill Arrow memory, doltlite makes Python tuples.
new MB: growth of the store's files; parquet: the whole new file; parquet+cdc: pages of it that no earlier file has, as if a
store kept each page once. peak MB: of the process, for peers with Python and its imports. -: cannot do it, or not so."""


def environment(folder: Path) -> tuple[Path, list[str]]:
    """The Python of a virtual environment with what can be installed, and what could not."""
    python, stamp = folder / "venv/bin/python", folder / "venv/done.json"
    if stamp.exists() and (done := json.loads(stamp.read_text()))["wanted"] == WANTED:
        return python, done["missing"]
    venv.create(folder / "venv", with_pip=True, clear=True)
    missing = []
    for line in WANTED.split():
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", line]
        if subprocess.run(install, stdout=sys.stderr, timeout=900).returncode:
            missing.append(f"{line} could not be installed")
    stamp.write_text(json.dumps({"wanted": WANTED, "missing": missing}))
    return python, missing


def measured(options: argparse.Namespace, python: Path, work: Path) -> Iterator[dict]:
    """What systems.py reports, round by round."""
    data, home, results = work / "data", work / "home", work / "results.jsonl"
    data.mkdir()
    subprocess.run([sys.executable, HERE / "corpus.py", options.corpus, data], check=True)
    for turn in range(options.rounds):
        for name in (options.systems * 2)[turn % len(options.systems) :][: len(options.systems)]:
            print(f"round {turn + 1} of {options.rounds}: {name} (load {os.getloadavg()[0]:.1f})", file=sys.stderr)
            home.mkdir(exist_ok=True)
            results.write_text("")
            command = [python, HERE / "systems.py", name, data, home, results, options.dsv]
            with open(work / "log", "wb") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
            try:
                code = process.wait(options.timeout)
                failed = code and f"ended with {code}: {(work / 'log').read_text(errors='replace')[-300:]}"
            except subprocess.TimeoutExpired:
                failed = f"took more than {options.timeout} s; what it had done by then counts"
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            yield from map(json.loads, results.read_text().splitlines())
            if failed:
                yield {"system": name, "work": "process", "failed": failed}
            shutil.rmtree(home, ignore_errors=True)


def summary(lines: list[dict]) -> list[dict]:
    """One record a work and system, works in the order in which dsv does them."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for line in sorted(lines, key=lambda line: line["system"] != "dsv"):
        if "value" in line:
            groups.setdefault((line["work"], line["system"]), []).append(line)
    for (work, system), found in groups.items():
        values = [line["value"] for line in found]
        record = {"work": work, "system": system, "unit": "MB" if work.endswith(" MB") else "s", "median": median(values),
                  "min": min(values), "max": max(values), "rounds": len(values)}
        groups[work, system] = record | ({"cpu": median(line["cpu"] for line in found)} if "cpu" in found[0] else {})
    return list(groups.values())


def table(records: list[dict], systems: list[str]) -> str:
    """Wall times and sizes, and the processor's time where it was measured."""

    def figure(value: float) -> str:
        return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}" if value >= 1 else f"{value:.3f}"

    def cell(record: dict | None) -> str:
        return "{} ({}-{})".format(*(figure(record[key]) for key in ("median", "min", "max"))) if record else "-"

    def ratio(of: dict[str, dict], key: str) -> str:
        best = min((r for r in of.values() if r["system"] != "dsv" and key in r), key=lambda r: r[key], default=None)
        return f"{of['dsv'][key] / best[key]:.2f} {best['system']}" if "dsv" in of and best and best[key] else "-"

    rows = [["work", *systems, "ratio", "of CPU time"]]
    for work in dict.fromkeys(record["work"] for record in records):
        of = {record["system"]: record for record in records if record["work"] == work}
        rows.append([work, *(cell(of.get(name)) for name in systems), ratio(of, "median"), ratio(of, "cpu")])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, help="the JSONL file")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS), metavar="NAME",
                        help=f"of {', '.join(SYSTEMS)}; default: all")
    parser.add_argument("--dsv", default=str(HERE.parent / ".build/release/dsv"), help="the command")
    parser.add_argument("--timeout", type=int, default=1800, help="seconds for a system in a round (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=HERE.parent / ".build-bench", help="for what is made")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of the table")
    options = parser.parse_args()
    for path in (options.corpus, options.dsv):
        if not os.path.isfile(path):
            sys.exit(f"no such file: {path}\n{__doc__}")
    options.dsv = os.path.abspath(options.dsv)
    options.folder.mkdir(exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    python, troubles = environment(options.folder)
    lines: list[dict] = []
    with tempfile.TemporaryDirectory(dir=options.folder) as work:
        try:
            for line in measured(options, python, Path(work)):
                lines.append(line)
        except KeyboardInterrupt:
            troubles.append("interrupted: not all rounds are here")
    troubles += sorted({f"{line['system']}, {line['work']}: {line['failed']}" for line in lines if "failed" in line})
    troubles += sorted({f"{line['system']} is missing: {line['missing']}" for line in lines if "missing" in line})
    version = subprocess.check_output([options.dsv, "--version"], text=True).strip()
    about = {"dsv": version, "peers": WANTED.split(), "corpus_bytes": os.path.getsize(options.corpus), "cores": os.cpu_count(),
             "rounds": options.rounds, "load": os.getloadavg(), "troubles": troubles}
    if options.json:
        print("\n".join(map(json.dumps, [about, *summary(lines)])))
        return
    print(f"{version}; {', '.join(about['peers'])}\n{about['corpus_bytes']} bytes of JSONL, {about['cores']} cores, load",
          f"{about['load'][0]:.1f} at the end, {options.rounds} rounds\n\n{table(summary(lines), options.systems)}\n\n{LEGEND}")
    print("\n".join(troubles))


if __name__ == "__main__":
    main()
