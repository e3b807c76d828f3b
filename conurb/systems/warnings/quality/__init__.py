"""What the air and the water are called by China's standards, and when that raises a warning.

`air` is the index of HJ 633, `water` the classes of GB 3838-2002, `raising` the rule with
hysteresis that both stand behind. Pure: numbers in, numbers and names out.
"""
