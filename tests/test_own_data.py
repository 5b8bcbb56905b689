"""The page "Assess your own models": its code runs as printed, and prints what it shows."""

import re
import warnings

import numpy as np
import pytest
import torch

from cchkd_utils import paths
from cchkd_utils.book import cli

pytestmark = pytest.mark.slow
PAGE = (paths.ROOT / "book" / "own_data.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Run the page's Python blocks, top to bottom; return their names, output and folder."""
    folder, printed, names = tmp_path_factory.mktemp("own"), [], {}
    names["print"] = lambda *words: printed.append(" ".join(map(str, words)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        patch.chdir(folder)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*constant column")
            exec("\n".join(blocks("python")), names)
    torch.set_num_threads(threads)
    return names, printed, folder


def numbers(text):
    return [float(x) for x in re.findall(r"[-+]?\d+\.\d+", text)]


def same_text(shown, printed):
    """Equal words; numbers within 0.05, since other machines round other sums.

    The bias in simulation is the mean of a few draws: within 0.15.
    """
    assert re.sub(r"[-+]?\d+\.\d+|\s+", " ", shown) == re.sub(r"[-+]?\d+\.\d+|\s+", " ", printed)
    rough, bias = [0.05] * len(numbers(shown)), r"(bias in simulation.*?)\n"
    for told in re.findall(bias, shown):
        rough[len(numbers(shown.partition(told)[0]))] = 0.15
    assert (abs(np.subtract(numbers(shown), numbers(printed))) <= rough).all()


def test_the_hook_collects_what_enters_the_head_in_order(page):
    names, _, _ = page
    teacher, x = names["teacher"], names["upper"][names["held_out"]]
    with torch.no_grad():
        hidden = teacher[:-1](x).numpy()
        assert np.allclose(names["h1"], hidden, atol=1e-6)
        assert np.allclose(names["teacher_logits"], teacher(x).numpy(), atol=1e-6)
    assert not teacher[-1]._forward_pre_hooks  # the model is as it was


def test_the_command_prints_what_the_page_shows(page, capsys):
    _, _, folder = page
    command, _, shown = blocks("console")[0].partition("\n")
    assert command == "$ cchkd assess reps.npz"
    assert cli.main(["assess", str(folder / "reps.npz")]) == 0
    printed_now = capsys.readouterr().out
    same_text(shown, printed_now)
    lines = [re.split(r"\s{2,}", line)[0] for line in printed_now.splitlines()]
    explained = re.findall(r"^\| `(.*?)` \|", PAGE, flags=re.MULTILINE)
    assert [name.replace("\\|", "|") for name in explained] == lines  # every line is explained


def test_the_ranking_is_what_the_page_shows(page):
    names, printed, _ = page
    same_text(blocks("text")[0], "\n".join(printed[2:]) + "\n")
    gaps = [verdict.gap for verdict in names["ranking"].values()]
    assert gaps == sorted(gaps, reverse=True) and list(names["ranking"])[-1] == "noise"


def test_two_models_to_a_picture_in_twelve_lines(page):
    names, printed, _ = page
    lines = [line for line in blocks("python")[1].splitlines() if line.strip()]
    assert len(lines) <= 12
    assert printed[0] == names["verdict"].decision == "distil"
    assert names["figure"].get_suptitle().startswith("Verdict: distil")


def test_noise_on_the_teachers_features_turns_the_verdict(page, monkeypatch):
    """Task F of the page "Teach with it" takes the same file."""
    _, _, folder = page
    text = (paths.ROOT / "book" / "teaching.md").read_text(encoding="utf-8")
    (task,) = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    printed = []
    monkeypatch.chdir(folder)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*constant column")
        exec(task, {"print": printed.append})
    decisions = [line.split(", ")[-1] for line in printed]
    assert decisions == ["distil", *["undecided"] * 3, "do not distil"]
    gaps = [numbers(line)[-1] for line in printed]
    assert gaps == sorted(gaps, reverse=True)
