"""A do-file that repeats an estimate in Stata: reghdfe (or xtreg) and csdid."""

from __future__ import annotations

from conurb.strategy.export.plan import FIRST, STATUS, UNIT_NUMBER, YEAR, Plan


def write_do_file(plan: Plan) -> str:
    """Write the do-file of a plan.

    Two-way fixed effects by `xtreg, fe` (in Stata itself) and `reghdfe`; Callaway-Sant'Anna by
    `csdid` (with `drdid`), doubly robust as ours, against never or not yet treated.
    """
    y = plan.names[plan.outcome]
    x = " ".join(plan.names[one] for one in plan.covariates)
    also = f" {x}" if x else ""
    compared = "" if plan.never else " notyet"
    lines = [
        f"* {plan.title}",
        "* Written by Conurb; repeats its main estimate. Its tests have no Stata to run it.",
        "* Needs, from SSC: reghdfe, ftools, csdid, drdid.",
        *(f"* Conurb: {one}" for one in plan.ours()),
        "version 16",
        "clear all",
        f'use "{plan.data}", clear',
        "describe",
        f"xtset {UNIT_NUMBER} {YEAR}",
        f"tabulate {FIRST} if {YEAR} == `=r(tmax)', missing",
        "",
        "* Static two-way fixed effects, errors clustered by unit.",
        f"xtreg {y} {STATUS}{also} i.{YEAR}, fe vce(cluster {UNIT_NUMBER})",
        "capture which reghdfe",
        "if _rc ssc install reghdfe",
        "capture which ftools",
        "if _rc ssc install ftools",
        f"reghdfe {y} {STATUS}{also}, absorb({UNIT_NUMBER} {YEAR}) vce(cluster {UNIT_NUMBER})",
        "",
        "* Callaway and Sant'Anna; 0 in the column of the first year means never.",
        "capture which csdid",
        "if _rc ssc install csdid",
        "capture which drdid",
        "if _rc ssc install drdid",
        f"csdid {y}{also}, ivar({UNIT_NUMBER}) time({YEAR}) gvar({FIRST}) method(dripw){compared}",
        "estat simple",
        "estat event",
        "estat pretrend",
    ]
    if plan.gaps:
        lines += [
            "* The panel has gaps. Ours takes for each comparison the units that have both years,",
            "* as csdid does; the number of observations above says how many that are in all.",
        ]
    return "\n".join(lines) + "\n"
