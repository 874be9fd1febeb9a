"""Alerts: who is told of a case, by which way, when, and in which words. Pure: no network, no wall clock."""
