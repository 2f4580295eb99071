"""The evaluation: fonts, datasets, runs, scores, report; and bench, apart."""
