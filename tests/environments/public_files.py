"""Invented files of the format of the public data: right counts, no person's data."""

import csv

import numpy as np

COMPAS_HEADER = next(
    csv.reader(
        [
            "id,name,first,last,compas_screening_date,sex,dob,age,age_cat,race,juv_fel_count,decile_score,"
            "juv_misd_count,juv_other_count,priors_count,days_b_screening_arrest,c_jail_in,c_jail_out,"
            "c_case_number,c_offense_date,c_arrest_date,c_days_from_compas,c_charge_degree,c_charge_desc,"
            "is_recid,r_case_number,r_charge_degree,r_days_from_arrest,r_offense_date,r_charge_desc,"
            "r_jail_in,r_jail_out,violent_recid,is_violent_recid,vr_case_number,vr_charge_degree,"
            "vr_offense_date,vr_charge_desc,type_of_assessment,decile_score,score_text,screening_date,"
            "v_type_of_assessment,v_decile_score,v_score_text,v_screening_date,in_custody,out_custody,"
            "priors_count,start,end,event,two_year_recid"
        ]
    )
)
LEVELS = {1: 4, 3: 5, 4: 10, 6: 5, 7: 5, 9: 4, 10: 3, 12: 4, 14: 3, 15: 3, 17: 4, 19: 2, 20: 2}


def german_lines(seed=0):
    """1000 lines, 700 of class 1, 190 aged at most 25."""
    rng = np.random.default_rng(seed)
    good = rng.permutation(np.arange(1000) < 700)
    young = rng.permutation(np.arange(1000) < 190)
    lines = []
    for i in range(1000):
        fields = {j: f"A{j}{rng.integers(1, n + 1)}" for j, n in LEVELS.items()}
        fields |= {
            2: rng.integers(4, 72) - 12 * good[i] + 12,
            5: rng.integers(250, 18000),
            8: rng.integers(1, 5),
            11: rng.integers(1, 5),
            13: rng.integers(19, 26) if young[i] else rng.integers(26, 76),
            16: rng.integers(1, 5),
            18: rng.integers(1, 3),
            21: 1 if good[i] else 2,
        }
        lines.append(" ".join(str(fields[j]) for j in range(1, 22)))
    return lines


def compas_rows(seed=0):
    """Header and 7214 rows, of which 6172 pass the filter."""
    rng = np.random.default_rng(seed)
    races = ["African-American"] * 3175 + ["Caucasian"] * 2103 + ["Other"] * 894
    again = rng.permutation(np.arange(6172) < 2809)
    rows = []
    for i in range(7214):
        passes = i < 6172
        failure = i % 4 if not passes else -1
        row = {name: "" for name in COMPAS_HEADER}
        row |= {
            "id": i,
            "name": f"invented, nobody {i} \u00e9",
            "dob": "1900-01-01",
            "sex": rng.choice(["Male", "Female"]),
            "age": rng.integers(18, 80),
            "race": races[i] if passes else "Caucasian",
            "juv_fel_count": rng.integers(0, 3),
            "juv_misd_count": rng.integers(0, 3),
            "juv_other_count": rng.integers(0, 3),
            "days_b_screening_arrest": rng.integers(-30, 31),
            "c_charge_degree": rng.choice(["F", "M"]),
            "is_recid": rng.integers(0, 2),
            "score_text": "Low",
            "two_year_recid": int(again[i]) if passes else 1,
        }
        if failure >= 0:
            name, value = [
                ("days_b_screening_arrest", "" if i % 8 else -31),
                ("is_recid", -1),
                ("c_charge_degree", "O"),
                ("score_text", "N/A"),
            ][failure]
            row[name] = value
        values = [row[name] for name in COMPAS_HEADER]
        first, second = (j for j, name in enumerate(COMPAS_HEADER) if name == "decile_score")
        values[first], values[second] = rng.integers(1, 11), "no number"
        first, second = (j for j, name in enumerate(COMPAS_HEADER) if name == "priors_count")
        values[first] = rng.integers(0, 10) + 5 * row["two_year_recid"]
        values[second] = "no number"
        rows.append(values)
    return [list(COMPAS_HEADER), *rows]
