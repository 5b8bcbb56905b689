"""Every public name of the subject has an example, which runs as printed."""

import doctest
import inspect
import sys

import pytest

from cchkd_utils import criterion, distill, gaussian, mi

NAMES = [
    (module, name)
    for module in (criterion, mi, gaussian, distill)
    for name in module.__all__
    if callable(subject := getattr(module, name))
    and not (isinstance(subject, type) and issubclass(subject, Exception))
]


@pytest.mark.parametrize(
    ("module", "name"), NAMES, ids=lambda value: getattr(value, "__name__", value)
)
def test_its_example_runs(module, name):
    subject = getattr(module, name)
    names = dict(vars(sys.modules[subject.__module__]))
    tests = doctest.DocTestFinder(recurse=False).find(inspect.unwrap(subject), name, globs=names)
    assert tests and tests[0].examples, f"{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    told = []
    runner.run(tests[0], out=told.append)
    assert not runner.failures, "".join(told)


def test_random_state_is_another_name_of_the_seed():
    import numpy as np

    x = np.random.default_rng(0).normal(size=(300, 2))
    y = x + np.random.default_rng(1).normal(size=(300, 2))
    for function, arrays in ((mi.estimate, (x, y)), (criterion.assess, (x, y, x[:, 0] > 0))):
        with pytest.raises(ValueError, match="random_state"):
            function(*arrays, seed=2, random_state=3)
        with pytest.raises(ValueError, match="random_state"):
            function(*arrays, random_state=np.random.default_rng(0))
    quick = {"checks": False, "rivals": False}
    verdicts = [
        criterion.assess(x, y, x[:, 0] > 0, **quick, **named)
        for named in ({"seed": 3}, {"random_state": 3})
    ]
    assert verdicts[0].gap == verdicts[1].gap
