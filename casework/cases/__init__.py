"""Cases: what a household's warnings ask of people, and what people did (docs/reference/cases.md)."""
