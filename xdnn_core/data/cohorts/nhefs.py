"""NHEFS, the follow-up of NHANES I, as the package causaldata carries it: 1,629 smokers.

The outcome is death by 1992. What is known only because somebody was followed up, or follows
from the outcome itself, is left out.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
import pandas as pd

from xdnn_core.data.cohorts.cohort import Cohort, LeftOut
from xdnn_core.data.cohorts.encoding import ColumnSpec, encode

_YES_NO = {0.0: "no", 1.0: "yes"}  # a code 2 stands for "not asked" and counts as missing

_STATES = {
    1: "Alabama", 4: "Arizona", 5: "Arkansas", 6: "California", 8: "Colorado", 9: "Connecticut",
    10: "Delaware", 11: "District of Columbia", 12: "Florida", 13: "Georgia", 15: "Hawaii",
    16: "Idaho", 17: "Illinois", 18: "Indiana", 19: "Iowa", 20: "Kansas", 21: "Kentucky",
    22: "Louisiana", 23: "Maine", 24: "Maryland", 25: "Massachusetts", 26: "Michigan",
    27: "Minnesota", 28: "Mississippi", 29: "Missouri", 30: "Montana", 31: "Nebraska",
    33: "New Hampshire", 34: "New Jersey", 35: "New Mexico", 36: "New York",
    37: "North Carolina", 38: "North Dakota", 39: "Ohio", 40: "Oklahoma", 41: "Oregon",
    42: "Pennsylvania", 44: "Rhode Island", 45: "South Carolina", 46: "South Dakota",
    47: "Tennessee", 48: "Texas", 49: "Utah", 50: "Vermont", 51: "Virginia", 53: "Washington",
    54: "West Virginia", 55: "Wisconsin", 56: "Wyoming",
}  # fmt: skip


def _number(name: str, title: str, unit: str, description: str) -> ColumnSpec:
    return ColumnSpec(name, title, "numeric", unit=unit, description=description)


def _flag(name: str, title: str, description: str) -> ColumnSpec:
    return ColumnSpec(name, title, "binary", _YES_NO, description=description)


def _levels(name: str, title: str, levels: dict[float, str], description: str) -> ColumnSpec:
    return ColumnSpec(name, title, "category", levels, description=description)


_DIAGNOSED = "Ever diagnosed by a doctor, as told in 1971."
_MEDICATION = "Takes medication for it, as told in 1971."

SPECS: tuple[ColumnSpec, ...] = (
    _number("age", "Age", "years", "Age in 1971."),
    ColumnSpec("sex", "Sex", "binary", {0.0: "male", 1.0: "female"}, description="Sex."),
    ColumnSpec(
        "race", "Race", "binary", {0.0: "white", 1.0: "black or other"},
        description="Race as recorded in 1971.",
    ),
    _levels(
        "education", "Education",
        {1.0: "8th grade or less", 2.0: "high-school dropout", 3.0: "high school",
         4.0: "college dropout", 5.0: "college or more"},
        "Education reached by 1971.",
    ),
    _number("school", "Years of school", "years", "Highest grade of regular school by 1971."),
    _number(
        "income", "Family income", "class",
        "Total family income in 1971 in classes from 11 (under $1,000) to 22 ($25,000 or more).",
    ),
    _levels(
        "marital", "Marital status",
        {2.0: "married", 3.0: "widowed", 4.0: "never married", 5.0: "divorced", 6.0: "separated"},
        "Marital status in 1971.",
    ),
    _levels("birthplace", "Born in", {float(k): v for k, v in _STATES.items()},
            "State of birth."),
    _number("ht", "Height", "cm", "Height in 1971."),
    _number("wt71", "Weight", "kg", "Weight in 1971."),
    _number("sbp", "Systolic blood pressure", "mmHg",
            "Measured in 1982, before the first death on record."),
    _number("dbp", "Diastolic blood pressure", "mmHg",
            "Measured in 1982, before the first death on record."),
    _number("cholesterol", "Serum cholesterol", "mg/100 ml", "Measured in 1971."),
    _number("smokeintensity", "Cigarettes a day", "cigarettes", "Smoked a day in 1971."),
    _number("smkintensity82_71", "Change in cigarettes a day", "cigarettes",
            "Cigarettes a day in 1982 minus 1971."),
    _number("smokeyrs", "Years of smoking", "years", "Years of smoking."),
    _flag("qsmk", "Quit smoking", "Quit smoking between 1971 and 1982."),
    _levels("active", "Active at work",
            {0.0: "very active", 1.0: "moderately active", 2.0: "inactive"},
            "How active on a usual day in 1971."),
    _levels("exercise", "Exercise", {0.0: "much", 1.0: "moderate", 2.0: "little or none"},
            "Exercise in recreation in 1971."),
    _flag("alcoholpy", "Drank in the past year", "At least one drink in the year before 1971."),
    _levels(
        "alcoholfreq", "Drinks",
        {0.0: "almost every day", 1.0: "2–3 times a week", 2.0: "1–4 times a month",
         3.0: "under 12 times a year", 4.0: "not last year"},
        "How often alcohol was drunk in 1971.",
    ),
    _levels("alcoholtype", "Drinks mostly",
            {1.0: "beer", 2.0: "wine", 3.0: "liquor", 4.0: "other or unknown"},
            "Alcoholic drink most often taken in 1971."),
    _number("alcoholhowmuch", "Drinks at a time", "drinks", "How many drinks at a time, 1971."),
    _flag("asthma", "Asthma", _DIAGNOSED),
    _flag("bronch", "Chronic bronchitis or emphysema", _DIAGNOSED),
    _flag("tb", "Tuberculosis", _DIAGNOSED),
    _flag("hf", "Heart failure", _DIAGNOSED),
    _flag("hbp", "High blood pressure", _DIAGNOSED),
    _flag("pepticulcer", "Peptic ulcer", _DIAGNOSED),
    _flag("colitis", "Colitis", _DIAGNOSED),
    _flag("hepatitis", "Hepatitis", _DIAGNOSED),
    _flag("chroniccough", "Chronic cough", _DIAGNOSED),
    _flag("hayfever", "Hay fever", _DIAGNOSED),
    _flag("diabetes", "Diabetes", _DIAGNOSED),
    _flag("polio", "Polio", _DIAGNOSED),
    _flag("tumor", "Malignant tumour", _DIAGNOSED),
    _flag("nervousbreak", "Nervous breakdown", _DIAGNOSED),
    _flag("pica", "Pica", "Eats clay, starch or other non-food, as told in 1971."),
    _flag("headache", "Headache medication", _MEDICATION),
    _flag("otherpain", "Medication for other pains", _MEDICATION),
    _flag("weakheart", "Medication for a weak heart", _MEDICATION),
    _flag("allergies", "Allergy medication", _MEDICATION),
    _flag("nerves", "Medication for nerves", _MEDICATION),
    _flag("lackpep", "Medication for lack of pep", _MEDICATION),
    _flag("hbpmed", "Blood pressure medication", _MEDICATION),
    _flag("boweltrouble", "Medication for bowel trouble", _MEDICATION),
    _flag("wtloss", "Weight-loss medication", _MEDICATION),
    _flag("infection", "Medication for infection", _MEDICATION),
    _flag("birthcontrol", "Birth control pills", "In the six months before the 1971 interview."),
    _number("pregnancies", "Pregnancies", "pregnancies", "Number of pregnancies by 1971."),
    _number("price71", "Tobacco price", "2008 US$", "Mean price in the state of residence, 1971."),
    _number("tax71", "Tobacco tax", "2008 US$", "Tobacco tax in the state of residence, 1971."),
)  # fmt: skip

_DEATH_DATE = "date of death: gives the outcome away"
_FOLLOW_UP = "weight at the 1982 follow-up: missing for those lost to it"
_AFTER_1982 = "tobacco price, tax or residence at the 1982 follow-up"
_PERSON = "identifies a person"

LEFT_OUT: tuple[LeftOut, ...] = (
    *(LeftOut(name, _DEATH_DATE) for name in ("yrdth", "modth", "dadth")),
    *(LeftOut(name, _FOLLOW_UP) for name in ("wt82", "wt82_71")),
    LeftOut("censored", "lost to the 1982 follow-up: known only afterwards"),
    *(
        LeftOut(name, _AFTER_1982)
        for name in ("price82", "price71_82", "tax82", "tax71_82", "hightax82")
    ),
    *(LeftOut(name, _PERSON) for name in ("seqn", "id")),
    LeftOut("older", "age over 50, already in age"),
)


@cache
def load_nhefs() -> Cohort:
    """Open NHEFS from the installed package; needs no network.

    Source: Hernán and Robins 2020, data of the NHANES I Epidemiologic Follow-up Study.
    """
    file = resources.files("causaldata") / "nhefs" / "nhefs.dta"
    with resources.as_file(file) as path:
        table = pd.read_stata(path, convert_categoricals=True)
    table = table.astype(dict.fromkeys(table.columns, float))
    features, columns = encode(table, SPECS)
    return Cohort(
        name="nhefs",
        title="NHEFS: NHANES I follow-up, smokers",
        outcome="died by 1992",
        features=features,
        labels=table["death"].to_numpy(dtype=np.float64),
        columns=tuple(columns),
        left_out=LEFT_OUT,
        notes=(
            "A question that was not asked counts as missing and is imputed.",
            "Blood pressure and the change in smoking are from 1982; every death on record is "
            "later.",
        ),
        citation="NHANES I Epidemiologic Follow-up Study; Hernán and Robins, Causal Inference: "
        "What If (2020); through the Python package causaldata.",
    )
