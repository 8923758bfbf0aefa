"""How far a run is, in one line of a terminal."""

from typing import Final

from evaluation.aggregation import TEXT_METRICS
from evaluation.benchmarks.base import Benchmark

BAR_WIDTH: Final = 24


def line(n_done: int, n_samples: int, *, rate: float, seconds_left: float | None, metric: str) -> str:
    share = n_done / n_samples if n_samples else 0.0
    filled_width = int(share * BAR_WIDTH)
    bar = "█" * filled_width + "·" * (BAR_WIDTH - filled_width)
    speed = f"{rate:.1f}/s" if rate >= 1 or not rate else f"{60 * rate:.1f}/min"
    left = f"  {duration(seconds_left)} left" if seconds_left is not None and n_done < n_samples else ""
    return f"  {bar} {n_done:,}/{n_samples:,}  {speed}{left}  {metric}".rstrip()


def metric_text(benchmark: Benchmark, value: float | None, standard_error: float | None) -> str:
    """With its standard error, as lm-evaluation-harness prints it."""
    return "" if value is None else metric_words(benchmark.headline, value, standard_error)


def metric_words(name: str, value: float, standard_error: float | None) -> str:
    is_share = name not in TEXT_METRICS
    number = f"{name} {100 * value:.1f} %" if is_share else f"{name} {value:.4f}"
    if standard_error is None:
        return number
    return f"{number} ± {100 * standard_error:.1f}" if is_share else f"{number} ± {standard_error:.4f}"


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
