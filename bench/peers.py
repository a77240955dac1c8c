#!/usr/bin/env python3
"""dsv and its peers on the same rows, in turn, in the same run.

    bench/peers.py --corpus rows.jsonl
    bench/peers.py --shape short

A corpus is JSONL of 100 rows or more with at least `id` (no two the same), `bytes` (an integer) and `text`. Try it with
fixtures/sample/documents.jsonl; bench/README.md has a few lines that make a large one from files of text.
"""

import argparse, json, os, shutil, signal, subprocess, sys, tempfile, time, venv
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median

from systems import SYSTEMS
from targets import COMMAND, OURS, target

HERE = Path(__file__).resolve().parent
BUILT = HERE.parent / ".build/release"
WANTED = (HERE / "requirements.txt").read_text()
ROWS = {"documents": 0, "short": 1_000_000, "tokens": 20_000}
LEGEND = """\
Medians over the rounds: wall seconds, or MB (10^6 bytes) or files where a work says so. ratio: dsv / best peer; under 1 dsv is
better; of CPU time: the same of user and system seconds, which other load on the machine disturbs less. target: what the figure
of dsv may be, from the figures of this run. A round runs the systems in turn, each from nothing; caches are dropped
for cold works only, which run in processes of their own.
dsv: the library in a process that stays (DSVBench --serve), as peers are. command: a process for each work, start and all.
floor: parse (and hash, and compress) or decompress this text on all cores, as measured in the round; new rows in one zstd frame;
for a filter the entropy of the choice; for single rows a bare loop of append 2 KB, fdatasync, LMDB commit.
dsv, oxen and doltlite wait for the disk when they commit; the others do not. doltlite makes Python tuples, not Arrow memory.
new MB: growth of the store's files; parquet: the whole new file; parquet+cdc: pages of it that no earlier file has. peak MB: of
the process during the work, for peers with Python, its imports and what they keep. read MB: by read calls. -: cannot, or not so."""


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
    wishes = {name: "1" for name, wish in (("DSV_BENCH_ALL", options.all), ("DSV_BENCH_ARCHIVE", options.archive)) if wish}
    source = [options.corpus] if options.shape == "documents" else []
    rows = options.rows or ROWS[options.shape]
    subprocess.run([sys.executable, HERE / "corpus.py", data, options.shape, str(rows), *source], check=True)
    yield {"corpus_bytes": (data / "base.jsonl").stat().st_size}
    for turn in range(options.rounds):
        for name in (options.systems * 2)[turn % len(options.systems) :][: len(options.systems)]:
            began = time.monotonic()
            home.mkdir(exist_ok=True)
            results.write_text("")
            command = [python, HERE / "systems.py", name, data, home, results, options.dsv, options.server]
            with open(work / "log", "wb") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True,
                                           env=os.environ | wishes)
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
            print(f"round {turn + 1} of {options.rounds}: {name} took {time.monotonic() - began:.0f} s (load",
                  f"{os.getloadavg()[0]:.1f})", file=sys.stderr)


def unit(work: str) -> str:
    return "MB" if work.endswith(" MB") else "files" if work.endswith(": files") else "s"


def summary(lines: list[dict]) -> list[dict]:
    """One record a work and system, works in the order in which dsv does them."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for line in sorted(lines, key=lambda line: list(SYSTEMS).index(line["system"])):
        if "value" in line:
            groups.setdefault((line["work"], line["system"]), []).append(line)
    for (work, system), found in groups.items():
        values = [line["value"] for line in found]
        record = {"work": work, "system": system, "unit": unit(work), "median": median(values),
                  "min": min(values), "max": max(values), "rounds": len(values)}
        groups[work, system] = record | ({"cpu": median(line["cpu"] for line in found)} if "cpu" in found[0] else {})
    return list(groups.values())


def table(records: list[dict], systems: list[str]) -> str:
    """Wall times and sizes, and what follows from them."""

    def figure(value: float) -> str:
        digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3 if value >= 0.1 else 5
        return f"{value:.{digits}f}"

    def ratio(of: dict[str, dict], key: str) -> str:
        ours = of.get("dsv") or of.get("command")
        peers = [record for name, record in of.items() if name not in OURS and record.get(key)]
        best = min(peers, key=lambda record: record[key], default=None)
        return f"{ours[key] / best[key]:.2f} {best['system']}" if ours and key in ours and best else "-"

    by_work: dict[str, dict[str, dict]] = {}
    for record in records:
        by_work.setdefault(record["work"], {})[record["system"]] = record
    rows = [["work", *systems, "ratio", "of CPU time", "target"]]
    for work, of in by_work.items():
        figures = [figure(of[name]["median"]) if name in of else "-" for name in systems]
        bound = target(work, lambda work, system: by_work.get(work, {}).get(system, {}).get("median"))
        met = "-"
        # The library's process holds what earlier works left; the command's is new for each.
        first = "command" if work.endswith(": peak MB") else "dsv"
        if bound is not None and (ours := of.get(first) or of.get("dsv") or of.get("command")):
            met = f"{figure(bound)} {'met' if ours['median'] <= bound else 'MISSED'}"
        if work in COMMAND and "command" in of:
            met += f"; command {figure(COMMAND[work])} {'met' if of['command']['median'] <= COMMAND[work] else 'MISSED'}"
        rows.append([work, *figures, ratio(of, "median"), ratio(of, "cpu"), met])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", help="the JSONL file, for the shape documents")
    parser.add_argument("--shape", choices=list(ROWS), default="documents", help="default: %(default)s")
    parser.add_argument("--rows", type=int, help="of the shapes that are made up; default: 1,000,000 short, 20,000 of tokens")
    parser.add_argument("--all", action="store_true", help="do what says little, too: those commit again that write all anew")
    parser.add_argument("--archive", action="store_true", help="also measure 'compact --archive', which takes minutes")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS), metavar="NAME",
                        help=f"of {', '.join(SYSTEMS)}; default: all")
    parser.add_argument("--dsv", default=str(BUILT / "dsv"), help="the command")
    parser.add_argument("--server", default=str(BUILT / "DSVBench"), help="what does the library's works")
    parser.add_argument("--timeout", type=int, default=1800, help="seconds for a system in a round (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=HERE.parent / ".build-bench", help="for what is made")
    parser.add_argument("--json", metavar="FILE", help="also write all figures as JSON lines")
    options = parser.parse_args()
    corpus = [options.corpus or "(--corpus is missing)"] if options.shape == "documents" else []
    for path in (*corpus, options.dsv, options.server):
        if not os.path.isfile(path):
            sys.exit(f"no such file: {path}\n{__doc__}")
    options.dsv, options.server, began = os.path.abspath(options.dsv), os.path.abspath(options.server), time.monotonic()
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
    about = {"dsv": version, "peers": WANTED.split(), "shape": options.shape, "corpus_bytes": lines[0]["corpus_bytes"],
             "cores": os.cpu_count(), "rounds": options.rounds, "load": os.getloadavg(), "troubles": troubles,
             "seconds": round(time.monotonic() - began)}
    records = summary(lines[1:])
    if options.json:
        Path(options.json).write_text("".join(json.dumps(line) + "\n" for line in [about, *records]))
    print(f"{version}; {', '.join(about['peers'])}\n{options.shape}: {about['corpus_bytes']} bytes of JSONL, {about['cores']} cores,",
          f"load {about['load'][0]:.1f} at the end, {options.rounds} rounds in {about['seconds']} s\n")
    print(table(records, options.systems), LEGEND, *troubles, sep="\n\n")


if __name__ == "__main__":
    main()
