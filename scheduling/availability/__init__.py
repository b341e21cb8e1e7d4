"""Say when somebody can be booked and why not: facts and rules in, slots and verdicts out."""
