"""The checker that holds the package to its signatures while tests run: beartype, with ints welcome as floats."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
