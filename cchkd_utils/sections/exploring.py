"""Recorded gains to be explored in a browser: a mark per gain, by what a reader chooses."""

from collections.abc import Mapping

import pandas as pd

from cchkd_utils import plots
from cchkd_utils.results.readable import minus

CHOSEN = "datum['{} ' + estimator]"  # a column that each estimator has
ENDS = ["gain", "gain_lo", "gain_hi"]


def chart(points: pd.DataFrame, x, choices: Mapping[str, tuple], about: Mapping[str, str], below):
    """Draw gains with the verdict of an estimator, which readers choose, as an Altair chart.

    `points` has a row per gain and estimator: gain with its ends in percentage points, outcome,
    estimator, gap (nats), decision. `x` is Altair's. `choices` leads from a column to its label and
    opening value (``"all"`` is one more than there are), `about` from a column to its name in the
    tooltip. `below` makes the layers under the marks from the chart of what is chosen.
    """
    import altair as alt

    params = [_choice(points, name, *told) for name, told in choices.items()]
    chosen = alt.Chart(_data(points, [*choices, *about]))
    for name in choices:
        if name != "estimator":
            chosen = chosen.transform_filter(f"{name} == 'all' || datum.{name} == {name}")
    chosen = chosen.transform_calculate(gap=CHOSEN.format("gap"), says=CHOSEN.format("decision"))
    y = alt.Y("gain:Q", title="gain of distillation, points of accuracy").scale(padding=20)
    y = y.axis(format="+~r", labelExpr="datum.value == 0 ? '0' : datum.label")
    legend = {"orient": "bottom", "titleOrient": "left", "columns": 3}
    outcomes, decisions = list(plots.OUTCOMES), list(plots.MARKERS)
    colours = ["#999" if c == "0.6" else c for c in plots.OUTCOMES.values()]
    colour = alt.Color("outcome:N", legend=alt.Legend(**legend))
    shape = alt.Shape("says:N", title="verdict", legend=alt.Legend(**legend))
    told = [alt.Tooltip(f"{name}:N", title=title) for name, title in about.items()]
    told += [alt.Tooltip("gap:Q", title="gap (nats)", format="+.2f")]
    told += [alt.Tooltip("says:N", title="verdict"), alt.Tooltip("outcome:N", title="outcome")]
    told += [alt.Tooltip("told:N", title="gain (points)")]
    marks = chosen.mark_point(filled=True, size=55, opacity=0.8).encode(
        x=x, y=y, tooltip=told,
        color=colour.scale(domain=outcomes, range=colours),
        shape=shape.scale(domain=decisions, range=["circle", "diamond", "triangle-down"]),
    )  # fmt: skip
    zero = alt.Chart(alt.sequence(0, 1, 1, as_="gain")).mark_rule(color="#333").encode(y=y)
    layers = [*below(chosen), zero, marks, _counts(chosen)]
    return alt.layer(*layers).add_params(*params).properties(width="container", height=320)


def _choice(points: pd.DataFrame, name: str, label: str, opening):
    """Return a parameter that readers set from a list of the values of a column."""
    import altair as alt

    values = ["all"] * (opening == "all") + sorted(points[name].unique().tolist())
    return alt.param(name, value=opening, bind=alt.binding_select(options=values, name=label))


def _data(points: pd.DataFrame, index: list[str]):
    """Return one row per gain, as text: the estimators' gaps and decisions are columns."""
    import altair as alt

    told = points[ENDS].apply(lambda g: minus("{:+.2f} [{:+.2f}, {:+.2f}]".format(*g)), axis=1)
    own = [name for name in dict.fromkeys(index) if name != "estimator"]
    wide = points.assign(told=told).pivot(
        index=[*own, *ENDS, "outcome", "told"], columns="estimator", values=["gap", "decision"]
    )
    wide.columns = [" ".join(names) for names in wide.columns]
    table = wide.infer_objects().reset_index().round(4)  # three decimals lose signs of gaps
    table = table.sort_values("outcome", ascending=False, kind="stable")  # clear ones on top
    numbers = dict.fromkeys(table.select_dtypes("number"), "number")
    parsed = alt.CsvDataFormat(type="csv", parse=numbers)
    return alt.InlineData(values=table.to_csv(index=False), format=parsed)


def _counts(chosen):
    """Write above the axes how many gains are clear, and how often which rule is right."""
    import altair as alt

    return (
        chosen.transform_calculate(helps="+(datum.outcome == 'helps')")
        .transform_calculate(hurts="+(datum.outcome == 'hurts')")
        .transform_calculate(right="datum.gap > 0 ? datum.helps : datum.hurts")
        .transform_aggregate(
            all="count()", helped="sum(helps)", harmed="sum(hurts)", agreed="sum(right)"
        )
        .transform_calculate(
            words="['Of ' + datum.all + ' gains ' + (datum.helped + datum.harmed) + ' are clear: '"
            " + datum.helped + ' help, ' + datum.harmed + ' hurt.',"
            " 'Of these right: sign of the gap ' + datum.agreed"
            " + ', “never distil” ' + datum.harmed + '.']"
        )
        .mark_text(align="left", fontSize=13, lineHeight=19)
        .encode(text="words:N", x=alt.value(-50), y=alt.value(-36))
    )
