"""What findings of Synthea (SNOMED CT codes) become in the catalogue of Wuchang.

Severities are our own choice. Codes that stand in no table are left out: colds, pregnancies, sprains,
reviews of medicines and the like say nothing about a family's difficulty.
"""

from __future__ import annotations

from typing import Final

MAJOR: Final[dict[str, tuple[str, int]]] = {
    "22298006": ("heart-disease", 4),  # heart attack
    "401314000": ("heart-disease", 4),  # heart attack, of the kind without ST elevation
    "109838007": ("cancer", 5),  # overlapping malignant neoplasm of colon
    "46177005": ("kidney-failure", 5),  # end-stage renal disease
    "213150003": ("organ-failure", 5),  # kidney transplant failure and rejection
    "431857002": ("kidney-failure", 3),  # chronic kidney disease stage 4
    "91302008": ("severe-infection", 4),  # sepsis
    "26929004": ("dementia", 4),  # Alzheimer's disease
    "262521009": ("severe-trauma", 5),  # injury of spinal cord or vertebral column
    "359817006": ("severe-trauma", 3),  # closed fracture of hip
}
"""Code -> illness and severity of ``health.illness.diagnosed``."""

CHRONIC: Final[dict[str, tuple[str, int]]] = {
    "59621000": ("hypertension", 1),  # essential hypertension
    "44054006": ("diabetes", 2),  # diabetes mellitus type 2
    "414545008": ("heart-disease", 2),  # ischemic heart disease
    "433144002": ("kidney-disease", 2),  # chronic kidney disease stage 3
    "127013003": ("kidney-disease", 2),  # disorder of kidney due to diabetes
    "185086009": ("lung-disease", 3),  # chronic obstructive bronchitis
    "87433001": ("lung-disease", 3),  # pulmonary emphysema
    "195967001": ("lung-disease", 1),  # asthma
    "82423001": ("chronic-pain", 2),  # chronic pain
    "278860009": ("chronic-pain", 1),  # chronic low back pain
    "203082005": ("chronic-pain", 2),  # fibromyalgia
    "124171000119105": ("chronic-pain", 2),  # chronic intractable migraine
    "239873007": ("arthritis", 1),  # osteoarthritis of knee
    "239872002": ("arthritis", 2),  # osteoarthritis of hip
}
"""Code -> illness and severity of ``health.chronic-illness.confirmed``."""

DISTRESS: Final = {"73595000": 1, "80583007": 2}
"""Stress, severe anxiety -> severity of ``health.distress.reported``."""

ISOLATION: Final = {"422650009": "isolated", "423315002": "limited-contact"}
"""Social isolation, limited social contact -> degree of ``care.isolation.reported``."""

PARTNER_VIOLENCE: Final = "706893006"
"""Victim of intimate partner abuse -> ``violence.domestic.reported``, severity 2."""

VISIT: Final[dict[str, tuple[int, str]]] = {
    "424393004": (1, "safety"),  # reports of violence in the environment
    "105531004": (1, "housing"),  # housing unsatisfactory
    "32911000": (3, "housing"),  # homeless
}
"""Code -> severity and need of ``community.visit.recorded`` about the household."""

WORK: Final = {
    "160903007": "full-time",
    "160904001": "part-time",
    "73438004": "unemployed",
    "741062008": "not-working",
}
"""Full-time, part-time, unemployed, not in labor force."""

PLANNED_REASONS: Final = (
    "Sterilization requested",
    "Awaiting transplantation",
    "Abnormal findings diagnostic imaging",  # followed by a planned bypass operation
    "Dependent drug abuse",
    "Injury of medial collateral ligament",
    "Normal pregnancy",
)
"""Reasons of a stay that was planned, by how they begin."""
