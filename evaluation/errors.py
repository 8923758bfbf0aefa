"""What can be wrong with a benchmark before a model is asked; each with a sentence that says what to do next.

    EvaluationError
    ├── BadRow                  a row of a data set does not have the benchmark's form
    ├── BadRows                 a file with such rows: the first of them, and how many there are
    ├── DataMissing             rows that are neither in the folder nor on this machine
    ├── DataUnreadable          a file that is no text, no JSON lines or no Parquet
    ├── InvalidOptions          a number of shots, a draw or a template that this benchmark does not have
    └── UnknownBenchmark        a name that is not in the registry

The text is made by `filled(mark(…), …)`: the edge that shows it translates it.
"""

from llms.sentences import Sentence


class EvaluationError(Exception):
    def __init__(self, sentence: Sentence) -> None:
        super().__init__(sentence)
        self.user_message = sentence


class BadRow(EvaluationError): ...


class BadRows(EvaluationError): ...


class DataMissing(EvaluationError): ...


class DataUnreadable(EvaluationError): ...


class InvalidOptions(EvaluationError): ...


class UnknownBenchmark(EvaluationError, LookupError): ...
