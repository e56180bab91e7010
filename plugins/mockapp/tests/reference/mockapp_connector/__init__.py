"""The connector of the step-by-step tutorial, for connector-py, with the slips of its text repaired.

What is repaired: ids stand in paths where the text has a placeholder, and every answer of the app is checked for its status.
"""
