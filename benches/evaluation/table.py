"""What was counted, as tables: each world, classes, the aims, and what people use today."""

import collections
import statistics

PEOPLE = {"human", "probe", "package_client"}
CLASSES = ["declared", "fake", "scanner", "flood", "robotic", "probe", "package_client"]
LARGE_RATE = 20
# Where nobody can tell by the address who asked.
HIDDEN = "silent balancer"
# Worlds named beside an aim.
WORST = 4


def show(found, names):
    worlds = {name: [counts for (world, _), counts in sorted(found.items()) if world == name] for name in names}
    worlds = {name: seeds for name, seeds in worlds.items() if seeds}
    each_world(worlds)
    each_class(worlds)
    aims(worlds)
    others(worlds)
    foot(worlds)


def each_world(worlds):
    print("| world | seeds | verdicts right / wrong / undetermined | uptime off, min a week: mean / most | outages found / missed / invented"
          " | lengths within a probe, most off | spikes of 20 errors found / missed / invented | opened in time: busy, others; median min, errors"
          " | bots' rows: precision, recall | people called bots |")
    print("|---|---:|---|---:|---|---|---|---|---|---:|")
    for name, seeds in worlds.items():
        v, o, s = (total(seeds, key) for key in ("verdicts", "outages", "spikes"))
        off = [minutes for counts in seeds for minutes in counts["uptime_off"]] or [float("nan")]
        lengths = [seconds for counts in seeds for seconds in counts["lengths_off"]] or [float("nan")]
        precision, recall = of_bots(classes(seeds))
        called, people = people_called(seeds)
        busy, others_in_time = opened(seeds)
        print(f"| {name} | {len(seeds)} | {v['right']} / {v['wrong']} / {v['undetermined']} | {statistics.fmean(off):.1f} / {max(off):.1f}"
              f" | {o['found']} / {o['missed']} / {o['invented']} | {of(*within(seeds))}, {max(lengths):.0f} s"
              f" | {s['large found']} / {s['large missed']} / {s['invented']} | {of(*busy)}, {of(*others_in_time)}; {typical(seeds, 'minutes'):.1f}, {typical(seeds, 'errors'):.0f}"
              f" | {precision:.4f}, {recall:.4f} | {called} of {people} |")


def each_class(worlds):
    print("\n| precision / recall | " + " | ".join(CLASSES) + " |")
    print("|---|" + "---|" * len(CLASSES))
    hidden = {name: seeds for name, seeds in worlds.items() if name == HIDDEN}
    told = {name: seeds for name, seeds in worlds.items() if name != HIDDEN}
    for name, those in [("all worlds but the next", told), (HIDDEN, hidden)]:
        lines = classes(counts for seeds in those.values() for counts in seeds)
        cells = [" / ".join(f"{one:.3f}" for one in of_class(lines, kind)) for kind in CLASSES]
        print(f"| {name} | " + " | ".join(cells) + " |")


def aims(worlds):
    """Over all worlds, and which of them misses."""
    print("\n| aim | over all worlds | missed in |")
    print("|---|---|---|")
    for aim, parts, least in [
        ("no wrong verdict", lambda seeds: (total(seeds, "verdicts")["right"], sum(total(seeds, "verdicts")[k] for k in ("right", "wrong"))), 1),
        ("outages found", lambda seeds: (total(seeds, "outages")["found"], sum(total(seeds, "outages")[k] for k in ("found", "missed"))), 1),
        ("lengths within a probe's period", within, 1),
        ("rows called bots that are: 0.99", lambda seeds: bot_rows(seeds)[:2], 0.99),
        ("rows of bots called so: 0.95", lambda seeds: bot_rows(seeds)[::2], 0.95),
        ("people not called bots: 99.9 %", lambda seeds: (people_called(seeds)[1] - people_called(seeds)[0], people_called(seeds)[1]), 0.999),
        ("spikes that are: 0.98", lambda seeds: (total(seeds, "spikes")["right"], sum(total(seeds, "spikes")[k] for k in ("right", "invented"))), 0.98),
        ("spikes of 20 errors found: 0.98", lambda seeds: (total(seeds, "spikes")["large found"], sum(total(seeds, "spikes")[k] for k in ("large found", "large missed"))), 0.98),
        ("opened within 3 min, 20 requests a minute on the path", lambda seeds: opened(seeds)[0], 1),
        ("opened within 20 requests or 3 min, fewer a minute", lambda seeds: opened(seeds)[1], 1),
    ]:
        counted = {name: parts(seeds) for name, seeds in worlds.items()}
        missed = sorted((share(*both), name) for name, both in counted.items() if both[1] and share(*both) < least)
        worst = [f"{name} ({one:.3f})" for one, name in missed[:WORST]]
        if len(missed) > WORST:
            worst.append(f"{len(missed) - WORST} more")
        part, whole = (sum(both[at] for both in counted.values()) for at in (0, 1))
        print(f"| {aim} | {part:,} of {whole:,} ({share(part, whole):.4f}) | {', '.join(worst)} |")


def others(worlds):
    print("\n| what people use today | verdicts by plain request ratio: right / wrong | 5 % threshold: spikes found, invented"
          " | z > 3: found, invented | a list of agents, of bots: precision, recall | fail2ban, of scanners | CrowdSec, of scanners"
          " | ours, of scanners |")
    print("|---|---|---|---|---|---|---|---|")
    together = [counts for seeds in worlds.values() for counts in seeds]
    floods = [counts for name, seeds in worlds.items() if "flood" in name for counts in seeds]
    compared = [counts for counts in together if "fail2ban" in counts or "crowdsec" in counts]
    rows = {"all worlds": together, "the worlds with other floods": floods, "the logs that fail2ban and CrowdSec read": compared}
    for name, seeds in rows.items():
        if not seeds:
            continue
        ratio = total(seeds, "ratio")
        by_counts = [f"{o['found']} of {o['found'] + o['missed']}, {o['invented']}" for o in (total(seeds, key) for key in ("fixed", "z"))]
        listed = [counts for counts in seeds if "agents" in counts]
        cells = [both(of_bots(classes(listed, "agents"))) if listed else ""]
        # Only of the very logs that they read.
        for program in ("fail2ban", "crowdsec"):
            tried = all(program in counts for counts in seeds)
            cells.append(both(of_class(classes(seeds, program), "scanner")) if tried else "")
        cells.append(both(of_class(classes(seeds), "scanner")))
        print(f"| {name} | {ratio['right']} / {ratio['wrong']} | {' | '.join(by_counts)} | {' | '.join(cells)} |")


def foot(worlds):
    """What it took, and of which seeds it is."""
    cpu = {name: total(seeds, "cpu_s") for name, seeds in worlds.items()}
    each = {name: sum(cpu[name].values()) / len(seeds) for name, seeds in worlds.items()}
    parts = sum(cpu.values(), collections.Counter())
    runs = sum(len(seeds) for seeds in worlds.values())
    lines = sum(counts["lines"] for seeds in worlds.values() for counts in seeds)
    seeds = sorted({counts["seed"] for found in worlds.values() for counts in found})
    print(f"\nSeeds {seeds[0]} to {seeds[-1]}, {runs} logs, {lines:,} lines. CPU s of a log: " + ", ".join(f"{part} {parts[part] / runs:.1f}" for part in parts)
          + f"; least {min(each.values()):.1f} ({min(each, key=each.get)}), most {max(each.values()):.1f} ({max(each, key=each.get)});"
          f" {sum(parts.values()):,.0f} in all.")


def total(seeds, key):
    summed = collections.Counter()
    for counts in seeds:
        summed.update(counts[key])
    return summed


def classes(seeds, key="classes"):
    summed = collections.Counter()
    for counts in seeds:
        for truly, said, n in counts[key]:
            summed[truly, said] += n
    return summed


def within(seeds):
    known = [counts for counts in seeds if counts["within"] is not None]
    return sum(counts["within"] for counts in known), sum(len(counts["lengths_off"]) for counts in known)


def opened(seeds):
    """Of spikes on busy paths, and of others: how many opened in time, of how many."""
    late = [one for counts in seeds for one in counts["opened"]]
    busy = [one["minutes"] <= 3 for one in late if one["rate"] >= LARGE_RATE]
    others = [one["requests"] <= 20 or one["minutes"] <= 3 for one in late if one["rate"] < LARGE_RATE]
    return (sum(busy), len(busy)), (sum(others), len(others))


def typical(seeds, of_what):
    """The median until a spike of many errors is open."""
    return statistics.median([one[of_what] for counts in seeds for one in counts["opened"]] or [float("nan")])


def people_called(seeds):
    lines = classes(seeds)
    people = sum(n for (truly, _), n in lines.items() if truly == "human")
    return sum(n for (truly, said), n in lines.items() if truly == "human" and said not in PEOPLE), people


def bot_rows(seeds):
    """Rows that are bots' and called so; that are called so; that are."""
    return bots(classes(seeds))


def bots(lines):
    hit = sum(n for (truly, said), n in lines.items() if truly not in PEOPLE and said not in PEOPLE)
    ours = sum(n for (_, said), n in lines.items() if said not in PEOPLE)
    theirs = sum(n for (truly, _), n in lines.items() if truly not in PEOPLE)
    return hit, ours, theirs


def of_bots(lines):
    hit, ours, theirs = bots(lines)
    return share(hit, ours), share(hit, theirs)


def of_class(lines, kind):
    ours = sum(n for (_, said), n in lines.items() if said == kind)
    theirs = sum(n for (truly, _), n in lines.items() if truly == kind)
    return share(lines[kind, kind], ours), share(lines[kind, kind], theirs)


def both(shares):
    return ", ".join(f"{one:.3f}" for one in shares)


def of(part, whole):
    return f"{part} of {whole}"


def share(part, whole):
    return part / whole if whole else float("nan")
