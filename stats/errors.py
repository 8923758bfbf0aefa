"""What the numerics refuse, as one tree of errors: whatever is wrong with the numbers, or with a question about them.

StatsError
├── LengthMismatchError      arrays that belong together differ in length
├── ItemIndexError           an item number, or a number of items, that is not one
├── SelfPairError            an item compared with itself
├── UnknownOutcomeError      an outcome outside `Outcome`, or of no use where it was given
├── InvalidWeightError       a weight or a count that is negative, not a number, or too large or small to be squared
├── InvalidLevelError        a confidence level, a number of draws or another setting outside its range
├── UnratedItemError         an item without a rating was asked to anchor the scale
├── InvalidCovariateError    a covariate that is not a number for every comparison
├── CollinearCovariatesError covariates that others, or the items themselves, already say
├── SeparatedCovariatesError covariates that tell every outcome, so that no coefficient is too large for them
├── TooManyItemsError        more items than tables of all their pairs can be held of
└── IllConditionedError      weights so far apart in size that float64 cannot solve for the ratings
"""


class StatsError(ValueError):
    """Anything this package refuses; the message is a sentence for whoever passed the numbers in."""


class LengthMismatchError(StatsError): ...


class ItemIndexError(StatsError): ...


class SelfPairError(StatsError): ...


class UnknownOutcomeError(StatsError): ...


class InvalidWeightError(StatsError): ...


class InvalidLevelError(StatsError): ...


class UnratedItemError(StatsError): ...


class InvalidCovariateError(StatsError): ...


class CollinearCovariatesError(StatsError): ...


class SeparatedCovariatesError(StatsError): ...


class TooManyItemsError(StatsError): ...


class IllConditionedError(StatsError): ...
