"""What a teacher hands out: no solution in it, runs as it is, overwrites nothing."""

import ast
import builtins
import json
import re
import subprocess
import sys

import jupytext
import pytest

from cchkd_utils import paths, runner
from cchkd_utils.book import cli, handouts, myst, slides

NOTEBOOKS = runner.notebooks()
EXERCISE = """\
:::{exercise} Twice as many
:label: ex-tiny-1

Does the gain of $\\lambda = 1$ {cite:p}`hinton2015distilling` shrink? See [](../book/theory.md).
:::"""
START = "```{solution-start} ex-tiny-1\n:class: dropdown\n```"
END = "```{solution-end}\n```"
SECRET = "secret = 'it halves'\nprint(secret)"


def cell(kind, source, *tags):
    made = {"cell_type": kind, "id": f"c{abs(hash(source)) % 10**8}", "source": source}
    extra = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return made | extra | {"metadata": {"tags": list(tags)}}


@pytest.fixture
def exercise(tiny):
    """The tiny notebook with an exercise and its solution at the end; a way to read exports."""
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    content = json.loads(path.read_text())
    content["cells"] += [
        cell("markdown", "## Exercises"),
        cell("markdown", EXERCISE, "exercise"),
        cell("markdown", START, "solution"),
        cell("code", SECRET, "solution"),
        cell("markdown", END, "solution"),
    ]
    path.write_text(json.dumps(content))
    return path


def sources(path):
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]


def test_students_get_the_exercise_and_room_but_no_solution(exercise, tmp_path, capsys):
    assert cli.main(["export", "01", "--student", str(tmp_path / "class")]) == 0
    (path,) = (tmp_path / "class").iterdir()
    assert capsys.readouterr().out == f"{path}\n" and path.name == "01_tiny.ipynb"
    text = path.read_text()
    assert "halves" not in text and "solution" not in text.lower()
    *_, asked, room = sources(path)
    assert asked.startswith("**Exercise 1: Twice as many**\n\nDoes the gain")
    assert room == handouts.ANSWER
    assert "(Hinton et al. 2015)" in asked and "/blob/main/book/theory.md)" in asked
    assert not re.search(r":::|\{\w+\}`|\]\(\.\.", asked)


def test_teachers_get_the_solution_in_readable_form(exercise, tmp_path):
    (path,) = handouts.solutions(["01"], tmp_path / "teacher")
    shown = sources(path)
    assert SECRET in shown and "**Solution 1**" in shown
    assert not any(":::" in text or "```{" in text for text in shown)


@pytest.mark.slow
def test_what_students_get_runs_as_it_is(exercise, tmp_path, monkeypatch):
    import papermill

    (path,) = handouts.student(["01"], tmp_path / "class")
    monkeypatch.setenv("CCHKD_RUN_FOLDER", str(tmp_path / "tables"))
    papermill.execute_notebook(str(path), str(tmp_path / "out.ipynb"), progress_bar=False)
    assert (tmp_path / "tables" / "results.csv").is_file()


def test_nothing_is_overwritten_unless_told(exercise, tmp_path, capsys):
    folder = tmp_path / "class"
    folder.mkdir()
    (folder / "01_tiny.ipynb").write_text("mine")
    (folder / "nbgrader_config.py").write_text("mine")
    for words in (["--student"], ["--solutions"], ["--nbgrader"]):
        assert cli.main(["export", *words, str(folder)]) == 1
        out, err = capsys.readouterr()
        assert out == "" and "is there already" in err and err.count("\n") == 1
    assert [p.read_text() for p in folder.iterdir()] == ["mine", "mine"]
    assert cli.main(["export", "--student", str(folder), "--force"]) == 0
    assert len(sources(folder / "01_tiny.ipynb")) > 3


def test_a_course_has_an_answer_to_mark_below_each_exercise(exercise, tmp_path):
    config, path = handouts.nbgrader(["01"], tmp_path / "course")
    assert config.name == "nbgrader_config.py"
    assert path == tmp_path / "course" / "source" / "01_tiny" / "01_tiny.ipynb"
    *_, asked, answer = json.loads(path.read_text())["cells"]
    assert "".join(asked["source"]).startswith("**Exercise 1: Twice as many**")
    assert answer["metadata"]["nbgrader"] == {
        "schema_version": 3, "grade_id": "answer-1", "points": handouts.POINTS,
        "grade": True, "solution": True, "locked": False, "task": False,
    }  # fmt: skip
    text = "".join(answer["source"])
    head, solution, rest = re.split("### (?:BEGIN|END) SOLUTION", text)
    assert head == handouts.ANSWER and SECRET in solution and rest == ""
    compile(text, "answer", "exec")  # prose of the solution is a comment


def test_a_course_is_whole_or_not_there(exercise, tmp_path, capsys):
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "source").write_text("a file")
    assert cli.main(["export", "--nbgrader", str(tmp_path / "course")]) == 1
    assert capsys.readouterr().err.startswith("cchkd: cannot write to")
    assert [path.name for path in (tmp_path / "course").iterdir()] == ["source"]


def test_slides_are_refused_before_anything_runs(exercise, tmp_path, capsys):
    (tmp_path / "01_tiny.slides.html").touch()
    assert cli.main(["export", "--slides", str(tmp_path)]) == 1
    assert "is there already" in capsys.readouterr().err and not paths.runs_root().exists()


@pytest.mark.parametrize("place", ["file", "file/below", "class"])
def test_a_bad_folder_gets_one_line(exercise, tmp_path, capsys, place):
    (tmp_path / "file").write_text("")
    names = ["99"] if place == "class" else []
    assert cli.main(["export", *names, "--student", str(tmp_path / place)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("cchkd: ") and err.count("\n") == 1
    assert not (tmp_path / "class").exists()


def test_a_solution_without_the_tag_is_noticed(exercise, tmp_path):
    content = json.loads(exercise.read_text())
    for cell in content["cells"]:
        cell["metadata"]["tags"] = [t for t in cell["metadata"]["tags"] if t != "solution"]
    exercise.write_text(json.dumps(content))
    with pytest.raises(handouts.ExportError, match="01_tiny: a cell holds a solution"):
        handouts.student([], tmp_path / "class")
    assert not (tmp_path / "class").exists()


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("$$\na = b\n$$ (eq-x)", "$$\na = b\n$$"),
        ("{term}`nats <nat>` and {prf:ref}`cch`", "nats and cch"),
        ("{cite:t}`xie2025cch` say", "Xie et al. 2025 say"),
        ("{cite:t}`czyz2023beyond` say", "Czyż et al. 2023 say"),
        ("```{admonition} Careful\n:class: note\nHot.\n```", "**Careful**\n\nHot."),
        ("```python\nx = 1\n```", "```python\nx = 1\n```"),
        ("[site](https://a.b/c)", "[site](https://a.b/c)"),
    ],
)
def test_myst_becomes_plain_markdown(source, wanted):
    assert myst.plain_markdown(source) == wanted


def test_every_entry_of_the_bibliography_can_be_cited():
    entries = (paths.ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    for key in re.findall(r"^@\w+\{(\S+),", entries, re.MULTILINE):
        assert re.fullmatch(r"\D+ (et al\. )?\d{4}", myst.plain_markdown(f"{{cite:t}}`{key}`")), key


# The book's own notebooks.


def exercises(path):
    """List the exercises' labels, and the solutions' cells by label."""
    labels, solutions, now = [], {}, None
    for cell in jupytext.read(path).cells:
        tags = cell.metadata.get("tags", [])
        if "exercise" in tags:
            labels += re.findall(r"^\s*:label: (\S+)$", cell.source, re.MULTILINE)
        if start := re.search(r"\{solution(?:-start)?\} (\S+)", cell.source):
            now = start[1]
        if "solution" in tags:
            solutions.setdefault(now, []).append(cell)
        if "{solution-end}" in cell.source:
            now = None
    return labels, solutions


WITH = [path for path in NOTEBOOKS if exercises(path)[0]]
each = pytest.mark.parametrize("notebook", WITH, ids=[path.stem for path in WITH])


@each
def test_every_exercise_has_a_solution_that_runs(notebook):
    """`test_notebooks` runs them; here: three at least, code in each, after the tables."""
    labels, solutions = exercises(notebook)
    assert len(labels) >= 3 and sorted(labels) == sorted(solutions)
    for label, cells in solutions.items():
        assert any(cell.cell_type == "code" and cell.source.strip() for cell in cells), label
        assert "{solution-end}" in cells[-1].source and "dropdown" in cells[0].source
    kinds = ["solution" in c.metadata.get("tags", []) for c in jupytext.read(notebook).cells]
    code = [c.cell_type == "code" for c in jupytext.read(notebook).cells]
    last = max(i for i, (s, c) in enumerate(zip(kinds, code)) if c and not s)
    assert last < kinds.index(True)  # nothing that is handed out needs a solution's names
    assert "results.save(" not in "".join(c.source for cells in solutions.values() for c in cells)


def bound(code):
    """Names that a piece of code defines, and those that it takes from elsewhere."""
    nodes = [*ast.walk(ast.parse(code))]
    names = {n.id: n for n in nodes if isinstance(n, ast.Name)}
    made = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    made |= {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    made |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    made |= {
        (alias.asname or alias.name).split(".")[0]
        for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom)) for alias in n.names
    }  # fmt: skip
    return made, names.keys() - made - vars(builtins).keys()


@each
def test_solutions_need_only_public_names_that_students_have(notebook):
    """No private name, and none that an earlier solution has defined."""
    given = "\n".join(
        c.source for c in jupytext.read(notebook).cells
        if c.cell_type == "code" and "solution" not in c.metadata.get("tags", [])
    )  # fmt: skip
    for label, cells in exercises(notebook)[1].items():
        code = "\n".join(c.source for c in cells if c.cell_type == "code")
        assert bound(code)[1] <= bound(given)[0], label
        assert not re.search(r"(\.|\bimport )_[a-z]", code), label


def test_labels_are_unique_in_the_book():
    labels = [label for path in NOTEBOOKS for label in exercises(path)[0]]
    for page in (paths.ROOT / "book").glob("*.md"):
        labels += re.findall(r"\{exercise\}.*\n:label: (\S+)", page.read_text(encoding="utf-8"))
    assert len(labels) == len(set(labels)) > 0


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_student_export_of_the_book_holds_no_solution(notebook, tmp_path):
    (path,) = handouts.student([notebook.stem], tmp_path)
    text = path.read_text()
    _, solutions = exercises(notebook)
    handed_out = {
        line.strip()
        for cell in jupytext.read(notebook).cells
        if "solution" not in cell.metadata.get("tags", [])
        for line in cell.source.splitlines()
    }  # a solution may repeat a line of the notebook
    kept = {
        line.strip()
        for c in json.loads(text)["cells"]
        for line in "".join(c["source"]).splitlines()
    }
    secret = {
        line.strip()
        for cells in solutions.values()
        for c in cells
        for line in c.source.splitlines()
    }
    assert {line for line in secret - handed_out if len(line) > 10} & kept == set()
    assert bool(secret) == bool(solutions)
    code = [c["source"] for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
    for source in code:
        compile("".join(source), path.name, "exec")
    shown = "".join("".join(c["source"]) for c in json.loads(text)["cells"])
    assert not re.search(r"^:{3,}|^`{3,}\{", shown, re.MULTILINE)


# The lab.

LAB = jupytext.read(paths.NOTEBOOKS / "lab.py").cells
CHECKS = [c for c in LAB if c.cell_type == "code" and c.metadata.get("nbgrader", {}).get("grade")]


def test_the_lab_imports_four_packages():
    code = "\n".join(c.source for c in LAB if c.cell_type == "code")
    nodes = [*ast.walk(ast.parse(code))]
    names = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    names |= {n.module for n in nodes if isinstance(n, ast.ImportFrom)}
    assert {n.split(".")[0] for n in names} == {"numpy", "scipy", "sklearn", "matplotlib"}
    assert "__import__" not in code and "importlib" not in code


def test_students_get_a_lab_without_solutions_and_hidden_tests(tmp_path):
    (path,) = handouts.student(["lab"], tmp_path)
    regions = [m for c in LAB for m in handouts.REGION.finditer(c.source)]
    assert len(regions) == sum("### BEGIN" in line for c in LAB for line in c.source.split("\n"))
    secret = {line.strip() for m in regions for line in m[0].splitlines()}
    kept = {line.strip() for text in sources(path) for line in text.splitlines()}
    assert {line for line in secret & kept if len(line) > 10} == set() and len(secret) > 60
    for text, c in zip(sources(path), LAB, strict=True):
        if "### BEGIN SOLUTION" in c.source:
            assert handouts.STUBS[c.cell_type].splitlines()[0] in text
        if c.cell_type == "code":
            compile(text, path.name, "exec")


def test_every_answer_of_the_lab_is_marked_and_the_tables_add_up(tmp_path):
    _, path = handouts.nbgrader(["lab"], tmp_path)
    marks = [c["metadata"]["nbgrader"] for c in json.loads(path.read_text())["cells"]
             if "nbgrader" in c["metadata"]]  # fmt: skip
    assert all(mark.keys() - {"points"} == {*handouts.NBGRADER, "grade_id"} for mark in marks)
    assert all(("points" in mark) == mark["grade"] for mark in marks)
    ids = [mark["grade_id"] for mark in marks]
    assert len(ids) == len(set(ids))
    code = {m["grade_id"] for m in marks if m["solution"] and not m["grade"]}
    assert {f"{name}-check" for name in code} == {m["grade_id"] for m in marks if m["locked"]}
    text = LAB[0].source
    rows = re.findall(r"^\| (\d)\. .* \| (\d+) \| ([\d +]*)\|$", text, re.MULTILINE)
    minutes, points = (int(x) for x in re.search(r"\| all \| (\d+) \| (\d+) \|", text).groups())
    assert minutes == sum(int(m) for _, m, _ in rows) <= 90
    told = [int(p) for *_, given in rows for p in given.split("+") if p.strip()]
    assert told == [mark["points"] for mark in marks if mark["grade"]] and sum(told) == points
    said = [re.findall(r"^## (\d)\. .*\((\d+) minutes\)$", c.source, re.MULTILINE) for c in LAB]
    assert [pair for pairs in said for pair in pairs] == [(part, m) for part, m, _ in rows]


def test_checks_of_the_lab_need_only_names_that_are_there_and_give_hints():
    for at, c in enumerate(LAB):
        if c not in CHECKS:
            continue
        before = "\n".join(cell.source for cell in LAB[:at] if cell.cell_type == "code")
        assert bound(c.source)[1] <= bound(before)[0] and "._" not in c.source
        seen = ast.parse(handouts.REGION.sub("", c.source))
        asserts = [node for node in ast.walk(seen) if isinstance(node, ast.Assert)]
        assert asserts and all(node.msg for node in asserts), c.metadata["nbgrader"]["grade_id"]


@pytest.mark.slow
def test_the_solved_lab_passes_its_own_checks(tmp_path):
    """Half a minute, without the book's module; `.ci/teach` marks it with nbgrader."""
    code = "\n".join(c.source for c in LAB if c.cell_type == "code")
    (tmp_path / "lab.py").write_text(f"import matplotlib\nmatplotlib.use('agg')\n{code}")
    done = subprocess.run(
        [sys.executable, "-W", "error", "lab.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("teacher right") == 5


WRONG = [  # the answer, what stands there, what a student may write
    ("kd_loss", "temperature**2 * divergence", "divergence"),
    ("kd_loss", "rel_entr(soft, softmax(logits / temperature, axis=1))",
     "rel_entr(softmax(logits / temperature, axis=1), soft)"),
    ("kd_loss", "lam * temperature", "lam**2 * temperature"),
    ("kd_gradient", "lam * temperature *", "lam * temperature**2 *"),
    ("kd_gradient", "(1 - lam) * hard", "hard"),
    ("students", "y, w, temperature)", "y, w, 1.0)"),
    ("students", "(after - before)", "(before - after)"),
    ("students", "return 100 * ", "return "),
    ("knn_information", "+ 1) + digamma", ") + digamma"),
    ("knn_information", "digamma(k) + digamma(len(a)) - near.mean()",
     "max(0, digamma(k) + digamma(len(a)) - near.mean())"),
    ("knn_information", "digamma(k)", "digamma(k - 1)"),
    ("label_information", "digamma(same)", "digamma(same - 1)"),
    ("label_information", "reach(h[rows], k)", "reach(h, k)[rows]"),
    ("label_information", "    distance, same =",
     "    return knn_information(h, np.reshape(y, (-1, 1)), k)\n    distance, same ="),
    ("decide", "0.975", "0.95"),
    ("decide", ", ddof=1", ""),
    ("decide", "np.std", "np.var"),
]  # fmt: skip


def test_a_wrong_answer_of_the_lab_meets_a_hint_that_students_see():
    now, ids, checked = {}, {c.metadata.get("nbgrader", {}).get("grade_id"): c for c in LAB}, 0
    for c in LAB[: LAB.index(ids["decide-check"]) + 1]:
        if c.cell_type == "code" and "plt.show" not in c.source:
            exec(c.source, now)
        for name, right, wrong in WRONG:
            if c is ids.get(f"{name}-check"):
                assert ids[name].source.count(right) == 1, right
                own = dict(now)
                exec(ids[name].source.replace(right, wrong), own)
                with pytest.raises(AssertionError, match=r"\w{2,}.* "):
                    exec(handouts.REGION.sub("", c.source), own)
                checked += 1
    assert checked == len(WRONG)


# Slides.


def test_slides_split_at_headings_and_pictures_and_hide_what_the_page_hides(exercise):
    picture = {"output_type": "display_data", "data": {"image/png": "AA"}, "metadata": {}}
    cells = [
        cell("markdown", "# Title\n\nQuestion."),
        cell("code", "import this", "remove-cell"),
        cell("markdown", "Prose.\n\n## Empty heading"),
        cell("code", "plot()", "hide-input") | {"outputs": [picture]},
        cell("code", "x = 1"),
        cell("markdown", EXERCISE, "exercise"),
        cell("code", SECRET, "solution"),
    ]
    deck = list(slides.split(cells))
    told = [[c["source"] or "picture" for c in cells] for cells in deck]
    assert told == [
        ["# Title\n\nQuestion.", "Prose.\n\n"],
        ["## Empty heading", "picture"],
        ["## Empty heading", "x = 1"],  # no slide without a heading, and no heading alone
    ]
    assert list(slides.split([cell("markdown", "# A\n\nB.\n\n## Exercises")])) == [
        [slides.markdown("# A\n\nB.\n\n")]
    ]
