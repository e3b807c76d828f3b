"""The command line: `conurb NOUN VERB`, one file per noun."""
