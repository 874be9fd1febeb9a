"""Which measures are worth asking about, in the words of the catalogue of assistance."""

from __future__ import annotations

from pathlib import Path

from casework.assistance.measures_file import read_assistance
from casework.assistance.suggest import Situation, suggest
from hearthwatch.desk.views import Suggestion, WhyView
from rules.policy import Policy
from rules.words import Language
from streams.catalog import Catalog


def suggested(
    measures: Path, at: Situation, policy: Policy, catalog: Catalog, language: Language
) -> list[Suggestion]:
    """What is worth asking about, the likeliest first.

    Args:
        measures: the catalogue of assistance.

    Raises:
        InputError: it is faulty, or does not fit policy and catalogue.
    """
    read = read_assistance(measures, policy, catalog)
    found = []
    for one in suggest(read, at, policy).suggested:
        measure = one.measure
        found.append(
            Suggestion(
                measure.id,
                measure.title[language],
                measure.gives[language],
                measure.provider,
                [document[language] for document in measure.documents],
                measure.papers_within_days,
                measure.basis,
                one.rank,
                [WhyView(why.kind, why.of, why.text[language]) for why in one.reasons],
            )
        )
    return found
