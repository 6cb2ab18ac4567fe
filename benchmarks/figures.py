"""The results as figures, where matplotlib is installed."""

import numpy as np


def plots(groups, folder):
    """Draw the results as PNG files in `folder`, if matplotlib is installed. Returns their paths."""
    try:
        import matplotlib
    except ImportError:
        return []
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    by_name = {group.name: group for group in groups}
    paths = []

    def save(figure, name):
        figure.tight_layout()
        figure.savefig(folder / name, dpi=150)
        plt.close(figure)
        paths.append(folder / name)

    kinds = ("inference", "training", "recipe", "segmentation", "detection")
    compared = [group for group in groups if group.name.startswith(kinds)]
    for group in compared:
        members = [each for each in group.programs if each.seconds and each.job != "sgemm"]
        scale = [1 if group.name == "recipe" else 1000 / each.options["batch"] for each in members]
        medians = [each.median * s for each, s in zip(members, scale)]
        below = [median - min(each.seconds) * s for each, s, median in zip(members, scale, medians)]
        above = [max(each.seconds) * s - median for each, s, median in zip(members, scale, medians)]
        spread = np.array([below, above])
        figure, axes = plt.subplots(figsize=(7, 0.5 + 0.45 * len(members)))
        colors = ["tab:blue" if "minitl" in each.label else "tab:gray" for each in members]
        axes.barh([each.label for each in members], medians, xerr=spread, color=colors, capsize=3)
        axes.invert_yaxis()
        axes.set_xlabel("seconds" if group.name == "recipe" else "ms an image")
        axes.set_title(group.title)
        save(figure, f"{group.name}.png")
    measured = [each for each in by_name["layers"].programs if each.result] if "layers" in by_name else []
    if measured:
        figure, axes = plt.subplots(figsize=(7, 5))
        for each, height in zip(measured, (-0.2, 0.2)):
            rows = each.result["rows"]
            places = np.arange(len(rows)) + height
            axes.barh(places, [1000 * row["seconds"] for row in rows], 0.4, label=each.label)
        axes.set_yticks(range(len(rows)), [row["layer"] for row in rows])
        axes.invert_yaxis()
        axes.set_xlabel("ms an image, batch 8")
        axes.legend()
        save(figure, "layers.png")
    for name, label in (("by_size", "image side, pixels"), ("by_batch", "batch"), ("by_channels", "channels")):
        if name not in by_name:
            continue
        figure, axes = plt.subplots(figsize=(5, 4))
        lines = {}
        for each in by_name[name].programs:
            if each.seconds:
                value, _, algorithm = each.label.partition(", ")
                lines.setdefault(algorithm, []).append((int(value), 1000 * each.median / each.options["batch"]))
        for algorithm, points in lines.items():
            axes.loglog(*zip(*points), "o-", label=algorithm or None)
        if len(lines) > 1:
            axes.legend()
        values = sorted({value for points in lines.values() for value, _ in points})
        axes.set_xticks(values, values)
        axes.minorticks_off()
        axes.set_xlabel(label)
        axes.set_ylabel("ms an image")
        axes.set_title(by_name[name].title, fontsize=9)
        save(figure, f"{name}.png")
    return paths
