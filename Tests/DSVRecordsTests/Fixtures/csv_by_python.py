"""Writes CSVByPython.swift: CSV texts, and the rows that Python's csv module reads from them.

Run it in this folder. It is run again only to add cases: the same seed gives the same file.
"""

import csv
import io
import json
import random

rng = random.Random(20240229)
PIECES = ["a", "b", " ", ",", '"', '""', "\n", "\r\n", "é", "😀", "'", ";", "0", "1.5", "true", "\t", "\0"]
# Lone carriage returns, text behind a closing quote and unclosed quotes are left out: there we differ by choice.
RAW = [
    'h0,h1\n5" pipe,a"b"c\n', "h0,h1\n,\n", "h0,h1\n1,2", 'h0,h1\n"",""\n', 'h0,h1\r\n" a "," b"\r\n',
    'h0,h1\n\n1,2\n\n', 'h0\n"a\nb"\n', 'h0,h1\n"a,b","c""d"\n', 'h0,h1\n1,"2"', 'h0,h1\n "a",b\n',
    '"h,0","h""1"\nx,y\n', "h0,h1\n\t1, 2 \n", 'h0,h1\n"""",""""""\n',
]


def written():
    columns = rng.randint(1, 5)
    out = io.StringIO(newline="")
    writer = csv.writer(
        out, quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), lineterminator=rng.choice(["\n", "\r\n"])
    )
    writer.writerow([f"h{i}" for i in range(columns)])
    for _ in range(rng.randint(0, 4)):
        writer.writerow(["".join(rng.choices(PIECES, k=rng.randint(0, 5))) for _ in range(columns)])
    return out.getvalue()


def case(text):
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    return json.dumps({"csv": text, "rows": rows}, ensure_ascii=True)


lines = [case(text) for text in RAW + [written() for _ in range(120)]]
with open("../CSVByPython.swift", "w", newline="") as file:
    file.write("/// Made by Fixtures/csv_by_python.py; not to be edited.\nlet csvByPython = #\"\"\"\n")
    for line in lines:
        # A JSON text of any length, in lines that stay short.
        while line:
            cut = line[:100]
            line = line[100:]
            file.write("  " + cut + ("\\#\n" if line else "\n"))
    file.write('  """#\n')
