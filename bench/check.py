#!/usr/bin/env python3
"""check.py RESULT.json: compares what was measured with goals.json. Ends with 1 when a goal is missed."""
import json
import sys
from pathlib import Path


def look_up(results, path):
    for step in path:
        results = results.get(step) if isinstance(results, dict) else None
    return results


def check(results, goals):
    """Prints one line a goal; returns how many were missed or not measured."""
    missed = 0
    for goal in goals:
        found = look_up(results, goal["measure"])
        if found is None and goal.get("optional"):
            continue
        least, most = goal.get("at_least"), goal.get("at_most")
        good = found is not None and (least is None or found >= least) and (most is None or found <= most)
        missed += not good
        bound = f"≥ {least}" if least is not None else f"≤ {most}"
        shown = "not measured" if found is None else f"{found:.3g}"
        print(f"{'ok  ' if good else 'MISS'} {goal['goal']:58} {shown:>12}   goal {bound}")
    return missed


if __name__ == "__main__":
    goals = json.loads((Path(__file__).resolve().parent / "goals.json").read_text())
    sys.exit(1 if check(json.loads(Path(sys.argv[1]).read_text()), goals) else 0)
