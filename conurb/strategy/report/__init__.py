"""The report: what a region's figures say, as one page that a planner can put on the table.

`subject` reads the region, `standing`, `carbon`, `policy`, `around` and `linking` ask its questions
of the strategy rooms, `sections` put the answers into words (`catalogue`), drawings (`drawing`,
`charts`, `maps`) and tables, `page` into HTML. Stands above the rooms, which don't know each other.
"""
