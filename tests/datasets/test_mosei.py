"""CMU-MOSEI: one content in every layout, labels, hostile files, and the simulated stand-in."""

import hashlib
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from sequences import write_csd
from sklearn.linear_model import LogisticRegression

from cchkd_utils.datasets import mosei
from cchkd_utils.datasets.mosei import layouts, simulated

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
STEPS, WIDTH = 6, {"text": 5, "audio": 4, "vision": 3}
COUNTS = {"train": 8, "valid": 4, "test": 6}


@pytest.fixture(scope="module")
def mosi_root():
    root = Path(os.environ.get("CCHKD_DATA") or SHARED) / "mosi"
    if not root.is_dir():
        pytest.skip(f"no CMU-MOSI in {root}; set CCHKD_DATA")
    return root


def content():
    """Make one small data set: what every layout below says in its own way."""
    rng, out, video = np.random.default_rng(0), {}, 0
    for split, n in COUNTS.items():
        lengths = rng.integers(1, STEPS + 1, n)
        lengths[0] = STEPS
        out[split] = {
            name: rng.standard_normal((n, STEPS, d)).astype(np.float32)
            * (np.arange(STEPS) < lengths[:, None])[..., None]
            for name, d in WIDTH.items()
        }
        out[split]["labels"] = np.round(3 * rng.uniform(-3, 3, n)) / 3
        out[split]["labels"][:3] = [0, -0.5, 2.5]
        out[split]["lengths"] = lengths
        out[split]["names"] = [(f"vid_{video + i // 2}", i % 2) for i in range(n)]
        video += n
    return out


def mmsa(parts, unaligned=False, extra=False):
    out = {}
    for split, part in parts.items():
        own = {name: part[name].copy() for name in WIDTH}
        own |= {
            "raw_text": np.array(["some words"] * len(part["labels"]), object),
            "id": [f"{v}$_${k}" for v, k in part["names"]],
            "regression_labels": part["labels"].astype(np.float32),
            "classification_labels": np.sign(part["labels"]) + 1,
            "annotations": ["Positive"] * len(part["labels"]),
        }
        if unaligned:  # longer sequences, and rubbish beyond the length
            for name in ("audio", "vision"):
                beyond = np.arange(STEPS + 3) >= part["lengths"][:, None]
                own[name] = np.pad(own[name], ((0, 0), (0, 3), (0, 0))) + 9 * beyond[..., None]
                own[f"{name}_lengths"] = part["lengths"].tolist()
        if extra:
            own |= {"text_bert": np.zeros((len(part["labels"]), 3, STEPS)), "other": {"a": [None]}}
        out[split] = own
    return out


def mult(parts):
    return {
        split: {name: part[name] for name in WIDTH}
        | {
            "labels": part["labels"].reshape(-1, 1, 1).astype(np.float32),
            "id": np.array([[v, str(k), str(k + 1)] for v, k in part["names"]]),
        }
        for split, part in parts.items()
    }


def csd(parts, folder):
    names = {"text": "TimestampedWordVectors", "audio": "COVAREP", "vision": "VisualFacet42"}
    sequences, labels, folds = {name: {} for name in WIDTH}, {}, {}
    for split, part in parts.items():
        folds[split] = sorted({v for v, _ in part["names"]})
        for i, (v, k) in enumerate(part["names"]):
            for name in WIDTH:
                sequences[name][f"{v}[{k}]"] = part[name][i, : part["lengths"][i]]
            labels[f"{v}[{k}]"] = np.array([[part["labels"][i], 0, 0, 0, 0, 0, 0]])
    for name, each in sequences.items():
        write_csd(folder / f"CMU_MOSEI_{names[name]}.csd", each)
    write_csd(folder / "CMU_MOSEI_Labels.csd", labels, "All Labels")
    (folder / "folds.json").write_text(json.dumps(folds))


def npz(parts, path):
    arrays = {}
    for split, part in parts.items():
        mean = {name: part[name].sum(1) / part["lengths"][:, None] for name in WIDTH}
        arrays |= {f"{split}_{'video' if m == 'vision' else m}": x for m, x in mean.items()}
        arrays[f"{split}_y"] = part["labels"]
        arrays[f"{split}_id"] = np.array([f"{v}_{k}" for v, k in part["names"]])
        arrays[f"{split}_rawtext"] = np.array(["words"] * len(part["labels"]))
    np.savez(path, **arrays)


def write(layout, parts, folder):
    if layout == "npz":
        npz(parts, folder / "mosei.npz")
    elif layout == "csd":
        csd(parts, folder)
    else:
        made = {
            "aligned": lambda: mmsa(parts),
            "unaligned": lambda: mmsa(parts, unaligned=True),
            "extra keys": lambda: mmsa(parts, extra=True),
            "MulT": lambda: mult(parts),
        }[layout]()
        (folder / "data.pkl").write_bytes(pickle.dumps(made, 4))
    return folder


def by_name(data):
    """Return the measured steps of every utterance, by video and clip, and its label."""
    out = {}
    for i, name in enumerate(data.ids):
        video = mosei.video_of(name)
        clip = name.removeprefix(video).strip("[]$_").split(",")[0]
        rows = [x[i] for x in data.modalities.values()]
        out[video, clip] = [r[r[:, -1] > 0][:, :-1] for r in rows], data.labels[i]
    return out


LAYOUTS = ("aligned", "unaligned", "extra keys", "MulT", "csd")


@pytest.mark.parametrize("layout", [*LAYOUTS, "npz"])
def test_every_layout_gives_the_same_values(layout, tmp_path):
    parts = content()
    data = mosei.load("real", write(layout, parts, tmp_path), coding="regression")
    assert data.kind == "real" and {k: len(v) for k, v in data.splits.items()} == COUNTS
    utterances = by_name(data)
    assert len(utterances) == sum(COUNTS.values())
    for part in parts.values():
        for i, (v, k) in enumerate(part["names"]):
            values, label = utterances[v, str(k)]
            assert label == pytest.approx(part["labels"][i])
            for name, got in zip(WIDTH, values):
                wanted = part[name][i, : part["lengths"][i]]
                wanted = wanted.mean(0, keepdims=True) if layout == "npz" else wanted
                np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def test_padding_in_front_is_padding_too(tmp_path):
    parts = content()
    for part in parts.values():
        for name in WIDTH:
            part[name] = part[name][:, ::-1].copy()
    data = mosei.load("real", write("aligned", parts, tmp_path), coding="regression")
    (values, *_), _ = by_name(data)["vid_0", "1"]
    assert len(values) == parts["train"]["lengths"][1]


def test_infinite_audio_is_zero_and_empty_rows_stay(tmp_path):
    parts = content()
    parts["train"]["audio"][0, 0, 1] = -np.inf
    parts["train"]["audio"][0, 1, :] = -np.inf
    parts["train"]["vision"][1, 0, 0] = np.nan
    for name in WIDTH:
        parts["train"][name][2] = 0
    data = mosei.load("real", write("aligned", parts, tmp_path), coding="regression")
    for x in data.modalities.values():
        assert np.isfinite(x).all()
        assert not x[2].any()  # nothing measured: masked throughout
        assert (x[..., :-1][x[..., -1] == 0] == 0).all()
    audio = data.modalities["audio"][0]
    assert audio[0, 1] == 0 and audio[0, -1] == 1  # one bad value of a step
    assert audio[1, -1] == 0  # a step with no value at all
    assert len(data) == sum(COUNTS.values())


def test_a_zero_length_row_is_masked(tmp_path):
    made = mmsa(content(), unaligned=True)
    made["test"]["audio_lengths"][0] = 0
    (tmp_path / "u.pkl").write_bytes(pickle.dumps(made))
    data = mosei.load("real", tmp_path, coding="regression")
    row = data.splits["test"][0]
    assert not data.modalities["audio"][row].any() and data.modalities["vision"][row].any()


@pytest.mark.parametrize(
    ("coding", "labels", "kept"),
    [
        ("acc2_nonneg", [0, 0, 1, 1, 1], [1, 1, 1, 1, 1]),
        ("acc2_nonzero", [0, 0, 0, 1, 1], [1, 1, 0, 1, 1]),
        ("acc7", [0, 2, 3, 3, 6], [1, 1, 1, 1, 1]),
        ("regression", [-3, -2 / 3, 0, 1 / 3, 3], [1, 1, 1, 1, 1]),
    ],
)
def test_codings_follow_the_literature(coding, labels, kept):
    classes, used = mosei.code([-3, -2 / 3, 0, 1 / 3, 3], coding)
    assert classes.tolist() == pytest.approx(labels)
    assert used.tolist() == [bool(k) for k in kept]


def test_neutral_utterances_are_left_out_of_every_array(tmp_path):
    parts = content()
    data = mosei.load("real", write("aligned", parts, tmp_path), coding="acc2_nonzero")
    zero = sum((part["labels"] == 0).sum() for part in parts.values())
    assert zero and len(data) == sum(COUNTS.values()) - zero
    assert sum(map(len, data.splits.values())) == len(data)


@pytest.mark.parametrize(
    ("labels", "coding", "message"),
    [
        ([0, 1, 1], "acc2_nonneg", "classes 0 and 1, not sentiment"),
        ([0, 7, 1], "acc7", r"beyond -3 ... 3 in 1 of 3 rows, row 1 first \(from 0 to 7\)"),
        ([0.5, 1], "given", "needs classes"),
        ([np.nan, 1], "acc7", "not finite"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, coding, message):
    with pytest.raises(ValueError, match=message):
        mosei.code(labels, coding)


def test_a_video_in_two_splits_is_refused(tmp_path):
    parts = content()
    parts["test"]["names"][0] = parts["train"]["names"][0]
    with pytest.raises(ValueError, match=r"video vid_0 stands in train and in test"):
        mosei.load("real", write("aligned", parts, tmp_path))


def test_published_files_are_recognised_by_their_sha256(tmp_path, monkeypatch):
    folder = write("aligned", content(), tmp_path)
    digest = hashlib.sha256((folder / "data.pkl").read_bytes()).hexdigest()
    assert "no published" in mosei.load("real", folder).provenance["files"]["data.pkl"]
    monkeypatch.setitem(layouts.PUBLISHED, digest, "MMSA aligned_50.pkl")
    said = mosei.load("real", folder).provenance["files"]["data.pkl"]
    assert said.startswith(digest) and "recognised: MMSA aligned_50.pkl" in said
    assert len(layouts.PUBLISHED) == 3 and all(len(k) == 64 for k in layouts.PUBLISHED)


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def test_a_malicious_file_never_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = mmsa(content())
    made["train"]["other"] = Evil()
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(made))
    with pytest.raises(ValueError, match=r"evil\.pkl: it names 'posix\.system'"):
        mosei.load("real", tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["evil.pkl"]


def test_an_npz_with_pickled_objects_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", train_text=np.array([Evil()], object))
    with pytest.raises(ValueError, match="train_text holds pickled Python objects"):
        mosei.load("real", tmp_path)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"train": {"text": np.zeros((2, 3, 4))}}, "lacks audio"),
        ({"a": 1}, "holds no train, valid, test"),
        ([1, 2], "holds no train, valid, test"),
        ({"train": {}}, "lacks text"),
    ],
)
def test_incomplete_files_say_what_is_missing(made, message, tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(made))
    with pytest.raises(ValueError, match=message):
        mosei.load("real", tmp_path)


def test_several_data_sets_in_one_folder_must_be_told_apart(tmp_path):
    write("aligned", content(), tmp_path)
    write("npz", content(), tmp_path)
    with pytest.raises(ValueError, match="several data sets"):
        mosei.load("real", tmp_path)
    assert len(mosei.load("real", tmp_path, layout="npz")) == sum(COUNTS.values())
    assert len(mosei.load("real", tmp_path / "data.pkl")) == sum(COUNTS.values())


def test_missing_data_says_where_to_ask_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("CCHKD_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"CMU-MOSEI is not at .*mosei.*ask for it at") as e:
        mosei.load("real")
    assert "\n" not in str(e.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": "fake"}, "choose one of embedded, real"),
        ({"layout": "zip"}, "choose one of auto"),
        ({"coding": "acc3"}, "choose one of acc2_nonneg"),
        ({"parts": ("dev",)}, "no split dev"),
        ({"parts": ()}, "no split named"),
    ],
)
def test_bad_options_name_the_choices(options, message):
    with pytest.raises(ValueError, match=message):
        mosei.load(n_train=20, n_test=20, **options)


@pytest.fixture(scope="module")
def stand_in():
    return mosei.load(n_train=1500, n_test=1500, seed=3)


def test_the_stand_in_has_moseis_shapes_and_says_it_is_simulated(stand_in):
    shapes = {name: x.shape[1:] for name, x in stand_in.modalities.items()}
    assert shapes == {"text": (50, 301), "audio": (50, 75), "vision": (50, 36)}
    assert stand_in.kind == "simulated"
    lengths = stand_in.modalities["text"][..., -1].sum(1)
    assert lengths.min() >= 5 and lengths.max() == 50
    assert not set(mosei.videos(stand_in)[:1500]) & set(mosei.videos(stand_in)[1500:])


@pytest.mark.slow
def test_the_stand_in_repeats_and_varies_with_its_seed(stand_in):
    again, redrawn = (mosei.load(n_train=1500, n_test=1500, seed=s) for s in (3, 4))
    for name, x in stand_in.modalities.items():
        assert np.array_equal(x, again.modalities[name])
        assert not np.array_equal(x, redrawn.modalities[name])


def test_information_falls_from_text_to_audio_to_vision(stand_in):
    """By the known directions, and by a classifier that has to learn them."""
    train, test = stand_in.splits["train"], stand_in.splits["test"]
    exact, learned = [], []
    for name, x in stand_in.modalities.items():
        mean = x[..., :-1].sum(1) / x[..., -1:].sum(1)
        fit = LogisticRegression(C=0.05, max_iter=500).fit(mean[train], stand_in.labels[train])
        learned.append(fit.score(mean[test], stand_in.labels[test]))
        exact.append(simulated.NOISE[name])
    assert learned[0] > learned[1] + 0.02 > learned[2] + 0.03
    assert exact == sorted(exact)


@pytest.mark.real
def test_mosi_is_read_without_its_train_part(mosi_root):
    data = mosei.load("real", mosi_root, "npz", "given", "CMU-MOSI", ("test",))
    shapes = {name: x.shape for name, x in data.modalities.items()}
    assert shapes == {"text": (752, 1, 101), "audio": (752, 1, 74), "vision": (752, 1, 101)}
    assert len(np.unique(mosei.videos(data))) == 31 and list(data.splits) == ["test"]
    assert data.provenance["dataset"] == "CMU-MOSI"
    with pytest.raises(ValueError, match="not sentiment"):
        mosei.load("real", mosi_root, "npz", "acc2_nonneg", "CMU-MOSI")


@pytest.mark.parametrize("layout", ["aligned", "npz"])
def test_sentiment_beyond_the_scale_is_clipped_or_mapped_when_told(layout, tmp_path):
    parts = content()
    parts["train"]["labels"][0] = 5.0
    path = write(layout, parts, tmp_path)
    with pytest.raises(ValueError, match=r"train: sentiment is beyond .* 1 of \d+ rows, row 0"):
        mosei.load("real", path, coding="regression")
    clipped = mosei.load("real", path, coding="regression", scale="clip").labels
    assert clipped.max() == 3 and clipped[0] == 3
    mapped = mosei.load("real", path, coding="regression", scale=(-5, 5)).labels
    assert mapped[0] == 3 and abs(mapped).max() <= 3
    with pytest.raises(ValueError, match=r"beyond the scale 0 ... 8"):
        mosei.load("real", path, coding="regression", scale=(0, 8))


@pytest.mark.parametrize("layout", ["aligned", "npz", "csd"])
def test_every_utterance_is_used_or_left_out_for_a_reason(layout, tmp_path):
    data = mosei.load("real", write(layout, content(), tmp_path), coding="acc2_nonzero",
                      parts=("train", "test"))  # fmt: skip
    steps = mosei.flow(data)["count"]
    assert steps["utterances"] == sum(COUNTS.values()) == steps.iloc[1:].sum()
    assert steps["used"] == len(data) and steps["left out: in the split valid"] > 0
    assert sum(map(len, data.provenance["left_out"].values())) == steps.iloc[1:-1].sum()
