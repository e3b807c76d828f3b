"""A script that repeats an estimate in R: did::att_gt and fixest::feols."""

from __future__ import annotations

from conurb.strategy.export.plan import FIRST, STATUS, UNIT, UNIT_NUMBER, YEAR, Plan


def write_script(plan: Plan) -> str:
    """Write the R script of a plan.

    Two-way fixed effects and the event study by `fixest`, Callaway-Sant'Anna by `did`, doubly
    robust as ours, against never or not yet treated, without its bootstrap.
    """
    y = plan.names[plan.outcome]
    x = [plan.names[one] for one in plan.covariates]
    formula = f"{y} ~ {' + '.join([STATUS, *x])} | {UNIT} + {YEAR}"
    covariates = f"~ {' + '.join(x)}" if x else "~ 1"
    against = "nevertreated" if plan.never else "notyettreated"
    allow = "TRUE" if plan.gaps else "FALSE"
    lines = [
        f"# {plan.title}",
        "# Written by Conurb; repeats its main estimate. Its tests have no R to run it.",
        '# Needs: install.packages(c("did", "fixest"))',
        *(f"# Conurb: {one}" for one in plan.ours()),
        "library(did)",
        "library(fixest)",
        "",
        f'panel <- read.csv("{plan.data}", encoding = "UTF-8")',
        "",
        "# Static two-way fixed effects, errors clustered by unit.",
        f"twfe <- feols({formula}, data = panel, cluster = ~ {UNIT})",
        "print(summary(twfe))",
        "",
        "# Event study; sunab() takes a first year beyond the panel as never treated.",
        f"panel$cohort <- ifelse(panel${FIRST} == 0, 10000, panel${FIRST})",
        f"event <- feols({y} ~ sunab(cohort, {YEAR}) | {UNIT} + {YEAR}, data = panel,",
        f"               cluster = ~ {UNIT})",
        "print(summary(event))",
        "",
        f"# Callaway and Sant'Anna; 0 in {FIRST} means never.",
        "groups <- att_gt(",
        f'  yname = "{y}", tname = "{YEAR}", idname = "{UNIT_NUMBER}", gname = "{FIRST}",',
        f'  xformla = {covariates}, data = panel, control_group = "{against}",',
        f'  est_method = "dr", bstrap = FALSE, cband = FALSE, allow_unbalanced_panel = {allow}',
        ")",
        "print(summary(groups))",
        'print(summary(aggte(groups, type = "simple", na.rm = TRUE)))',
        'print(summary(aggte(groups, type = "dynamic", na.rm = TRUE)))',
    ]
    if plan.gaps:
        lines += [
            "",
            "# The panel has gaps: did then treats it as repeated cross-sections, ours compares",
            "# for each pair of years the units that have both, so that the numbers may differ.",
        ]
    return "\n".join(lines) + "\n"
