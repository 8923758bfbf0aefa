"""What scores vary by if they come in clusters, such as the votes of one voter or on one prompt.

Votes of one cluster are not independent. If they are summed before they are squared, the variance needs only the
clusters to be (Liang and Zeger 1986, "Longitudinal data analysis using generalized linear models").
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from stats.comparisons import BoolArray, FloatArray, IntArray
from stats.errors import InvalidLevelError, LengthMismatchError
from stats.workers import ROWS_PER_CHUNK

LEAST_CLUSTERS: Final = 2


class Scores(NamedTuple):
    """Derivatives of the log-likelihood of some comparisons, times their weights.

    `of_difference` (n_rows,) is that by the strength of the item `left`, and minus that by the one of `right`;
    `of_others` (n_rows, k) are those by the parameters that follow the strengths.
    """

    left: IntArray
    right: IntArray
    of_difference: FloatArray
    of_others: FloatArray


def cluster_meat(
    clusters: npt.ArrayLike, scores_of: Callable[[IntArray], Scores], *, kept: BoolArray, n_parameters: int
) -> FloatArray:
    """C / (C - 1) times the sum over the C clusters of uu', u being the sum of a cluster's scores.

    Of the comparisons, and of the clusters, those in `kept` (n_comparisons,) count; `scores_of` is asked for theirs, by
    their numbers, in blocks of whole clusters. Shape (n_parameters, n_parameters).
    Raises StatsError: labels that are not one whole number per comparison, fewer than two clusters.
    """
    labels = np.asarray(clusters)
    if labels.shape != kept.shape or labels.dtype.kind not in "iu":
        raise LengthMismatchError(
            f"Every comparison needs the whole number of its cluster, not {labels.dtype} of shape {labels.shape}."
        )
    order = np.argsort(labels, kind="stable")
    order = order[kept[order]]
    labels = labels[order]
    firsts = np.flatnonzero(np.diff(labels, prepend=labels[:1] - 1))
    if len(firsts) < LEAST_CLUSTERS:
        raise InvalidLevelError(f"The spread of clusters cannot be seen from {len(firsts)} of them.")
    meat = np.zeros((n_parameters, n_parameters))
    for start, end in _blocks(firsts, len(labels)):
        number = np.cumsum(np.diff(labels[start:end], prepend=labels[start:][:1]) != 0)
        sums = _sums(scores_of(order[start:end]), number, n_parameters=n_parameters)
        meat += (sums.T @ sums).todense()
    return meat * len(firsts) / (len(firsts) - 1)


def _blocks(firsts: IntArray, n_rows: int) -> Iterator[tuple[int, int]]:
    """Ranges of whole clusters, of about ROWS_PER_CHUNK rows each."""
    wanted = np.arange(ROWS_PER_CHUNK, n_rows, ROWS_PER_CHUNK)
    found = np.searchsorted(firsts, wanted)
    cuts = np.unique(np.concatenate([[0], firsts[found[found < len(firsts)]], [n_rows]]))
    yield from zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)


def _sums(scores: Scores, cluster: IntArray, *, n_parameters: int) -> csr_array:
    """The sum of the scores of each cluster, as a sparse table of clusters and parameters."""
    n_rows, k = scores.of_others.shape
    values = [scores.of_difference, -scores.of_difference, scores.of_others.ravel()]
    columns = [scores.left, scores.right, np.tile(np.arange(n_parameters - k, n_parameters), n_rows)]
    places = [cluster, cluster, np.repeat(cluster, k)]
    entries = (np.concatenate(values), (np.concatenate(places), np.concatenate(columns)))
    return csr_array(coo_array(entries, shape=(n_rows, n_parameters)))
