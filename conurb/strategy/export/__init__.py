"""Estimates to be repeated elsewhere: the data and a script for Stata or R, beside our own answer.

`write` puts them into a folder; `stata` and `r` write the scripts.
"""
