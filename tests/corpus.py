"""`make corpus`: the jobs contracts and meetings over real documents, with the real engine, to committed tables.

    python tests/corpus.py FOLDER      (FOLDER holds cuad/ and transcripts/)

It writes a manifest of the chosen files for each job, runs `pipeline run`, shows the rows, and ends with the worst exit
code of the two.
"""

import csv
import subprocess
import sys
from pathlib import Path

N_CONTRACTS = 12
MEETINGS = (
    "qmsum/Product/train/IS1002d.json",
    "bitcoin/2019-09-14-rodolfo-novak-coldcard-mk3.md",
    "bitcoin/2021-10-04-developer-call.md",
)
OUTPUT = Path("out/corpus")


def main(corpus: Path) -> int:
    """Run both jobs; 0 when both are complete."""
    if not corpus.is_dir():
        print(f"The real documents are not at {corpus}. Say where they are: make corpus CORPUS=FOLDER", file=sys.stderr)
        return 2
    meetings = [corpus / "transcripts" / name for name in MEETINGS]
    codes = [run("contracts", choose_contracts(corpus / "cuad")), run("meetings", meetings)]
    return max(codes)


def choose_contracts(folder: Path) -> list[Path]:
    """Every third contract by size from the smallest, so that all are short enough for a CPU and no two are alike."""
    contracts = [path for path in folder.rglob("*") if path.suffix.lower() == ".pdf"]
    return sorted(contracts, key=lambda path: (path.stat().st_size, path.name))[:: len(contracts) // N_CONTRACTS][
        :N_CONTRACTS
    ]


def run(job: str, sources: list[Path]) -> int:
    """One job over these sources; its exit code."""
    manifest = OUTPUT / f"{job}.csv"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["uri"], *([str(path.resolve())] for path in sources)])
    pipeline = [sys.executable, "-m", "pipeline"]
    settings = ["input.paths=[]", f"input.manifest={manifest}", f"output.folder={OUTPUT / job}"]
    settings.append("chunking.max_tokens=1000")  # half as many prompts as the samples' pages: minutes on two cores
    overrides = [word for setting in settings for word in ("--set", setting)]
    code = subprocess.run([*pipeline, "run", f"jobs/{job}.toml", *overrides], check=False).returncode
    subprocess.run([*pipeline, "show", str(OUTPUT / job), "--rows", "12"], check=False)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
