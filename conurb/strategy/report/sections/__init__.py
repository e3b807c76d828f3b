"""The report's parts: each puts one answer into words, drawings and tables."""
