"""Files of CMU-MOSEI that do not fit: mixed up, repeated, too large, or of another kind."""

import pickle

import numpy as np
import pytest

from cchkd_utils.datasets import mosei

COUNTS = {"train": 8, "valid": 4, "test": 6}
WIDTH = {"text": 5, "audio": 4, "vision": 3}


def content():
    """Splits as MMSA has them, every clip of a video of its own."""
    rng, out = np.random.default_rng(0), {}
    for split, n in COUNTS.items():
        out[split] = {name: rng.standard_normal((n, 6, d)) for name, d in WIDTH.items()}
        out[split] |= {"regression_labels": rng.uniform(-3, 3, n)}
        out[split] |= {"id": [f"{split}{i}$_$0" for i in range(n)]}
    return out


def changed(tmp_path, change):
    """Write an aligned file whose splits `change` has changed."""
    made = content()
    change(made)
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(made))
    return tmp_path / "x.pkl"


def swap(made):
    train, test = made["train"], made["test"]
    train["audio"], test["audio"] = test["audio"], train["audio"]


def test_arrays_of_two_splits_mixed_up_are_refused(tmp_path):
    """Over all splits the numbers of rows are right; in each they are not."""
    with pytest.raises(ValueError, match=r"x\.pkl, train: .*text 8, audio 6, .*mixed up"):
        mosei.load("real", changed(tmp_path, swap))
    made = content()
    swap(made)
    arrays = {f"{split}_{name}": x for split, part in made.items() for name, x in part.items()}
    np.savez(tmp_path / "y.npz", **arrays)
    with pytest.raises(ValueError, match=r"y\.npz, train: .*text 8, audio 6, .*mixed up"):
        mosei.load("real", tmp_path / "y.npz")


@pytest.mark.parametrize("form", ["vid_{}", "vid_{}[7]", "vid_{}$_$0"])
def test_repeated_ids_stay_in_their_video(form, tmp_path):
    """A third clip of the video must not become a video of its own: it would leak between folds."""

    def repeat(made):
        for k, (split, n) in enumerate(COUNTS.items()):
            made[split]["id"] = [form.format(f"{k}x{i // 3}y") for i in range(n)]

    data = mosei.load("real", changed(tmp_path, repeat))
    assert len(np.unique(data.ids)) == sum(COUNTS.values())
    wanted = [f"vid_{k}x{i // 3}y" for k, n in enumerate(COUNTS.values()) for i in range(n)]
    assert mosei.videos(data).tolist() == wanted


def test_a_repeated_id_takes_no_name_that_another_has():
    assert mosei._unique(["a", "a#2", "a", "a", "b"]).tolist() == ["a", "a#2", "a#3", "a#4", "b"]


def test_what_is_finite_in_float64_only_is_zero_too(tmp_path):
    def large(made):
        made["train"]["audio"] = made["train"]["audio"].astype(float)
        made["train"]["audio"][0, 0] = [1e300, -1e300, 1, 2]

    audio = mosei.load("real", changed(tmp_path, large)).modalities["audio"]
    assert np.isfinite(audio).all()
    assert audio[0, 0].tolist() == [0, 0, 1, 2, 1]


def bomb(levels, width=10):
    level = [0.0] * width
    for _ in range(levels - 1):
        level = [level] * width
    return level


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("text", bomb(9), "text is not numbers in one shape"),
        ("text", bomb(2), "text is not numbers in one shape"),
        ("audio", [[1.0], [1.0, 2.0]], "pad its rows to one length"),
        ("audio", [["a"]] * 8, "audio is not numbers"),
        ("audio", 3.0, "audio is not numbers"),
        ("vision", np.zeros(8), "vision is not numbers in one shape: float64"),
        ("vision", np.zeros((8, 1, 1), complex), "vision is not numbers"),
        ("regression_labels", np.zeros((8, 0)), "regression_labels is not numbers"),
        ("regression_labels", np.float64(1), "regression_labels is not numbers"),
        ("regression_labels", [2**2000, 1.5] * 4, "regression_labels is not numbers"),
        ("audio_lengths", [[1]] * 8, "audio_lengths is not numbers"),
        ("audio_lengths", [1] * 7, "audio_lengths 7"),
        ("id", bomb(9), "id of row 0 is no id"),
        ("id", ["a" * 10**6] + ["b"] * 7, "id of row 0 is no id"),
        ("id", ["a", None] * 4, "id of row 1 is no id"),
        ("id", ["a", 10**5000] * 4, "id of row 1 is no id"),
        ("id", ["a", []] * 4, "id of row 1 is no id"),
        ("id", 5, "id is a int, not one id per utterance"),
        ("id", np.array("a"), "id is a ndarray, not one id"),
    ],
)
def test_values_that_do_not_fit_are_named_and_not_expanded(name, value, message, tmp_path):
    path = changed(tmp_path, lambda made: made["train"].update({name: value}))
    with pytest.raises(ValueError, match=message) as caught:
        mosei.load("real", path)
    assert str(caught.value).startswith(f"{path}, train: ") and "\n" not in str(caught.value)


def test_a_split_without_rows_is_refused(tmp_path):
    def empty(made):
        made["train"] = {name: value[:0] for name, value in made["train"].items()}

    with pytest.raises(ValueError, match=r"x\.pkl, train: has no utterance"):
        mosei.load("real", changed(tmp_path, empty))


def test_lists_of_lists_are_read_as_arrays_are(tmp_path):
    path = changed(tmp_path, lambda made: None)
    before = mosei.load("real", path)

    def listed(made):
        for part in made.values():
            part |= {name: part[name].tolist() for name in WIDTH}
            part["regression_labels"] = part["regression_labels"].reshape(-1, 1, 1).tolist()
            part["id"] = [[name.encode()] for name in part["id"]]

    after = mosei.load("real", changed(tmp_path, listed))
    for name, x in before.modalities.items():
        np.testing.assert_array_equal(after.modalities[name], x)
    assert after.ids.tolist() == before.ids.tolist()
    np.testing.assert_array_equal(after.labels, before.labels)


def test_the_provenance_says_where_the_splits_come_from(tmp_path):
    data = mosei.load("real", changed(tmp_path, lambda made: None))
    wanted = "as in the file (train 8, valid 4, test 6 utterances)"
    assert data.provenance["splits"] == wanted
    assert mosei.load(n_train=20, n_test=20).provenance["splits"].startswith("simulated (train 20")


def test_what_macos_leaves_beside_a_file_is_not_read(tmp_path):
    changed(tmp_path, lambda made: None)
    (tmp_path / "._x.pkl").write_bytes(b"\0\5\x16\7")
    assert len(mosei.load("real", tmp_path)) == sum(COUNTS.values())


@pytest.mark.parametrize("content", [b"", b"PK", b"hello"])
def test_an_npz_that_is_none_is_named(content, tmp_path):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.npz: not a whole \.npz file; fetch it again"):
        mosei.load("real", tmp_path)


def test_an_npz_of_something_else_is_named(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.ones(3), training=np.ones(3))
    with pytest.raises(ValueError, match=r"x\.npz: holds no train_text"):
        mosei.load("real", tmp_path)
