"""The second sample: a year in which every register has events, equal in its figures to what reports have published."""
