"""A second implementation of the specification, written from its pages alone.

Slow and plain on purpose, it shares no code with the program that it judges. It keeps
every accepted event and works each household out anew, in exact fractions.
"""
