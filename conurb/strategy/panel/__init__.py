"""The panel: figures of units (cities) over years, in the one form that every strategy room reads.

`table` holds the figures, `origin` where each comes from; `objects` reads them from the objects of
a region or from a region pack, `files` from and to frames, Parquet, Stata and CSV; `gaps` is the
policy on missing and flagged figures, `transform` makes columns of columns.
"""

from conurb.strategy.panel.origin import Origin
from conurb.strategy.panel.table import MISSING, Figures, Panel, name_cells

__all__ = ["MISSING", "Figures", "Origin", "Panel", "name_cells"]
